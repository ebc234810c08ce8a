#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! [`fetch`] downloads published data sets, and [`load`] reads any of them by its name
//! ([`DatasetName`]). A [`Pipeline`] augments as well, and a [`Loader`] has its batches prepared by
//! threads while others are used. [`contact_sheet`] shows what becomes of the images. Translation is in [`text`].

mod ascii;
mod augment;
mod batches;
mod cifar;
mod contact_sheet;
mod dataset;
mod digits;
mod error;
mod facts;
pub mod fetch;
mod files;
mod fingerprint;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod gzip;
mod idx;
mod image_files;
mod image_folder;
mod images;
mod load;
mod loader;
mod mnist;
mod noise;
mod normalize;
mod pipeline;
mod random;
mod registry;
mod request;
mod splits;
mod stratify;
pub mod text;
mod tiny_imagenet;
mod validation;

pub use ascii::ascii;
pub use augment::{Augmentation, Erasing, ResizedCrop};
pub use batches::{batches, gather, order};
pub use contact_sheet::{SheetLayout, contact_sheet, write_contact_sheet};
pub use dataset::Dataset;
pub use digits::digits;
pub use error::{DataError, RequestError};
pub use facts::{Facts, Kind, Origin};
pub use files::{FileError, Position};
pub use fingerprint::{DatasetPrint, ImagePart, ImagesPrint, Parts, TextPart};
pub use images::Images;
pub use load::load;
pub use loader::{Loader, LoaderConfig};
pub use noise::with_label_noise;
pub use normalize::Normalization;
pub use pipeline::{Batch, Pipeline};
pub use registry::DatasetName;
pub use request::Request;
pub use splits::{Sizes, Splits};
pub use stratify::subset;
pub use validation::Validation;
