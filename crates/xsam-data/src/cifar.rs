//! CIFAR-10 and CIFAR-100 in their binary version.
//!
//! A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009,
//! <https://www.cs.toronto.edu/~kriz/cifar.html>. Labelled subsets of the 80 million tiny images;
//! the page asks to cite the report and names no licence.

use crate::fetch::{RemoteFile, Unpack};
use crate::files::{Fault, Source, lines};
use crate::{Augmentation, DataError, Facts, Images, Kind, Origin, Sizes, Splits, Validation};

#[cfg(test)]
mod tests;

/// How large CIFAR-10 is.
const SIZES_10: Sizes = Sizes {
    train: 45_000,
    validation: 5_000,
    test: 10_000,
    channels: 3,
    height: 32,
    width: 32,
    classes: 10,
};
/// How large CIFAR-100 is.
const SIZES_100: Sizes = Sizes {
    classes: 100,
    ..SIZES_10
};

pub(crate) const CIFAR10: Facts = Facts {
    name: "cifar10",
    description: "animals and vehicles (Krizhevsky 2009)",
    holds: "data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt, in it or in its \
            cifar-10-batches-bin",
    kind: Kind::Images {
        sizes: Some(SIZES_10),
        augmentation: Augmentation::cifar(),
    },
    origin: Origin::Published(&[RemoteFile {
        name: "cifar-10-binary.tar.gz",
        bases: BASES,
        at_most: 200_000_000,
        md5: "c32a1d4ab5d03f1284b67883e8d87530",
        unpack: Some(Unpack {
            folder: "cifar-10-batches-bin",
            holds: &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
                "test_batch.bin",
                "batches.meta.txt",
            ],
            // Six files of 10,000 records of 3,073 bytes, and two small ones.
            at_most_bytes: 185_000_000,
            at_most_entries: 16,
        }),
    }]),
    read: |request| CIFAR10.read_published(request, cifar10),
};

pub(crate) const CIFAR100: Facts = Facts {
    name: "cifar100",
    description: "things, animals and people, fine labels (Krizhevsky 2009)",
    holds: "train.bin, test.bin and fine_label_names.txt, in it or in its cifar-100-binary",
    kind: Kind::Images {
        sizes: Some(SIZES_100),
        augmentation: Augmentation::cifar(),
    },
    origin: Origin::Published(&[RemoteFile {
        name: "cifar-100-binary.tar.gz",
        bases: BASES,
        at_most: 200_000_000,
        md5: "03b5dce01913d631647c71ecec9e9cb8",
        unpack: Some(Unpack {
            folder: "cifar-100-binary",
            holds: &[
                "train.bin",
                "test.bin",
                "fine_label_names.txt",
                "coarse_label_names.txt",
            ],
            // 60,000 records of 3,074 bytes, and two lists of names.
            at_most_bytes: 185_000_000,
            at_most_entries: 16,
        }),
    }]),
    read: |request| CIFAR100.read_published(request, cifar100),
};

const BASES: &[&str] = &["https://www.cs.toronto.edu/~kriz"];
/// All red bytes of an image row by row, then all green ones, then all blue ones.
const SHAPE: [usize; 3] = [SIZES_10.channels, SIZES_10.height, SIZES_10.width];
const PIXELS: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];
/// More than the names of the classes take.
const NAMES_LIMIT: usize = 1 << 16;

fn cifar10(source: &Source, validation: Validation) -> Result<Splits, DataError> {
    let version = Version {
        source,
        names: "batches.meta.txt",
        labels: &[("label", 10)],
    };
    let train: Vec<String> = (1..=5).map(|n| format!("data_batch_{n}.bin")).collect();
    version.read(&train, "test_batch.bin", validation)
}

/// The coarse labels are checked and not used.
fn cifar100(source: &Source, validation: Validation) -> Result<Splits, DataError> {
    let version = Version {
        source,
        names: "fine_label_names.txt",
        labels: &[("coarse label", 20), ("fine label", 100)],
    };
    version.read(&["train.bin".to_owned()], "test.bin", validation)
}

/// What one version has otherwise than the other.
struct Version<'a> {
    source: &'a Source,
    /// The file of the names of the classes.
    names: &'a str,
    /// What the bytes before the pixels of a record say, and how many values each has. The last one
    /// is the label.
    labels: &'a [(&'a str, u8)],
}

impl Version<'_> {
    fn read(
        &self,
        train: &[String],
        test: &str,
        validation: Validation,
    ) -> Result<Splits, DataError> {
        let path = self.source.path(self.names);
        let bytes = self.source.read(&path, NAMES_LIMIT)?;
        let classes = self.labels.last().map_or(0, |&(_, classes)| classes);
        let names = lines::names(&bytes, usize::from(classes)).map_err(|fault| fault.of(&path))?;
        let test = self.images(&[test.to_owned()], SIZES_10.test, &names)?;
        let all = SIZES_10.train + SIZES_10.validation;
        validation.splits(&self.images(train, all, &names)?, test)
    }

    /// The `count` images of some files, as many in each.
    fn images(
        &self,
        files: &[String],
        count: usize,
        names: &[String],
    ) -> Result<Images, DataError> {
        let per_file = count / files.len();
        let limit = (self.labels.len() + PIXELS) * per_file + 1;
        let mut records = Records::default();
        for file in files {
            let path = self.source.path(file);
            let bytes = self.source.read(&path, limit)?;
            let parsed = records.parse(&bytes, self.labels, per_file);
            parsed.map_err(|fault| fault.of(&path))?;
        }
        Images::new(records.pixels, records.labels, SHAPE, names.to_vec())
    }
}

/// What is read from the records of one file after another.
#[derive(Debug, Default, PartialEq)]
struct Records {
    pixels: Vec<u8>,
    labels: Vec<usize>,
}

impl Records {
    /// Adds the `count` records that `bytes` must be, each of its label bytes and then its pixels.
    fn parse(&mut self, bytes: &[u8], labels: &[(&str, u8)], count: usize) -> Result<(), Fault> {
        let size = labels.len() + PIXELS;
        let expected = size * count;
        if bytes.len() < expected {
            let record = bytes.len() / size + 1;
            let reason =
                format!("the file ends in record {record} of {count}, which are {expected} bytes");
            return Err(Fault::byte(bytes.len(), reason));
        }
        if bytes.len() > expected {
            let reason = format!("the file goes on after the last of {count} records");
            return Err(Fault::byte(expected, reason));
        }
        self.pixels.reserve_exact(count * PIXELS);
        self.labels.reserve_exact(count);
        for (index, record) in bytes.chunks_exact(size).enumerate() {
            let (given, pixels) = record.split_at(labels.len());
            for (at, (&byte, &(what, values))) in given.iter().zip(labels).enumerate() {
                if byte >= values {
                    let last = values - 1;
                    let reason =
                        format!("the {what} of record {} is {byte}, above {last}", index + 1);
                    return Err(Fault::byte(index * size + at, reason));
                }
            }
            self.labels
                .extend(given.last().map(|&label| usize::from(label)));
            self.pixels.extend_from_slice(pixels);
        }
        Ok(())
    }
}

/// Whether these are two records of CIFAR-100.
#[cfg(fuzzing)]
pub fn parsed(bytes: &[u8]) -> bool {
    let labels = [("coarse label", 20), ("fine label", 100)];
    Records::default().parse(bytes, &labels, 2).is_ok()
}
