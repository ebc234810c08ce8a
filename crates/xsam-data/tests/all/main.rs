//! The tests of this crate that share a process: one binary links much faster than one for each.
#![allow(clippy::unwrap_used, missing_docs)]

mod contact_sheet;
mod image_folder;
mod loader;
mod parallel_text;
mod published;
mod request;
mod text_cases;
mod text_properties;
