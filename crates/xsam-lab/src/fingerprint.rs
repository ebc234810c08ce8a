//! What the data of a run are, so that others in their place are noticed.

#![allow(clippy::disallowed_methods, reason = "it holds counts and texts")]

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use crate::json;

/// What the data of a run are: counts, names and hashes, as the task has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Value);

impl Fingerprint {
    /// Of anything that can be written as JSON; nothing if this cannot.
    pub fn of(facts: &impl Serialize) -> Option<Self> {
        serde_json::to_value(facts).ok().map(Self)
    }

    /// What it was made of, if it is of this type.
    pub fn get<T: DeserializeOwned>(&self) -> Option<T> {
        json::of(self.0.clone()).ok()
    }

    /// The whole of it in one hash, 128 bits in hexadecimal.
    pub fn digest(&self) -> String {
        format!("{:032x}", xxh3_128(self.0.to_string().as_bytes()))
    }
}
