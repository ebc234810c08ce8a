//! The checkpoints of a run by their names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::layout;

/// Ending of the name of a checkpoint that is being written or removed.
pub(super) const UNFINISHED: &str = "tmp";

/// After how many whole epochs, and how many steps of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reached {
    pub(crate) epochs: usize,
    pub(crate) step: usize,
}

impl Reached {
    /// `epoch-00012`, or `epoch-00012-step-000345` within the epoch after it.
    pub(super) fn name(self) -> String {
        let Self { epochs, step } = self;
        match step {
            0 => format!("epoch-{epochs:05}"),
            _ => format!("epoch-{epochs:05}-step-{step:06}"),
        }
    }
}

/// What the name of a checkpoint says.
pub(crate) fn reached_by(checkpoint: &Path) -> Option<Reached> {
    let rest = checkpoint.file_name()?.to_str()?.strip_prefix("epoch-")?;
    let (epochs, step) = match rest.split_once("-step-") {
        Some((epochs, step)) => (epochs, step.parse().ok()?),
        None => (rest, 0),
    };
    let epochs = epochs.parse().ok()?;
    Some(Reached { epochs, step })
}

/// The latest checkpoint of a run.
pub(crate) fn latest(run: &Path) -> Result<Option<(Reached, PathBuf)>, Error> {
    Ok(kept(run)?.pop())
}

/// The complete checkpoints of a run, in their order.
pub(crate) fn kept(run: &Path) -> Result<Vec<(Reached, PathBuf)>, Error> {
    let folder = run.join(layout::CHECKPOINTS);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("open the directory", &folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::file("read", &folder))?.path();
        if let Some(reached) = reached_by(&path) {
            found.push((reached, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_where_a_run_was() {
        for (epochs, step, name) in [
            (12, 0, "epoch-00012"),
            (0, 345, "epoch-00000-step-000345"),
            (123_456, 1_234_567, "epoch-123456-step-1234567"),
        ] {
            let reached = Reached { epochs, step };
            assert_eq!(reached.name(), name);
            assert_eq!(
                reached_by(&Path::new("a/checkpoint").join(name)),
                Some(reached)
            );
        }
        for other in [
            "epoch-00012.tmp",
            "epoch-",
            "epoch-1-step-",
            "epoch-1-step-2.tmp",
            "best",
        ] {
            assert_eq!(reached_by(Path::new(other)), None, "{other}");
        }
    }
}
