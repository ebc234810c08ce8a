//! The program `xsam`: sharpness-aware training from the command line.
//!
//! It parses, calls `xsam-train`, and prints. Results go to standard output, progress and errors to
//! standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

mod args;
mod columns;
mod commands;
mod print;
mod progress;
mod table;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use commands::Outcome;

/// A training step takes and frees the same large buffers again and again. The system's allocator
/// returns them to the system each time, and to touch fresh memory anew costs a fifth of a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    xsam_kernels::keep_freed_memory();
    let arguments = Arguments::parse();
    if let Some(threads) = arguments.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        if let Err(error) = pool.build_global() {
            eprintln!("xsam: cannot start {threads} threads: {error}");
            return ExitCode::from(1);
        }
    }
    let result = match arguments.command {
        Command::Train(arguments) => commands::train::run(arguments),
        Command::Compare(arguments) => commands::compare::run(arguments),
        Command::Verify(arguments) => commands::verify::run(arguments),
        Command::Bench(arguments) => commands::bench::run(arguments),
        Command::Data(arguments) => commands::data::run(arguments),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("xsam: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}
