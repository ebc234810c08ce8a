//! Data that are not those that a model was trained on.

use std::path::Path;

use xsam_data::Fingerprint;

use crate::error::Error;

/// In what the data `now` differ from those that `run` `was` made from, in a phrase, if they do.
///
/// # Errors
/// If they do and are not allowed to have `changed`, or the model does not fit them.
pub(crate) fn differences(
    run: &Path,
    was: &Fingerprint,
    now: &Fingerprint,
    changed: bool,
) -> Result<Option<String>, Error> {
    if was == now {
        return Ok(None);
    }
    let differences = was.differences(now);
    let fits = was.is_for_the_model_of(now);
    match changed && fits {
        true => Ok(Some(differences.join("; "))),
        false => Err(Error::OtherData {
            path: run.to_owned(),
            differences,
            fits,
        }),
    }
}
