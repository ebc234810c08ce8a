//! What can be wrong with image files.

use std::path::PathBuf;

use thiserror::Error;

/// Why images cannot be had from their files.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// An image cannot be decoded.
    #[error("the image {path} is damaged, or not one: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An image is of another size than all of its data set.
    #[error(
        "the image {path} is {width}x{height} pixels and must be {expected_width}x{expected_height}",
        path = path.display()
    )]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The width of all.
        expected_width: u32,
        /// The height of all.
        expected_height: u32,
    },
    /// Images are of unequal sizes and are not to be resized.
    #[error(
        "the image {path} is {width}x{height} pixels and the first one {expected_width}x\
         {expected_height}: give image_size to resize all to a square",
        path = path.display()
    )]
    Unequal {
        /// The file.
        path: PathBuf,
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The width of the first image.
        expected_width: u32,
        /// The height of the first image.
        expected_height: u32,
    },
    /// An image takes too much memory to decode.
    #[error(
        "the image {path} is {width}x{height} pixels, too large to be decoded: make it smaller, or move it out of there",
        path = path.display()
    )]
    Huge {
        /// The file.
        path: PathBuf,
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// The images do not fit into memory.
    #[error("{images} images of {width}x{height} pixels do not fit into memory")]
    TooLarge {
        /// How many.
        images: usize,
        /// Their width.
        width: usize,
        /// Their height.
        height: usize,
    },
}
