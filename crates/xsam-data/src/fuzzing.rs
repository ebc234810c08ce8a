//! Readers by themselves, for the fuzz targets in `fuzz`, which build with `--cfg fuzzing`.
#![allow(missing_docs)]

use std::path::Path;

use crate::fetch::Unpack;
use crate::idx::{self, Content};

pub use crate::cifar::parsed as cifar;
pub use crate::fetch::unpacked;

/// Whether these are `count` images of 28x28 pixels, or labels of ten classes.
pub fn idx(bytes: &[u8], labels: bool, count: u32) -> bool {
    let content = match labels {
        true => Content::Labels { classes: 10 },
        false => Content::Images {
            height: 28,
            width: 28,
        },
    };
    idx::read(bytes, content, count).is_ok()
}

/// Unpacks an archive of this name by a narrow rule.
pub fn unpack(archive: &Path, name: &str, into: &Path) -> bool {
    let rule = Unpack {
        folder: "top",
        holds: &[],
        at_most_bytes: 1 << 20,
        at_most_entries: 64,
    };
    unpacked(archive, name, &rule, into)
}
