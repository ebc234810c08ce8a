//! Files that may be there.

use std::path::Path;

use serde::de::DeserializeOwned;
use xsam_lab::{Error, files, json};

/// What is in a file of JSON, if there is one.
pub(super) fn if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let value = json::parse(&files::read(path)?);
    value.map(Some).map_err(|error| Error::damaged(path, error))
}
