//! Data sets of labelled images, their splits, label noise, augmentation and seeded batches; and
//! [`text`] for translation.
//!
//! ```
//! use xsam_data::{batches, digits, gather, order, with_label_noise};
//!
//! let splits = digits()?;
//! let (train, changed) = with_label_noise(&splits.train, 0.2, 1)?;
//! assert!(changed > 0);
//! for epoch in 0..2 {
//!     for batch in batches(&order(train.len(), 42, epoch), 125)? {
//!         let (pixels, labels) = gather(&train, &splits.normalization, batch)?;
//!         assert_eq!(pixels.len(), labels.len() * 8 * 8);
//!     }
//! }
//! # Ok::<(), xsam_data::DataError>(())
//! ```
//!
//! [`fetch`] downloads published data sets, and [`load`] reads any of them by its name
//! ([`DatasetName`]). A [`Pipeline`] augments as well, and a [`Loader`] has its batches prepared by
//! threads while others are used. [`contact_sheet`] shows what becomes of the images.
//!
//! Everything random derives from a seed and a position (an epoch, a class, an image), so any part
//! of a run can be replayed alone. Pixels are bytes in memory, and normalized `f32` in a
//! batch. This crate knows no tensor library.

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
