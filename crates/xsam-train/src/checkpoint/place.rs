//! The checkpoints of a run by their names.

use std::fs;
use std::path::{Path, PathBuf};

use super::FOLDER;
use crate::error::Error;

/// Ending of the name of a checkpoint that is being written or removed.
pub(super) const UNFINISHED: &str = "tmp";

/// After how many whole epochs, and how many steps of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) epochs: usize,
    pub(crate) step: usize,
}

impl Place {
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
pub(crate) fn place_of(checkpoint: &Path) -> Option<Place> {
    let rest = checkpoint.file_name()?.to_str()?.strip_prefix("epoch-")?;
    let (epochs, step) = match rest.split_once("-step-") {
        Some((epochs, step)) => (epochs, step.parse().ok()?),
        None => (rest, 0),
    };
    let epochs = epochs.parse().ok()?;
    Some(Place { epochs, step })
}

/// The latest checkpoint of a run.
pub(crate) fn latest(run: &Path) -> Result<Option<(Place, PathBuf)>, Error> {
    Ok(kept(run)?.pop())
}

/// The complete checkpoints of a run, in their order.
pub(crate) fn kept(run: &Path) -> Result<Vec<(Place, PathBuf)>, Error> {
    let folder = run.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("open the directory", &folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::file("read", &folder))?.path();
        if let Some(place) = place_of(&path) {
            found.push((place, path));
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
            let place = Place { epochs, step };
            assert_eq!(place.name(), name);
            assert_eq!(place_of(&Path::new("a/checkpoint").join(name)), Some(place));
        }
        for other in [
            "epoch-00012.tmp",
            "epoch-",
            "epoch-1-step-",
            "epoch-1-step-2.tmp",
            "best",
        ] {
            assert_eq!(place_of(Path::new(other)), None, "{other}");
        }
    }
}
