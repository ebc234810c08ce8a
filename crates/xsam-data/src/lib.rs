//! Data sets of labelled images, their splits, label noise and seeded batches; and [`text`] for
//! translation.
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
//! Everything random derives from a seed and a position (an epoch, a class, an image), so any part
//! of a run can be replayed alone. Pixels are bytes in memory, and normalized `f32` in a
//! batch. This crate knows no tensor library.

mod ascii;
mod batches;
mod digits;
mod error;
mod image_folder;
mod images;
mod noise;
mod normalize;
mod random;
mod registry;
mod stratify;
pub mod text;

pub use ascii::ascii;
pub use batches::{batches, gather, order};
pub use digits::digits;
pub use error::DataError;
pub use image_folder::{FolderError, image_folder};
pub use images::{Images, Splits};
pub use noise::with_label_noise;
pub use normalize::Normalization;
pub use registry::{DatasetName, Sizes, UnknownDataset};
pub use stratify::subset;
