//! What can be wrong with a folder of images.

use std::path::PathBuf;

use thiserror::Error;

/// Why a folder of images cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A folder is not there.
    #[error(
        "there is no folder {path}; expected are DIR/train/CLASS/*.jpg, .jpeg or .png, and the \
         same classes under DIR/test (or DIR/val, DIR/valid)",
        path = path.display()
    )]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A folder or file cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A part has no classes.
    #[error("{path} holds no class folders, as in {path}/CLASS/*.png", path = path.display())]
    NoClasses {
        /// The folder of the part.
        path: PathBuf,
    },
    /// A class has no images.
    #[error("{path} holds no images (.jpg, .jpeg or .png)", path = path.display())]
    NoImages {
        /// The folder of the class.
        path: PathBuf,
    },
    /// There are too few images to hold any out.
    #[error("{path} holds one image, of which none can be held out for validation", path = path.display())]
    TooFew {
        /// The folder of the part.
        path: PathBuf,
    },
    /// Something is where only class folders are expected.
    #[error("{path} is not a class folder: move it out of there", path = path.display())]
    NotAClass {
        /// The file.
        path: PathBuf,
    },
    /// Something is where only images are expected.
    #[error(
        "{path} is neither .jpg, .jpeg nor .png: convert it, or move it out of there",
        path = path.display()
    )]
    NotAnImage {
        /// The file or folder.
        path: PathBuf,
    },
    /// A class of the training part is missing in another.
    #[error("the class `{class}` of train is missing in {path}", path = path.display())]
    ClassMissing {
        /// The class.
        class: String,
        /// The folder of the part without it.
        path: PathBuf,
    },
    /// A class is not in the training part.
    #[error("{path} is of a class that train does not have", path = path.display())]
    ClassUnknown {
        /// The folder of the class.
        path: PathBuf,
    },
    /// There is a validation part, and a share of the training images was asked for.
    #[error(
        "{path} is the validation part: leave validation and split_seed out, or move it out of there",
        path = path.display()
    )]
    OwnValidation {
        /// The folder of the part.
        path: PathBuf,
    },
}
