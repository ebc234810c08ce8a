//! Data sets in the formats they are published in, at their full sizes.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use xsam_data::{DataError, DatasetName, FileError, Images, Position, Request, Splits, load};

/// Bytes of an image of CIFAR.
const PIXELS: usize = 3 * 32 * 32;

/// Records of CIFAR with these numbers: label bytes, then pixels that tell the number.
fn records<const N: usize>(numbers: Range<usize>, labels: fn(usize) -> [u8; N]) -> Vec<u8> {
    let mut records = Vec::with_capacity((N + PIXELS) * numbers.len());
    for number in numbers {
        records.extend(labels(number));
        records.extend((number as u32).to_le_bytes());
        records.resize(records.len() + PIXELS - 4, number as u8);
    }
    records
}

fn images(name: DatasetName, request: &Request) -> Result<Splits, DataError> {
    load(name, request).map(|data| data.images().unwrap())
}

fn write_cifar10(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let names: String = (0..10).map(|class| format!("class_{class}\n")).collect();
    fs::write(dir.join("batches.meta.txt"), names + "\n").unwrap();
    for batch in 0..6 {
        let numbers = 10_000 * batch..10_000 * (batch + 1);
        let bytes = records(numbers, |number| [(number % 10) as u8]);
        let name = match batch {
            5 => "test_batch.bin".to_owned(),
            _ => format!("data_batch_{}.bin", batch + 1),
        };
        fs::write(dir.join(name), bytes).unwrap();
    }
}

/// Digits that follow one another, each image all of one value.
fn write_mnist(dir: &Path, compressed: bool) {
    for (part, count) in [("train", 60_000_u32), ("t10k", 10_000)] {
        let mut images = [0x0803, count, 28, 28].map(u32::to_be_bytes).concat();
        let mut labels = [0x0801, count].map(u32::to_be_bytes).concat();
        for number in 0..count {
            images.resize(images.len() + 28 * 28, number as u8);
            labels.push((number % 10) as u8);
        }
        for (bytes, what) in [(images, "images-idx3"), (labels, "labels-idx1")] {
            let path = dir.join(format!("{part}-{what}-ubyte"));
            if compressed {
                let file = File::create(path.with_added_extension("gz")).unwrap();
                let mut encoder = GzEncoder::new(file, Compression::fast());
                encoder.write_all(&bytes).unwrap();
                encoder.finish().unwrap();
            } else {
                fs::write(path, bytes).unwrap();
            }
        }
    }
}

/// The numbers that `record` wrote into the images.
fn numbers(images: &Images) -> Vec<usize> {
    let images = images.pixels().chunks_exact(PIXELS);
    let number = |image: &[u8]| u32::from_le_bytes([image[0], image[1], image[2], image[3]]);
    images.map(|image| number(image) as usize).collect()
}

/// A request for what is in `dir`, all else as it is.
fn at(dir: &Path) -> Request {
    Request {
        dir: Some(dir.to_owned()),
        ..Request::default()
    }
}

#[track_caller]
fn assert_refused(name: DatasetName, here: &TempDir, message: &str) {
    let error = images(name, &at(here.path())).unwrap_err().to_string();
    let here = format!("{}/", here.path().display());
    assert_eq!(error.replace(&here, ""), message);
}

#[test]
fn cifar10_is_read_divided_and_checked_file_by_file() {
    let here = tempfile::tempdir().unwrap();
    let dir = here.path().join("cifar-10-batches-bin");
    write_cifar10(&dir);
    let splits = images(DatasetName::Cifar10, &at(here.path())).unwrap();
    assert_eq!(Some(splits.sizes()), DatasetName::Cifar10.sizes());
    assert_eq!(splits.test.class_names()[9], "class_9");
    assert!(numbers(&splits.test).into_iter().eq(50_000..60_000));
    assert_eq!(splits.train.class_counts(), [4500; 10]);
    assert_eq!(splits.validation.class_counts(), [500; 10]);
    for part in [&splits.train, &splits.validation, &splits.test] {
        let numbers = numbers(part);
        assert!(numbers.is_sorted());
        let labels = numbers.iter().map(|number| number % 10);
        assert!(labels.eq(part.labels().iter().copied()));
    }
    let mut all = [numbers(&splits.train), numbers(&splits.validation)].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..50_000));

    let request = Request {
        validation: Some(0.2),
        split_seed: Some(7),
        ..at(&dir)
    };
    let fifth = images(DatasetName::Cifar10, &request).unwrap();
    assert_eq!(fifth.validation.class_counts(), [1000; 10]);
    assert_eq!(fifth.test, splits.test);

    let refused = |message: &str| assert_refused(DatasetName::Cifar10, &here, message);
    let batch = dir.join("data_batch_3.bin");
    let open = || OpenOptions::new().write(true).open(&batch).unwrap();
    let file = "cifar-10-batches-bin/data_batch_3.bin";
    open().set_len(30_730_001).unwrap();
    let message = "byte 30730000: the file goes on after the last of 10000 records";
    refused(&format!("{file}, {message}"));
    open().set_len(1 << 33).unwrap();
    refused(&format!("{file}, {message}"));
    open().set_len(30_729_999).unwrap();
    let message = "byte 30729999: the file ends in record 10000 of 10000, which are 30730000 bytes";
    refused(&format!("{file}, {message}"));
    fs::remove_file(&batch).unwrap();
    refused(&format!(
        "there is no {file}; the folder of cifar10 holds data_batch_1.bin to data_batch_5.bin, \
         test_batch.bin and batches.meta.txt, in it or in its cifar-10-batches-bin; `xsam data \
         fetch cifar10` gets them, into data/cifar10 unless --dir says otherwise"
    ));
}

#[test]
fn cifar100_has_fine_labels() {
    let here = tempfile::tempdir().unwrap();
    for (name, count) in [("train.bin", 50_000), ("test.bin", 10_000)] {
        let bytes = records(0..count, |number| {
            [(number % 20) as u8, (number % 100) as u8]
        });
        fs::write(here.path().join(name), bytes).unwrap();
    }
    let names = here.path().join("fine_label_names.txt");
    let lines: String = (0..100).map(|class| format!("class_{class}\n")).collect();
    fs::write(&names, &lines).unwrap();
    let splits = images(DatasetName::Cifar100, &at(here.path())).unwrap();
    assert_eq!(Some(splits.sizes()), DatasetName::Cifar100.sizes());
    assert_eq!(splits.train.class_counts(), [450; 100]);
    assert_eq!(splits.test.class_names()[42], "class_42");
    let labels = numbers(&splits.train)
        .into_iter()
        .map(|number| number % 100);
    assert!(labels.eq(splits.train.labels().iter().copied()));

    let refused = |message: &str| assert_refused(DatasetName::Cifar100, &here, message);
    fs::write(&names, lines.replace("class_7\n", "class_6\n")).unwrap();
    refused("fine_label_names.txt, line 8: `class_6` is also on line 7");
    fs::write(&names, "").unwrap();
    refused("fine_label_names.txt, line 1: the file ends after 0 of 100 names");
    fs::write(&names, lines).unwrap();
    fs::rename(here.path().join("test.bin"), here.path().join("train.bin")).unwrap();
    fs::write(here.path().join("test.bin"), [19; 3074]).unwrap();
    refused("test.bin, byte 3074: the file ends in record 2 of 10000, which are 30740000 bytes");
}

#[test]
fn mnist_is_read_compressed_or_not() {
    let here = tempfile::tempdir().unwrap();
    write_mnist(here.path(), true);
    let splits = images(DatasetName::Mnist, &at(here.path())).unwrap();
    assert_eq!(Some(splits.sizes()), DatasetName::Mnist.sizes());
    assert_eq!(splits.train.class_names()[3], "3");
    assert_eq!(splits.validation.class_counts(), [600; 10]);
    assert_eq!(splits.test.labels()[..4], [0, 1, 2, 3]);
    assert_eq!(splits.test.image(258).unwrap(), [2; 784]);

    let plain = tempfile::tempdir().unwrap();
    write_mnist(plain.path(), false);
    let clothes = images(DatasetName::FashionMnist, &at(plain.path())).unwrap();
    assert_eq!(clothes.train.pixels(), splits.train.pixels());
    assert_eq!(clothes.train.class_names()[0], "T-shirt/top");
    assert_eq!(clothes.train.class_names()[9], "Ankle boot");
}

#[test]
fn files_of_mnist_that_are_not_as_published_are_refused() {
    let here = tempfile::tempdir().unwrap();
    write_mnist(here.path(), false);
    let path = |name: &str| here.path().join(name);
    let error = || load(DatasetName::Mnist, &at(here.path())).unwrap_err();
    let refused = |message: &str| assert_refused(DatasetName::Mnist, &here, message);
    let (images, labels) = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");

    // Labels and images are one in place of the other.
    fs::rename(path(labels), path("kept")).unwrap();
    fs::copy(path(images), path(labels)).unwrap();
    let message = "byte 0: the magic number is 2051 (that of images) and must be 2049";
    refused(&format!("{labels}, {message}"));
    fs::rename(path("kept"), path(labels)).unwrap();

    // Training images are in place of test images, which have fewer labels.
    fs::rename(path(images), path("kept")).unwrap();
    fs::copy(path("train-images-idx3-ubyte"), path(images)).unwrap();
    let message = "byte 4: the number of images is 60000 and must be 10000";
    refused(&format!("{images}, {message}"));
    fs::rename(path("kept"), path(images)).unwrap();

    // A compressed file that a transfer cut off.
    let whole = fs::read(path(images)).unwrap();
    fs::remove_file(path(images)).unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&whole).unwrap();
    let packed = encoder.finish().unwrap();
    let gz = path(&format!("{images}.gz"));
    fs::write(&gz, &packed[..packed.len() / 2]).unwrap();
    let cut = error();
    let DataError::File(FileError::Wrong {
        path: found,
        position,
        reason,
    }) = cut
    else {
        panic!("{cut}");
    };
    assert_eq!(
        (found, &*reason),
        (gz.clone(), "the compressed data end too early")
    );
    assert!(
        matches!(position, Position::UnpackedByte(16..7_840_016)),
        "{position}"
    );

    fs::remove_file(gz).unwrap();
    let message = error().to_string();
    let start = format!(
        "there is no {}; the folder of mnist holds train-",
        path(images).display()
    );
    assert!(message.starts_with(&start), "{message}");
}
