//! MNIST and Fashion-MNIST, which has the same files.
//!
//! * MNIST: Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, 1998,
//!   <http://yann.lecun.com/exdb/mnist/>, made from databases of NIST. Its page names no licence;
//!   others say CC BY-SA 3.0 of it.
//! * Fashion-MNIST: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for
//!   Benchmarking Machine Learning Algorithms, 2017, arXiv 1708.07747,
//!   <https://github.com/zalandoresearch/fashion-mnist>. MIT licence.

use std::io::BufReader;

use crate::fetch::RemoteFile;
use crate::files::{FileError, Source};
use crate::idx::{self, Content};
use crate::{Augmentation, DataError, Facts, Images, Kind, Origin, Sizes, Splits, Validation};

/// How large both are.
const SIZES: Sizes = Sizes {
    train: 54_000,
    validation: 6_000,
    test: 10_000,
    channels: 1,
    height: 28,
    width: 28,
    classes: 10,
};
const KIND: Kind = Kind::Images {
    sizes: Some(SIZES),
    augmentation: Augmentation::none(),
};
const HOLDS: &str = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
                     t10k-labels-idx1-ubyte, each as it is or as .gz";

pub(crate) const MNIST: Facts = Facts {
    name: "mnist",
    description: "handwritten digits (LeCun, Cortes and Burges 1998)",
    holds: HOLDS,
    kind: KIND,
    origin: Origin::Published(&published(
        &["https://ossci-datasets.s3.amazonaws.com/mnist"],
        [12_000_000, 2_000_000],
        [
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ],
    )),
    read: |request| MNIST.read_published(request, |source, held| splits(source, held, DIGITS)),
};

pub(crate) const FASHION_MNIST: Facts = Facts {
    name: "fashion-mnist",
    description: "articles of clothing (Xiao, Rasul and Vollgraf 2017)",
    holds: HOLDS,
    kind: KIND,
    origin: Origin::Published(&published(
        &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"],
        [40_000_000, 10_000_000],
        [
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ],
    )),
    read: |request| {
        FASHION_MNIST.read_published(request, |source, held| splits(source, held, CLOTHES))
    },
};

/// The files of either, with the most bytes of its images and the checksums as torchvision has them.
const fn published(
    bases: &'static [&'static str],
    [train, test]: [u64; 2],
    [train_images, train_labels, test_images, test_labels]: [&'static str; 4],
) -> [RemoteFile<'static>; 4] {
    const fn file(
        name: &'static str,
        bases: &'static [&'static str],
        at_most: u64,
        md5: &'static str,
    ) -> RemoteFile<'static> {
        RemoteFile {
            name,
            bases,
            at_most,
            md5,
            unpack: None,
        }
    }
    [
        file("train-images-idx3-ubyte.gz", bases, train, train_images),
        file("train-labels-idx1-ubyte.gz", bases, 100_000, train_labels),
        file("t10k-images-idx3-ubyte.gz", bases, test, test_images),
        file("t10k-labels-idx1-ubyte.gz", bases, 100_000, test_labels),
    ]
}

const DIGITS: [&str; SIZES.classes] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; SIZES.classes] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

const IMAGE: Content = Content::Images {
    height: SIZES.height as u32,
    width: SIZES.width as u32,
};
const LABEL: Content = Content::Labels {
    classes: SIZES.classes as u8,
};

/// `validation` says which of the training images are held out.
fn splits(
    source: &Source,
    validation: Validation,
    classes: [&str; SIZES.classes],
) -> Result<Splits, DataError> {
    let images = |part: &str, count: usize| -> Result<Images, DataError> {
        let read = |file: &str, content| read(source, &format!("{part}-{file}"), content, count);
        let labels = read("labels-idx1-ubyte", LABEL)?;
        let pixels = read("images-idx3-ubyte", IMAGE)?;
        let labels = labels.into_iter().map(usize::from).collect();
        let shape = [SIZES.channels, SIZES.height, SIZES.width];
        Images::new(pixels, labels, shape, classes.map(str::to_owned).to_vec())
    };
    let test = images("t10k", SIZES.test)?;
    validation.splits(&images("train", SIZES.train + SIZES.validation)?, test)
}

/// Reads the file of this name, or the one compressed as `.gz`.
fn read(source: &Source, name: &str, content: Content, count: usize) -> Result<Vec<u8>, FileError> {
    let mut path = source.path(name);
    let file = match source.open(&path) {
        Err(missing @ FileError::Missing { .. }) => {
            path.add_extension("gz");
            source.open(&path).map_err(|error| match error {
                FileError::Missing { .. } => missing,
                other => other,
            })
        }
        other => other,
    }?;
    idx::read(BufReader::new(file), content, count as u32).map_err(|fault| fault.of(&path))
}
