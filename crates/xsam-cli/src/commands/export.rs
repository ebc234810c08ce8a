//! `export`

use std::path::PathBuf;

use clap::Parser;
use xsam_lab::export::export;
use xsam_lab::{Error, Tasks};

use crate::context::Outcome;
use crate::print;

/// The weights of a trained model in a file for PyTorch.
#[derive(Debug, Parser)]
#[command(
    name = "export",
    after_help = "Example:\n  {program} export runs/sam --out model.safetensors\n\n\
                  The names are those of the model's PyTorch original:\n  \
                  model.load_state_dict(torch.load(\"model.pt\"))\n\n\
                  The outputs are then the same for the same input. What the run has done to its inputs before, \
                  such as to normalize them, is not in the file."
)]
pub(crate) struct Arguments {
    /// Directory of a run, for its latest checkpoint, or a folder in its checkpoint/.
    #[arg(value_name = "RUN|CHECKPOINT")]
    from: PathBuf,

    /// The file; ends in .safetensors, .pt or .pth.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Replaces the file if it exists.
    #[arg(long)]
    overwrite: bool,

    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run<L: Tasks>(arguments: Arguments) -> Result<Outcome, Error> {
    let written = export::<L>(&arguments.from, &arguments.out, arguments.overwrite)?;
    print::result(arguments.json, &written, || {
        format!(
            "{} after {} epochs in {}: {} tensors, {} parameters, {:.1} MB",
            written.model,
            written.epochs,
            written.file.display(),
            written.tensors,
            written.parameters,
            written.bytes as f64 / 1e6,
        )
    });
    Ok(Outcome::Done)
}
