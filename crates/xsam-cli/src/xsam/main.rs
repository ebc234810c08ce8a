//! The program `xsam`: sharpness-aware training from the command line.

#![deny(clippy::disallowed_methods)]

mod bench;
mod data;
mod verify;

use std::process::ExitCode;

use xsam_cli::{Package, Program, package};
use xsam_tasks::OurTasks;

fn main() -> ExitCode {
    let package = Package {
        about: "Sharpness-aware training: train a model, compare methods, check this build's numbers",
        ..package!()
    };
    Program::new::<OurTasks>(package)
        .with_examples(
            "Example:\n  {program} compare                 SGD, SAM and XSAM on noisy digits\n  \
             {program} compare --set method.rho=0.3 --seeds 0,1",
        )
        .with_command(data::run)
        .with_command(verify::run)
        .with_command(bench::run)
        .run()
}
