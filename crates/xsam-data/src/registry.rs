//! The data sets by name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use crate::text::{ParallelText, iwslt14_de_en, parallel_text};
use crate::{
    DataError, Request, Splits, cifar, cifar10, cifar100, digits, fashion_mnist, image_folder,
    mnist, tiny_imagenet,
};

/// Where `xsam data fetch` puts data sets, each in a folder of its name.
const FOLDER: &str = "data";

/// The data sets of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatasetName {
    /// Handwritten digits of 8x8 pixels, built in.
    Digits,
    /// Handwritten digits of 28x28 pixels.
    Mnist,
    /// Articles of clothing in 28x28 pixels.
    FashionMnist,
    /// Colour images of 32x32 pixels in 10 classes.
    Cifar10,
    /// Colour images of 32x32 pixels in 100 classes.
    Cifar100,
    /// Colour images of 64x64 pixels in 200 classes.
    TinyImagenet,
    /// Any folder of class folders with JPEG or PNG files.
    ImageFolder,
    /// Talks in German and their translations into English.
    Iwslt14DeEn,
    /// Any pairs of text files, a sentence a line.
    ParallelText,
}

/// A data set that has been read.
#[derive(Clone, Debug, PartialEq)]
pub enum Dataset {
    /// Images and their classes.
    Images(Splits),
    /// Sentences and their translations.
    Text(ParallelText),
}

/// How large a data set of images is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Images to learn from.
    pub train: usize,
    /// Images to choose by.
    pub validation: usize,
    /// Images to report on.
    pub test: usize,
    /// Channels per image.
    pub channels: usize,
    /// Rows per image.
    pub height: usize,
    /// Columns per image.
    pub width: usize,
    /// Number of classes.
    pub classes: usize,
}

impl Sizes {
    /// Images in all three parts.
    pub const fn total(&self) -> usize {
        self.train + self.validation + self.test
    }
}

impl DatasetName {
    /// Every data set.
    pub const ALL: [Self; 9] = [
        Self::Digits,
        Self::Mnist,
        Self::FashionMnist,
        Self::Cifar10,
        Self::Cifar100,
        Self::TinyImagenet,
        Self::ImageFolder,
        Self::Iwslt14DeEn,
        Self::ParallelText,
    ];

    /// The name in a spec file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::TinyImagenet => "tiny-imagenet",
            Self::ImageFolder => "image-folder",
            Self::Iwslt14DeEn => "iwslt14-de-en",
            Self::ParallelText => "parallel-text",
        }
    }

    /// One line on what it is and where it comes from.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Digits => {
                "handwritten digits, 8x8 grey pixels, built in (UCI, Alpaydin and Kaynak 1998)"
            }
            Self::Mnist => "handwritten digits (LeCun, Cortes and Burges 1998)",
            Self::FashionMnist => "articles of clothing (Xiao, Rasul and Vollgraf 2017)",
            Self::Cifar10 => "animals and vehicles (Krizhevsky 2009)",
            Self::Cifar100 => "things, animals and people, fine labels (Krizhevsky 2009)",
            Self::TinyImagenet => {
                "ImageNet made small (CS231N, Stanford 2015); the test part is its labelled val"
            }
            Self::ImageFolder => "your own: DIR/train/CLASS/*.jpg, .jpeg or .png, and DIR/test",
            Self::Iwslt14DeEn => "talks, German to English (IWSLT 2014); to be got by hand",
            Self::ParallelText => "your own: DIR/train.SOURCE, DIR/train.TARGET, valid and test",
        }
    }

    /// What its folder holds, in words.
    pub const fn holds(self) -> &'static str {
        match self {
            Self::Digits => "nothing: they are built in",
            Self::Mnist | Self::FashionMnist => {
                "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
                 t10k-labels-idx1-ubyte, each as it is or as .gz"
            }
            Self::Cifar10 => {
                "data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt, in it \
                 or in its cifar-10-batches-bin"
            }
            Self::Cifar100 => {
                "train.bin, test.bin and fine_label_names.txt, in it or in its cifar-100-binary"
            }
            Self::TinyImagenet => {
                "wnids.txt, words.txt, train/WNID/images/*.JPEG, val/images/*.JPEG and \
                 val/val_annotations.txt, in it or in its tiny-imagenet-200"
            }
            Self::ImageFolder => "train/CLASS/*.jpg, .jpeg or .png, and test",
            Self::Iwslt14DeEn => {
                "train.de, train.en, valid.de, valid.en, test.de and test.en, a sentence a line"
            }
            Self::ParallelText => {
                "train.SOURCE, train.TARGET, and the same of valid and test, a sentence a line"
            }
        }
    }

    /// Whether it is of sentences and their translations, not of images.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Iwslt14DeEn | Self::ParallelText)
    }

    /// Whether [`fetch`](crate::fetch) can download it.
    pub const fn is_fetched(self) -> bool {
        self.is_published_images()
    }

    /// Where it is looked for if nothing else is said: `data/NAME`, if it is published.
    pub fn default_folder(self) -> Option<PathBuf> {
        let published = self.is_fetched() || self == Self::Iwslt14DeEn;
        published.then(|| Path::new(FOLDER).join(self.as_str()))
    }

    /// The end of a message on data that are not there.
    pub(crate) fn how_to_get(self) -> String {
        match (self, self.default_folder()) {
            (Self::Iwslt14DeEn, _) => {
                "; `xsam data fetch iwslt14-de-en` says where to get them".to_owned()
            }
            (_, Some(folder)) => {
                let folder = folder.display();
                format!(
                    "; `xsam data fetch {self}` gets them, into {folder} unless --dir says otherwise"
                )
            }
            (_, None) => String::new(),
        }
    }

    /// Whether its training images are divided for a validation part, whatever is in its folder.
    pub const fn is_divided(self) -> bool {
        self.is_published_images()
    }

    /// Whether it is of images in files that anyone may download, of which one part is to learn from and one
    /// to test on.
    const fn is_published_images(self) -> bool {
        match self {
            Self::Digits | Self::ImageFolder | Self::Iwslt14DeEn | Self::ParallelText => false,
            Self::Mnist
            | Self::FashionMnist
            | Self::Cifar10
            | Self::Cifar100
            | Self::TinyImagenet => true,
        }
    }

    /// How large it is with the default validation part, or nothing if that depends on what is in a
    /// folder.
    pub const fn sizes(self) -> Option<Sizes> {
        match self {
            Self::Digits => Some(digits::SIZES),
            Self::Mnist | Self::FashionMnist => Some(mnist::SIZES),
            Self::Cifar10 => Some(cifar::SIZES_10),
            Self::Cifar100 => Some(cifar::SIZES_100),
            Self::TinyImagenet => Some(tiny_imagenet::SIZES),
            Self::ImageFolder | Self::Iwslt14DeEn | Self::ParallelText => None,
        }
    }
}

/// Reads the data set of this name.
///
/// # Errors
///
/// What [`Request::check`] refuses; data that cannot be read or are not as they must be.
pub fn load(name: DatasetName, request: &Request) -> Result<Dataset, DataError> {
    request.check(name)?;
    let dir = || request.folder(name);
    let own = request.validation()?;
    let validation = own.unwrap_or_default();
    let splits = match name {
        DatasetName::Digits => digits(),
        DatasetName::Mnist => mnist(&dir()?, validation),
        DatasetName::FashionMnist => fashion_mnist(&dir()?, validation),
        DatasetName::Cifar10 => cifar10(&dir()?, validation),
        DatasetName::Cifar100 => cifar100(&dir()?, validation),
        DatasetName::TinyImagenet => tiny_imagenet(&dir()?, validation),
        DatasetName::ImageFolder => image_folder(&dir()?, request.image_size, own),
        DatasetName::Iwslt14DeEn => return iwslt14_de_en(&dir()?).map(Dataset::Text),
        DatasetName::ParallelText => {
            let [source, target] = request.languages()?;
            return parallel_text(&dir()?, source, target).map(Dataset::Text);
        }
    };
    splits.map(Dataset::Images)
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that no data set has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no data set {name:?}; the data sets are {}", names())]
pub struct UnknownDataset {
    /// The name as given.
    pub name: String,
}

fn names() -> String {
    DatasetName::ALL.map(DatasetName::as_str).join(", ")
}

impl FromStr for DatasetName {
    type Err = UnknownDataset;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|dataset| dataset.as_str() == name)
            .ok_or_else(|| UnknownDataset {
                name: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn names_round_trip() {
        for name in DatasetName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
            assert!(!name.description().is_empty());
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let error = "digit".parse::<DatasetName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no data set \"digit\"; the data sets are digits, mnist, fashion-mnist, \
             cifar10, cifar100, tiny-imagenet, image-folder, iwslt14-de-en, parallel-text"
        );
    }
}
