#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const IMAGE: Content = Content::Images {
    height: 2,
    width: 3,
};
const LABEL: Content = Content::Labels { classes: 10 };

/// Images of 2x3 pixels, as many as there are.
fn images(pixels: &[u8]) -> Vec<u8> {
    let count = (pixels.len() / 6) as u8;
    let header = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3];
    [&header[..], pixels].concat()
}

fn labels(labels: &[u8]) -> Vec<u8> {
    let header = [0, 0, 8, 1, 0, 0, 0, labels.len() as u8];
    [&header[..], labels].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Refuses `bytes` with this message, and the same compressed.
#[track_caller]
fn assert_refused(bytes: &[u8], content: Content, count: u32, byte: usize, reason: &str) {
    let message = |bytes: &[u8]| read(bytes, content, count).unwrap_err().to_string();
    assert_eq!(message(bytes), format!("byte {byte}: {reason}"));
    let packed = format!("byte {byte} unpacked: {reason}");
    assert_eq!(message(&gzip(bytes)), packed);
}

#[test]
fn arrays_are_read_compressed_or_not() {
    let pixels: Vec<u8> = (0..12).collect();
    let file = images(&pixels);
    assert_eq!(read(&file[..], IMAGE, 2).unwrap(), pixels);
    assert_eq!(read(&gzip(&file)[..], IMAGE, 2).unwrap(), pixels);
    let file = labels(&[9, 0, 4]);
    assert_eq!(read(&file[..], LABEL, 3).unwrap(), [9, 0, 4]);
    // What was compressed in several pieces is one file.
    let pieces = [gzip(&file[..9]), gzip(&file[9..])].concat();
    assert_eq!(read(&pieces[..], LABEL, 3).unwrap(), [9, 0, 4]);
}

#[test]
fn one_kind_in_place_of_the_other_is_named() {
    let reason = "the magic number is 2049 (that of labels) and must be 2051";
    assert_refused(&labels(&[1; 12]), IMAGE, 2, 0, reason);
    let reason = "the magic number is 2051 (that of images) and must be 2049";
    assert_refused(&images(&[1; 12]), LABEL, 2, 0, reason);
    let mut other = labels(&[1; 12]);
    other[2] = 0x0d;
    let reason = "the magic number is 3329 and must be 2049";
    assert_refused(&other, LABEL, 12, 0, reason);
}

#[test]
fn sizes_that_are_not_the_expected_are_refused() {
    for (at, value, byte, reason) in [
        (7, 3, 4, "the number of images is 3 and must be 2"),
        (
            4,
            255,
            4,
            "the number of images is 4278190082 and must be 2",
        ),
        (11, 28, 8, "the height is 28 and must be 2"),
        (15, 0, 12, "the width is 0 and must be 3"),
    ] {
        let mut file = images(&[0; 12]);
        file[at] = value;
        assert_refused(&file, IMAGE, 2, byte, reason);
    }
    let reason = "the number of labels is 3 and must be 2";
    assert_refused(&labels(&[0; 3]), LABEL, 2, 4, reason);
}

#[test]
fn a_file_of_another_length_is_refused() {
    let file = images(&[0; 12]);
    for length in [1, 15] {
        let reason = "the file ends in its header of 16 bytes";
        assert_refused(&file[..length], IMAGE, 2, length, reason);
    }
    assert_refused(b"", LABEL, 2, 0, "the file ends in its header of 8 bytes");
    let reason = "the file ends after 0 of the 12 bytes of its images";
    assert_refused(&file[..16], IMAGE, 2, 16, reason);
    let reason = "the file ends after 11 of the 12 bytes of its images";
    assert_refused(&file[..27], IMAGE, 2, 27, reason);
    let longer = [&file[..], &[0]].concat();
    let reason = "the file goes on after its 2 images";
    assert_refused(&longer, IMAGE, 2, 28, reason);
}

#[test]
fn a_label_that_is_none_is_refused() {
    let reason = "label 2 is 10, above 9";
    assert_refused(&labels(&[9, 10, 11]), LABEL, 3, 9, reason);
}

#[test]
fn damage_to_the_compression_is_found() {
    let file = labels(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let whole = gzip(&file);
    let message = |bytes: &[u8]| read(bytes, LABEL, 8).unwrap_err().to_string();
    for length in 2..whole.len() {
        let message = message(&whole[..length]);
        assert!(
            message.ends_with("the compressed data end too early"),
            "{message}"
        );
    }
    let mut other_sum = whole.clone();
    other_sum[whole.len() - 5] ^= 1;
    assert_eq!(
        message(&other_sum),
        "byte 16 unpacked: it cannot be read further: corrupt gzip stream does not have a matching checksum"
    );
    let followed = [&whole[..], b"something after the end"].concat();
    assert_eq!(
        message(&followed),
        "byte 16 unpacked: it cannot be read further: invalid gzip header"
    );
}

#[test]
fn a_bomb_takes_no_more_than_the_header_says() {
    // 64 MiB of zeros behind a header of 2 labels, and behind one of very many.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::default());
    bomb.write_all(&labels(&[0; 2])).unwrap();
    for _ in 0..64 {
        bomb.write_all(&[0; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let mut input = &bomb[..];
    let fault = read(&mut input, LABEL, 2).unwrap_err();
    let message = "byte 10 unpacked: the file goes on after its 2 labels";
    assert_eq!(fault.to_string(), message);
    assert!(
        input.len() > bomb.len() / 2,
        "it was not unpacked to its end"
    );

    let mut lie = labels(&[0; 2]);
    lie[4..8].copy_from_slice(&[255; 4]);
    let fault = read(&gzip(&lie)[..], LABEL, 2).unwrap_err();
    let message = "byte 4 unpacked: the number of labels is 4294967295 and must be 2";
    assert_eq!(fault.to_string(), message);
}

#[test]
fn an_input_that_fails_says_how_far_it_came() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.is_empty() {
                true => Err(io::Error::other("the disk is gone")),
                false => self.0.read(buffer),
            }
        }
    }
    for length in [0, 5, 8, 10] {
        let file = labels(&[0; 3]);
        let input = io::BufReader::new(Failing(&file[..length]));
        let fault = read(input, LABEL, 3).unwrap_err();
        let message = format!("byte {length}: it cannot be read further: the disk is gone");
        assert_eq!(fault.to_string(), message);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        pixels in prop::collection::vec(any::<u8>(), 0..40),
        classes in prop::collection::vec(0_u8..10, 0..40),
    ) {
        let count = pixels.len() / 6;
        let pixels = &pixels[..6 * count];
        for file in [images(pixels), gzip(&images(pixels))] {
            let found = read(&file[..], IMAGE, count as u32).unwrap();
            prop_assert_eq!(&found, pixels);
        }
        for file in [labels(&classes), gzip(&labels(&classes))] {
            let found = read(&file[..], LABEL, classes.len() as u32).unwrap();
            prop_assert_eq!(&found, &classes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, count in 0_u32..4, compressed: bool) {
        let start = if compressed { &GZIP[..] } else { &[] };
        let bytes = [start, &bytes].concat();
        for content in [IMAGE, LABEL] {
            if let Ok(found) = read(&bytes[..], content, count) {
                prop_assert_eq!(found.len() as u32, count * if content.name() == "images" { 6 } else { 1 });
            }
        }
    }

    #[test]
    fn a_changed_file_is_refused_unless_a_value_changed(
        at in 0_usize..28,
        value: u8,
        length in 0_usize..40,
    ) {
        let file = images(&[7; 12]);
        let mut changed = file.clone();
        changed[at] = value;
        let found = read(&changed[..], IMAGE, 2);
        prop_assert_eq!(found.is_ok(), at >= 16 || changed == file);
        changed.resize(length, value);
        prop_assert!(length == 28 || read(&changed[..], IMAGE, 2).is_err());
    }

    #[test]
    fn a_changed_compressed_file_never_gives_other_values(at: usize, by in 1_u8..) {
        let file = gzip(&labels(&[1, 2, 3, 4, 5, 6, 7, 8]));
        let mut changed = file.clone();
        changed[at % file.len()] ^= by;
        if let Ok(found) = read(&changed[..], LABEL, 8) {
            // A changed time or name in its header.
            prop_assert_eq!(found, [1, 2, 3, 4, 5, 6, 7, 8]);
        }
    }
}
