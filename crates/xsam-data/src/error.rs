//! What can be wrong with data or with a request for it.

use std::path::PathBuf;

use thiserror::Error;

use crate::text::{BleuError, CorpusError, TokenizerError};
use crate::{FileError, FolderError, ImageError};

/// Why data cannot be made, selected or drawn.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A size that must be positive is zero.
    #[error("{field} must be at least 1")]
    Zero {
        /// The size.
        field: &'static str,
    },
    /// The number of pixels does not follow from the other sizes.
    #[error("{images} images of {per_image} pixels need {expected} pixels, {actual} were given")]
    Pixels {
        /// The number of labels, one per image.
        images: usize,
        /// Channels times height times width.
        per_image: usize,
        /// The product of the two.
        expected: usize,
        /// The pixels given.
        actual: usize,
    },
    /// A normalization is of another number of channels than the images have.
    #[error("images of {images} channels cannot be normalized by the numbers of {normalization}")]
    Channels {
        /// Channels of the images.
        images: usize,
        /// Channels of the normalization.
        normalization: usize,
    },
    /// The number of labels is not the number of images.
    #[error("{images} images need {images} labels, {actual} were given")]
    Labels {
        /// The number of images.
        images: usize,
        /// The labels given.
        actual: usize,
    },
    /// A label names no class.
    #[error("image {image} has label {label}, but there are only {classes} classes")]
    Label {
        /// The image.
        image: usize,
        /// Its label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// There is no image with this index.
    #[error("image {index} does not exist, there are {len}")]
    Index {
        /// The index asked for.
        index: usize,
        /// The number of images.
        len: usize,
    },
    /// There is no sentence pair with this index.
    #[error("sentence pair {index} does not exist, there are {len}")]
    Pair {
        /// The index asked for.
        index: usize,
        /// The number of pairs.
        len: usize,
    },
    /// A sentence pair may be longer than a batch.
    #[error("batch_tokens = {budget} cannot hold a pair of max_length = {max_length}")]
    Budget {
        /// The tokens of a batch.
        budget: usize,
        /// The length of the longest pair.
        max_length: usize,
    },
    /// A subset of nothing, or of more than there is.
    #[error("subset = {size} is outside 1..={len}")]
    Subset {
        /// The size asked for.
        size: usize,
        /// The number of images or sentence pairs.
        len: usize,
    },
    /// A label noise that is not a probability.
    #[error("label_noise = {fraction} is outside 0..=1")]
    Fraction {
        /// The value given.
        fraction: f64,
    },
    /// A value of an augmentation is out of its range.
    #[error("{field} = {value} is outside {range}")]
    Augmentation {
        /// The field of [`Augmentation`](crate::Augmentation).
        field: &'static str,
        /// The value given.
        value: String,
        /// What it can be.
        range: String,
    },
    /// An augmentation has two ways to choose what is seen of an image.
    #[error(
        "crop_padding = {padding} and resized_crop exclude each other: set crop_padding = 0, or \
         leave resized_crop out"
    )]
    TwoCrops {
        /// The padding given.
        padding: usize,
    },
    /// The system refuses a thread that was to prepare batches.
    #[error("cannot start a thread to prepare batches: {reason}; workers = 0 does without")]
    Thread {
        /// What the system said.
        reason: String,
    },
    /// What was to prepare a batch panicked.
    #[error("preparing batch {batch} failed: {reason}")]
    Worker {
        /// Its number in the epoch, from 0.
        batch: usize,
        /// What the panic said.
        reason: String,
    },
    /// A contact sheet would be too large.
    #[error(
        "a contact sheet of {width}x{height} pixels is too large: show fewer images or versions, \
         or magnify less"
    )]
    Sheet {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// A picture cannot be encoded.
    #[error("cannot encode the picture: {reason}")]
    Encoding {
        /// What the encoder said.
        reason: String,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {reason}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The bytes of a data set are not what its description says.
    #[error("the {dataset} data are damaged: {reason}")]
    Damaged {
        /// The data set.
        dataset: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// There are too few training images to hold any out.
    #[error("of {images} training images none can be held out for validation")]
    TooFew {
        /// How many there are.
        images: usize,
    },
    /// A data set is asked for by what it cannot be.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A file of a data set is not as published.
    #[error(transparent)]
    File(#[from] FileError),
    /// An image file cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A folder of images is not as it must be.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A folder of parallel text is not as it must be.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// A tokenizer cannot be made, saved or loaded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Translations cannot be scored.
    #[error(transparent)]
    Bleu(#[from] BleuError),
}

/// A field of a request cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct RequestError {
    /// The field of [`Request`](crate::Request).
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl RequestError {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { field, message }
    }
}
