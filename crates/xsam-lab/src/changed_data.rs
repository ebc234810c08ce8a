//! Data that are not those of before.

use std::path::Path;

use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::task::Task;

/// In what the data that there are now differ from those that `run` was made from, in a phrase, if they do. `both` are the
/// fingerprints of these and of those, as far as they are known.
///
/// # Errors
/// If they do and are not allowed to have `changed`, or the model does not fit them.
pub(crate) fn differences<T: Task>(
    run: &Path,
    both: (Option<&Fingerprint>, Option<&Fingerprint>),
    changed: bool,
) -> Result<Option<String>, Error> {
    let (Some(was), Some(now)) = both else {
        return Ok(None);
    };
    if was == now {
        return Ok(None);
    }
    let (differences, fits) = T::changes(was, now);
    match changed && fits {
        true => Ok(Some(differences.join("; "))),
        false => Err(Error::OtherData {
            path: run.to_owned(),
            differences,
            fits,
        }),
    }
}
