//! Image files that are damaged, or promise more than they hold, and odd ones that are sound.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::ZlibEncoder};
use image::{Rgb, RgbImage};
use tempfile::TempDir;
use xsam_data::{DataError, DatasetName, FileError, Request, Splits, load as load_by_name};

/// Two classes of two PNG files of 8x8 pixels each, and as many to choose by and to test on.
fn folder() -> TempDir {
    let here = tempfile::tempdir().unwrap();
    for part in ["train", "val", "test"] {
        for class in ["ant", "cat"] {
            let folder = here.path().join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..2 {
                let image = RgbImage::from_pixel(8, 8, Rgb([i, 100, 200]));
                image.save(folder.join(format!("{i}.png"))).unwrap();
            }
        }
    }
    here
}

fn read(here: &TempDir, image_size: Option<usize>) -> Result<Splits, DataError> {
    let request = Request {
        dir: Some(here.path().to_owned()),
        image_size,
        ..Request::default()
    };
    let data = load_by_name(DatasetName::ImageFolder, &request);
    data.map(|data| data.images().unwrap())
}

/// The folder with these bytes among its training images, first of all.
fn load(bytes: &[u8], image_size: Option<usize>) -> Result<Splits, DataError> {
    let here = folder();
    fs::write(here.path().join("train/ant/0.jpg"), bytes).unwrap();
    read(&here, image_size)
}

#[track_caller]
fn assert_refused(bytes: &[u8], image_size: Option<usize>, words: &[&str]) {
    match load(bytes, image_size) {
        Err(DataError::File(error @ FileError::Unfit { .. })) => {
            let text = error.to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

/// Pictures by Pillow: baseline and progressive, with restart markers, in grey and in CMYK.
fn pictures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/jpeg");
    let paths = fs::read_dir(folder).unwrap();
    paths
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

const END: &[u8] = b"\xff\xd9";

#[test]
fn a_jpeg_whose_scan_ends_early_is_refused() {
    let mut pictures = pictures();
    assert_eq!(pictures.len(), 7);
    let mut own = Vec::new();
    let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, (x * 7) as u8, y as u8]));
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut own, 90);
    encoder.encode_image(&picture).unwrap();
    pictures.push(own);
    for whole in pictures {
        load(&whole, Some(8)).unwrap();
        load(&[&whole, &b"more"[..]].concat(), Some(8)).unwrap();
        for (numerator, denominator) in [(2, 3), (9, 10)] {
            let cut = whole.len() * numerator / denominator;
            let ended = [&whole[..cut], END].concat();
            assert_refused(&ended, Some(8), &["ant/0.jpg is damaged", "ends early"]);
            assert_refused(&whole[..cut], Some(8), &["ant/0.jpg is damaged"]);
        }
    }
}

fn black(width: u32, height: u32) -> Vec<u8> {
    png(width, height, &[])
}

/// A PNG of one bit a pixel, all black, with more chunks.
fn png(width: u32, height: u32, more: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], data: &[u8]| {
        let body = [kind, data].concat();
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(&body);
        png.extend(crc32fast::hash(&body).to_be_bytes());
    };
    let sizes = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&sizes[..], &[1, 0, 0, 0, 0]].concat());
    for (kind, data) in more {
        chunk(kind, data);
    }
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::best());
    let row = vec![0; 1 + width.div_ceil(8) as usize];
    for _ in 0..height {
        rows.write_all(&row).unwrap();
    }
    chunk(b"IDAT", &rows.finish().unwrap());
    chunk(b"IEND", b"");
    png
}

/// A JPEG that says it has so many pixels, in grey, and has none.
fn promising(width: u16, height: u16) -> Vec<u8> {
    let [h1, h0] = height.to_be_bytes();
    let [w1, w0] = width.to_be_bytes();
    let frame = [0, 11, 8, h1, h0, w1, w0, 1, 1, 0x11, 0];
    let mut jpeg = [
        &b"\xff\xd8\xff\xdb\0\x43\0"[..],
        &[1; 64],
        b"\xff\xc0",
        &frame,
    ]
    .concat();
    for class in [0, 0x10] {
        jpeg.extend(b"\xff\xc4\0\x14");
        jpeg.extend([class, 1]);
        jpeg.extend([0; 16]);
    }
    jpeg.extend(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0");
    jpeg.extend([0; 100]);
    jpeg.extend(END);
    jpeg
}

/// The most memory that this process has held, where the system says.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    1024 * kilobytes.unwrap_or(0)
}

#[test]
fn memory_is_taken_for_what_a_file_holds_and_not_for_what_it_promises() {
    let before = peak();
    // The file ends after a few of the blocks, which it might hold all of or not.
    let words = ["0.jpg", "ends early"];
    assert_refused(&promising(300, 300), Some(16), &words);
    let words = ["0.jpg", "too short for its pixels"];
    assert_refused(&promising(16_000, 16_000), Some(16), &words);
    // A PNG of so many rows that its bytes cannot hold them, however they are packed.
    let mut short = png(8, 8, &[]);
    short[20..24].copy_from_slice(&100_000_000u32.to_be_bytes());
    let sum = crc32fast::hash(&short[12..29]).to_be_bytes();
    short[29..33].copy_from_slice(&sum);
    assert_refused(&short, Some(16), &["too short for its pixels"]);
    // More than is decoded at all, whatever is in the file.
    for side in [23_000, 65_500] {
        assert_refused(&promising(side, side), Some(16), &["0.jpg", "too large"]);
    }
    // Few pixels, but resizing begins with the columns, and would make 80 million of them.
    let wide = black(4_000_000, 1);
    assert_refused(&wide, Some(20), &["0.jpg", "too large"]);
    // The first image is large and the others are not.
    let words = ["ant/0.png is 8x8", "first one 10000x10000"];
    assert_refused(&black(10_000, 10_000), None, &words);
    // A colour profile of 300 MB, which is not used.
    let mut profile = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..300 {
        profile.write_all(&[0; 1 << 20]).unwrap();
    }
    let profile = [&b"a\0\0"[..], &profile.finish().unwrap()].concat();
    load(&png(8, 8, &[(b"iCCP", &profile)]), None).unwrap();
    // More images than there is memory for.
    let many = folder();
    for copy in 0..4_000 {
        let path = many.path().join(format!("train/ant/{copy}.jpg"));
        fs::write(path, black(8, 8)).unwrap();
    }
    let error = read(&many, Some(Request::LARGEST_SIZE)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "image_size: 4012 images of 16384x16384 pixels do not fit into memory: choose a smaller one, or fewer images"
    );
    assert!(peak() - before < 64 << 20, "{} bytes", peak() - before);
    // Large images of little content are images all the same.
    for image in [black(4_096, 4_096), black(8_000, 6_000), black(1, 20_000)] {
        let splits = load(&image, Some(8)).unwrap();
        assert!(splits.train.pixels().len() > 100);
    }
}

#[cfg(unix)]
#[test]
fn only_files_are_read_as_images() {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    let here = folder();
    let odd = here.path().join("train/cat/odd.png");
    assert!(Command::new("mkfifo").arg(&odd).status().unwrap().success());
    let refused = || {
        for size in [None, Some(8)] {
            let error = read(&here, size).unwrap_err().to_string();
            assert!(error.contains("odd.png: it is not a file"), "{error}");
        }
    };
    refused();
    fs::remove_file(&odd).unwrap();
    symlink("/dev/zero", &odd).unwrap();
    refused();
    fs::remove_file(&odd).unwrap();
    // A link to an image is as good as the image.
    symlink(here.path().join("train/cat/0.png"), &odd).unwrap();
    read(&here, None).unwrap();
}
