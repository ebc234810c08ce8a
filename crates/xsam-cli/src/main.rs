//! The program `xsam`: sharpness-aware training from the command line.
//!
//! It parses, calls `xsam-train`, and prints. Results go to standard output, progress and errors to
//! standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

#![deny(clippy::disallowed_methods)]

mod args;
mod columns;
mod commands;
mod job_progress;
mod print;
mod progress;
mod signals;
mod table;

use std::process::ExitCode;

use clap::Parser;
use xsam_train::Error;

use args::{Arguments, Command};
use commands::Outcome;

/// A training step takes and frees the same large buffers again and again. The system's allocator
/// returns them to the system each time, and to touch fresh memory anew costs a fifth of a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes of stack for each thread: what a main thread usually has.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    xsam_kernels::keep_freed_memory();
    let Arguments { command, threads } = Arguments::parse();
    if let Err(error) = xsam_kernels::check_instruction_set() {
        print::error(error);
        return ExitCode::from(2);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or_default())
        .stack_size(STACK);
    if let Err(error) = pool.build_global() {
        print::error(format_args!("cannot start the threads: {error}"));
        return ExitCode::from(1);
    }
    // On a thread of the pool, which does a part of each operation itself. Any other would have to wake
    // one for every operation and wait for it.
    let result = rayon::scope(|_| run(command));
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            print::error(&error);
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

fn run(command: Command) -> Result<Outcome, Error> {
    match command {
        Command::Train(arguments) => commands::train::run(arguments),
        Command::Compare(arguments) => commands::compare::run(arguments),
        Command::Job => commands::job::run(),
        Command::Export(arguments) => commands::export::run(arguments),
        Command::Flatness(arguments) => commands::flatness::run(arguments),
        Command::Landscape(arguments) => commands::landscape::run(arguments),
        Command::Report(arguments) => commands::report::run(arguments),
        Command::Verify(arguments) => commands::verify::run(arguments),
        Command::Bench(arguments) => commands::bench::run(arguments),
        Command::Plan(arguments) => commands::plan::run(arguments),
        Command::Data(arguments) => commands::data::run(arguments),
    }
}
