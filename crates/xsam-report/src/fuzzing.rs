//! The report by itself, for the fuzz targets in `fuzz`, which build with `--cfg fuzzing`.
#![allow(missing_docs)]

pub use crate::report::text;
