//! The data sets by name.

use std::path::PathBuf;

use xsam_names::named_enum;

use crate::facts::{Facts, Kind, Origin};
use crate::splits::Sizes;
use crate::{cifar, digits, image_folder, mnist, text, tiny_imagenet};

macro_rules! datasets {
    ($($(#[$doc:meta])* $dataset:ident = $facts:expr,)+) => {
        named_enum! {
            /// The data sets of this crate. What the folder of each holds, [`Facts::holds`] says.
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
    /// Handwritten digits of 8x8 pixels, built in: [`digits`](crate::digits()).
    Digits = digits::FACTS,
    /// MNIST: handwritten digits of 28x28 grey pixels, 60,000 for training and 10,000 for testing.
    /// Of a file that is there both as it is and as `.gz`, the first is read.
    Mnist = mnist::MNIST,
    /// Fashion-MNIST: articles of clothing in 28x28 grey pixels, 60,000 for training and 10,000 for
    /// testing. Its files are called as those of [`Mnist`](Self::Mnist).
    FashionMnist = mnist::FASHION_MNIST,
    /// CIFAR-10: 32x32 colour images of 10 classes, 50,000 for training and 10,000 for testing.
    Cifar10 = cifar::CIFAR10,
    /// CIFAR-100: 32x32 colour images of 100 classes, 50,000 for training and 10,000 for testing. The
    /// 20 coarse labels are checked and not used.
    Cifar100 = cifar::CIFAR100,
    /// Tiny ImageNet: 64x64 colour images of 200 classes, 100,000 for training and 10,000 for testing.
    ///
    /// ```text
    /// DIR/wnids.txt                     the classes, one a line, by their names in WordNet
    /// DIR/words.txt                     what they are in words, after a tab; need not be there
    /// DIR/train/WNID/images/*.JPEG      500 of each class
    /// DIR/val/images/*.JPEG             10,000
    /// DIR/val/val_annotations.txt       their classes: file, WNID and the four numbers of a box, by tabs
    /// ```
    ///
    /// `DIR` is its folder or `tiny-imagenet-200` in it. The published test part has no labels, so that
    /// `val` is what is reported on, as everywhere, and the validation part is of the *training* images.
    /// Classes are numbered in the order of their WNIDs, as PyTorch's `ImageFolder` has them. Training
    /// images are in the order of class and file name, those of `val` in that of the annotations. Grey
    /// images become RGB; boxes are not used.
    TinyImagenet = tiny_imagenet::FACTS,
    /// Any folder of class folders with JPEG or PNG files.
    ///
    /// ```text
    /// DIR/train/CLASS/*.jpg, *.jpeg or *.png
    /// DIR/test/CLASS/*       or val or valid in its place
    /// ```
    ///
    /// With `val` (or `valid`) beside `test`, it is the validation part, and the request must not ask for
    /// another. Classes are numbered by name, and images are in the order of class and file name.
    ///
    /// All images become RGB with a byte a channel: grey is copied, transparency dropped, and neither
    /// colour profiles nor a camera's orientation are applied. With `image_size` they are resized to a
    /// square of that many pixels, whatever their proportions, by a triangle filter that is widened
    /// when it shrinks; without it all must be of one size. They are decoded on all threads of rayon's
    /// pool.
    ///
    /// Headers are read first, and what all images take must fit into memory before any of it is taken.
    /// Decoding takes up to 1 GiB more at a time, whatever the number of threads, and an image that would
    /// take more alone is refused: one above 350 million pixels, or a third of that if it is a progressive
    /// JPEG. An image of which a part is missing is damaged, also where decoders fill it with grey.
    ///
    /// Names that begin with a dot are skipped. Anything else that is not in this layout, other files
    /// included, is an error, so that no image is left out in silence.
    ImageFolder = image_folder::FACTS,
    /// IWSLT 2014: talks in German and their translations into English.
    ///
    /// Cettolo, Niehues, Stueker, Bentivogli and Federico, "Report on the 11th IWSLT Evaluation
    /// Campaign", 2014. Its folder is as that of [`ParallelText`](Self::ParallelText) with the languages
    /// `de` and `en`. What the files hold is up to whoever made them; those of the usual recipe are
    /// lower-case and tokenized, see [`detokenize`](crate::text::detokenize).
    Iwslt14DeEn = text::IWSLT14_DE_EN,
    /// Any pairs of text files, one sentence a line.
    ///
    /// ```text
    /// DIR/train.SOURCE   DIR/train.TARGET
    /// DIR/valid.SOURCE   DIR/valid.TARGET     or val or dev in place of valid
    /// DIR/test.SOURCE    DIR/test.TARGET
    /// ```
    ///
    /// A language is any ending of a file name. Files are UTF-8. A byte order mark at the start is
    /// skipped, lines may end as on Windows, and the last one need not end. In a file without a line feed
    /// carriage returns end the lines; in any other they are refused inside of a line, since nobody knows
    /// whether one was to end there. What else Unicode calls a line end stays inside of sentences: a file
    /// that was cut there would no longer correspond to its translation. Sentences are otherwise as
    /// in the files, their case and blanks included. Other files in the folder are not looked at.
    ///
    /// A sentence of nothing but white space teaches nothing: its pair is left out of the training part
    /// and counted in [`left_out`](text::ParallelText::left_out). In the other parts every line stays,
    /// since a BLEU of fewer sentences could not be compared with anyone else's: an empty source there is
    /// to be translated by the empty sentence, and an empty target is a reference like any other.
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
