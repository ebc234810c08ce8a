//! Why a run, a comparison or a verification failed.

use std::io;
use std::path::{Path, PathBuf};

use xsam_files::Owner;
use xsam_weights::WeightsError;

use crate::numbers::ranges;
use crate::spec::SpecError;

/// What went wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum Error {
    /// The spec cannot be.
    #[error("{}{error}", origin.as_ref().map(|o| format!("{o}: ")).unwrap_or_default())]
    Spec {
        /// The file it is from, if it is from one.
        origin: Option<String>,
        error: SpecError,
    },
    /// A file or directory could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Where a file should be there is something else.
    #[error("{path} is {what}, and only a file of its own is read there")]
    NotAFile { path: PathBuf, what: &'static str },
    /// The output directory exists.
    #[error(
        "{path} exists: give --resume to go on with it, --overwrite to replace it, or another \
         directory with --out"
    )]
    Exists { path: PathBuf },
    /// A directory is to be replaced that no run has written.
    #[error(
        "{path} was not written by xsam, and is not replaced: give another directory with --out"
    )]
    NotOurs { path: PathBuf },
    /// A run is to be resumed with another spec.
    #[error(
        "{path} was run with another spec ({key}: {was}, not {is}): resume it as it was, or start \
         anew with --overwrite or another --out"
    )]
    OtherSpec {
        path: PathBuf,
        /// The first field that differs.
        key: String,
        /// Its value in the run directory.
        was: String,
        is: String,
    },
    /// Two processes would write the same.
    #[error(
        "{path} is {}in use by {}: wait for it, or stop it",
        of.as_ref().map_or_else(String::new, |c| format!("a run of the comparison in {}, which is ", c.display())),
        by.as_ref().map_or_else(|| "another process".to_owned(), Owner::to_string)
    )]
    Busy {
        /// The directory, or the results in one.
        path: PathBuf,
        /// The directory of the comparison that it belongs to, if that is in use.
        of: Option<PathBuf>,
        /// Who has it, as far as that is known.
        by: Option<Owner>,
    },
    /// The process that is to give an order has said something else.
    #[error("`{command}` is for `{by}` alone: {reason}")]
    Order {
        /// The command of the process that waits for the order.
        command: &'static str,
        /// The one that gives it.
        by: &'static str,
        /// What is wrong with the order.
        reason: String,
    },
    /// What is to start the process of a run has ended and not started it.
    #[error(
        "the launcher `{launcher}` ended with {status} and the program did not begin{}: it has to start the program that \
         is written behind it and hand on its standard input and output; to try it, {launcher} {} --version",
        match words.as_str() {
            "" => String::new(),
            words => format!(" ({words})"),
        },
        program.display()
    )]
    Launch {
        launcher: String,
        /// How it has ended.
        status: String,
        /// The last that it has said.
        words: String,
        /// The program that it was to start.
        program: PathBuf,
    },
    /// A comparison has no run of a number.
    #[error("there is no run {index}: the comparison has {count}, from 0 to {}", count.saturating_sub(1))]
    NoSuchRun {
        index: usize,
        /// How many runs it has.
        count: usize,
    },
    /// Runs are missing by which the hyper-parameters of a run are to be chosen.
    #[error(
        "the hyper-parameters of {label} are not chosen yet: first finish {} (--run-index)",
        numbered(missing)
    )]
    NotTuned {
        label: String,
        /// The numbers of these runs.
        missing: Vec<usize>,
    },
    /// There is no candidate to compare a method with.
    #[error("{label}: none of its candidates could be run from every seed")]
    NothingChosen { label: String },
    /// A file of a run directory is not as it was written.
    #[error("{path} is damaged or not of this program: {reason}")]
    Damaged {
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The outcome of a run or a comparison is of another release.
    #[error(
        "{path} was written by {} xsam, and this one cannot read it: use that one for it, or make it anew with \
         --overwrite or another --out",
        if *older { "an older" } else { "a newer" }
    )]
    OtherFormat {
        path: PathBuf,
        /// Whether its format is of the time before that of this one.
        older: bool,
    },
    /// The checkpoint that a run is to go on from is damaged.
    #[error("{source}: {}", match whole {
        Some(path) => format!("{} is whole, and --recover goes on from there", path.display()),
        None => "no other checkpoint is whole, so the run cannot go on: --overwrite starts it anew".to_owned(),
    })]
    DamagedCheckpoint {
        source: Box<Error>,
        /// The latest checkpoint without any.
        whole: Option<PathBuf>,
    },
    /// The data are not those that a model was trained on.
    #[error(
        "the data are not those that {path} was made from ({}): {}", differences.join("; "),
        match fits {
            true => "bring them back as they were, or give --changed-data to go on all the same, which is then written down",
            false => "the model does not fit them, so bring them back as they were, or start anew with --overwrite or \
                      another --out",
        }
    )]
    OtherData {
        path: PathBuf,
        /// In what they differ.
        differences: Vec<String>,
        /// Whether the model is one for these data, too.
        fits: bool,
    },
    /// A run begins anew, and the weights that it is to begin with are gone.
    #[error(
        "{path} has no checkpoint yet, so it begins anew with the weights in {file}, its train.init, and needs that file: \
         {source}"
    )]
    NoInit {
        path: PathBuf,
        /// The file, as the spec has it.
        file: PathBuf,
        /// Why it cannot be used.
        source: Box<WeightsError>,
    },
    /// What was given as a run is none.
    #[error(
        "{path} is not a run: give a directory that `train` has written, one of those in a \
         comparison's, or a folder in its checkpoint/"
    )]
    NotARun { path: PathBuf },
    /// A run has no checkpoint.
    #[error(
        "{path} has no checkpoint yet: the first is written after epoch {epoch} (`train \
         --resume {path}` goes on with the run)"
    )]
    NoCheckpoint {
        path: PathBuf,
        /// The epoch after which it gets its first one.
        epoch: usize,
    },
    /// A landscape of that name has been taken with other settings.
    #[error(
        "{path} is a landscape with other settings, or of other weights or data: give --overwrite to replace it"
    )]
    OtherLandscape { path: PathBuf },
    /// A trajectory is looked at of which too little is left.
    #[error(
        "{path} has {found} checkpoints, too few for the directions of its trajectory: train with \
         --set train.keep_checkpoints=N"
    )]
    FewCheckpoints {
        path: PathBuf,
        /// How many there are.
        found: usize,
    },
    /// A file that is to be written exists.
    #[error("{path} exists: give --overwrite to replace it, or another file with --out")]
    FileExists { path: PathBuf },
    /// Weights cannot be read, loaded or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The task failed, with an error of its own.
    #[error(transparent)]
    Task(Box<dyn std::error::Error + Send + Sync>),
    /// The optimizer's state cannot be saved or loaded.
    #[error(transparent)]
    Optimizer(#[from] xsam::RecordError),
    /// The optimizer refused a step.
    #[error("epoch {epoch}, step {step}: {source}{before}")]
    Step {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step in it, counted from 1.
        step: usize,
        source: xsam::StepError,
        /// What was before it, in phrases that each begin with a semicolon; empty if nothing was.
        before: String,
    },
    /// What a run costs could not be measured.
    #[error("cannot measure {label}: {reason}")]
    Measuring {
        label: String,
        /// What the process said that measured it.
        reason: String,
        /// Whether it said that its words were wrong.
        usage: bool,
    },
    /// The flatness of a model could not be measured.
    #[error(transparent)]
    Flatness(#[from] xsam_flatness::FlatnessError),
    /// Several processes were started together that cannot train together.
    #[error(
        "{size} processes were started together, and this build has no MPI: `cargo build --release --features mpi` makes one \
         that has"
    )]
    NoMpi { size: usize },
    /// The ranks of a run cannot go on together.
    #[error("the ranks cannot go on together: {0}")]
    Ranks(#[from] xsam::collective::CollectiveError),
    /// A value could not be read from the device.
    #[error("the device failed: {0}")]
    Device(String),
}

impl Error {
    /// What becomes of the error of a file or directory: `action` says what was tried, as in `"read"`.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// That a file is not as it was written, and why.
    pub fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// Refuses results that were made by another spec: the key of the first field that differs, its value there and now.
    pub(crate) fn unless_same_spec(
        path: &Path,
        difference: Option<[String; 3]>,
    ) -> Result<(), Self> {
        match difference {
            None => Ok(()),
            Some([key, was, is]) => Err(Self::OtherSpec {
                path: path.to_owned(),
                key,
                was,
                is,
            }),
        }
    }

    /// Whether it is the caller's words that are wrong, rather than what came of them.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Spec { .. }
            | Self::Exists { .. }
            | Self::NotOurs { .. }
            | Self::OtherSpec { .. }
            | Self::NotARun { .. }
            | Self::FileExists { .. }
            | Self::NoMpi { .. }
            | Self::NoSuchRun { .. }
            | Self::FewCheckpoints { .. }
            | Self::OtherLandscape { .. } => true,
            Self::Weights(error) => matches!(error, WeightsError::Ending { .. }),
            Self::Measuring { usage, .. } => *usage,
            _ => false,
        }
    }

    /// Whether all ranks of a run have it, or one that follows from it, and none of them waits for this one.
    pub fn is_of_all_ranks(&self) -> bool {
        matches!(self, Self::Step { .. })
    }
}

/// The numbers of runs in words.
fn numbered(indices: &[usize]) -> String {
    match indices {
        [index] => format!("run {index}"),
        _ => format!("the runs {}", ranges(indices)),
    }
}

impl From<SpecError> for Error {
    fn from(error: SpecError) -> Self {
        Self::Spec {
            origin: None,
            error,
        }
    }
}
