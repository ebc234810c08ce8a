//! The data sets by name.

use std::path::PathBuf;

use xsam_names::named_enum;

use crate::facts::{Facts, Kind, Origin};
use crate::splits::Sizes;
use crate::{cifar, digits, image_folder, mnist, text, tiny_imagenet};

macro_rules! datasets {
    ($($(#[$doc:meta])* $dataset:ident = $facts:expr,)+) => {
        named_enum! {
            /// The data sets of this crate.
            pub enum DatasetName ("data set") {
                $($(#[$doc])* $dataset = $facts.name,)+
            }
        }

        impl DatasetName {
            /// What is known of it.
            pub const fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$dataset => &$facts,)+
                }
            }
        }
    };
}

datasets! {
    /// Handwritten digits of 8x8 pixels, built in.
    Digits = digits::FACTS,
    /// Handwritten digits of 28x28 pixels.
    Mnist = mnist::MNIST,
    /// Articles of clothing in 28x28 pixels.
    FashionMnist = mnist::FASHION_MNIST,
    /// Colour images of 32x32 pixels in 10 classes.
    Cifar10 = cifar::CIFAR10,
    /// Colour images of 32x32 pixels in 100 classes.
    Cifar100 = cifar::CIFAR100,
    /// Colour images of 64x64 pixels in 200 classes.
    TinyImagenet = tiny_imagenet::FACTS,
    /// Any folder of class folders with JPEG or PNG files.
    ImageFolder = image_folder::FACTS,
    /// Talks in German and their translations into English.
    Iwslt14DeEn = text::IWSLT14_DE_EN,
    /// Any pairs of text files, a sentence a line.
    ParallelText = text::PARALLEL_TEXT,
}

impl DatasetName {
    /// Whether it is of sentences and their translations, not of images.
    pub const fn is_text(self) -> bool {
        matches!(self.facts().kind, Kind::Text { .. })
    }

    /// Whether its training images are divided for a validation part, whatever is in its folder.
    pub const fn is_divided(self) -> bool {
        matches!(self.facts().origin, Origin::Published(_))
    }

    /// How large it is with the default validation part, or nothing if that depends on what is in a
    /// folder.
    pub const fn sizes(self) -> Option<Sizes> {
        match self.facts().kind {
            Kind::Images { sizes, .. } => sizes,
            Kind::Text { .. } => None,
        }
    }

    /// Where it is looked for if nothing else is said: `data/NAME`, if it is published.
    pub fn default_folder(self) -> Option<PathBuf> {
        self.facts().default_folder()
    }
}
