#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::files::Position;

const ONE: &[(&str, u8)] = &[("label", 10)];
const TWO: &[(&str, u8)] = &[("coarse label", 20), ("fine label", 100)];

/// Records whose label bytes are given, and whose pixels count up from the first of them.
fn records(labels: &[&[u8]]) -> Vec<u8> {
    let record = |labels: &&[u8]| {
        let pixels = (0..PIXELS).map(|at| labels[0].wrapping_add(at as u8));
        labels.iter().copied().chain(pixels).collect::<Vec<u8>>()
    };
    labels.iter().flat_map(record).collect()
}

fn parse(bytes: &[u8], labels: &[(&str, u8)], count: usize) -> Result<Records, Fault> {
    let mut found = Records::default();
    found.parse(bytes, labels, count).map(|()| found)
}

#[track_caller]
fn assert_refused(bytes: &[u8], labels: &[(&str, u8)], message: &str) {
    let fault = parse(bytes, labels, 3).unwrap_err();
    assert_eq!(fault.to_string(), message);
}

#[test]
fn the_last_label_byte_is_the_label_and_pixels_are_as_written() {
    let found = parse(&records(&[&[9], &[0], &[3]]), ONE, 3).unwrap();
    assert_eq!(found.labels, [9, 0, 3]);
    assert_eq!(found.pixels.len(), 3 * PIXELS);
    assert_eq!(found.pixels[..3], [9, 10, 11]);
    assert_eq!(found.pixels[2 * PIXELS..][..3], [3, 4, 5]);

    let found = parse(&records(&[&[19, 99], &[0, 7], &[4, 0]]), TWO, 3).unwrap();
    assert_eq!(found.labels, [99, 7, 0]);
    assert_eq!(found.pixels[PIXELS..][..3], [0, 1, 2]);
}

#[test]
fn records_of_another_file_are_added() {
    let mut found = parse(&records(&[&[1]]), ONE, 1).unwrap();
    found.parse(&records(&[&[2], &[3]]), ONE, 2).unwrap();
    assert_eq!(found, parse(&records(&[&[1], &[2], &[3]]), ONE, 3).unwrap());
}

#[test]
fn a_file_of_another_length_is_refused() {
    let whole = records(&[&[1], &[2], &[3]]);
    for (length, record) in [(0, 1), (1, 1), (3072, 1), (3073, 2), (9218, 3)] {
        let message =
            format!("byte {length}: the file ends in record {record} of 3, which are 9219 bytes");
        assert_refused(&whole[..length], ONE, &message);
    }
    let longer = [&whole[..], &[0]].concat();
    let message = "byte 9219: the file goes on after the last of 3 records";
    assert_refused(&longer, ONE, message);
    // One version's file in place of the other's.
    let message = "byte 9219: the file ends in record 3 of 3, which are 9222 bytes";
    assert_refused(&whole, TWO, message);
}

#[test]
fn a_label_that_is_none_is_refused() {
    let bytes = records(&[&[1], &[10], &[3]]);
    let message = "byte 3073: the label of record 2 is 10, above 9";
    assert_refused(&bytes, ONE, message);
    let bytes = records(&[&[19, 99], &[0, 1], &[20, 100]]);
    let message = "byte 6148: the coarse label of record 3 is 20, above 19";
    assert_refused(&bytes, TWO, message);
    let bytes = records(&[&[19, 99], &[0, 100], &[1, 1]]);
    let message = "byte 3075: the fine label of record 2 is 100, above 99";
    assert_refused(&bytes, TWO, message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        written in prop::collection::vec((0_u8..20, 0_u8..100, any::<u8>()), 0..4),
    ) {
        let mut bytes = Vec::new();
        for &(coarse, fine, pixel) in &written {
            bytes.extend([coarse, fine]);
            bytes.extend([pixel; PIXELS]);
        }
        let found = parse(&bytes, TWO, written.len()).unwrap();
        let labels = written.iter().map(|&(_, fine, _)| usize::from(fine));
        prop_assert!(labels.eq(found.labels.iter().copied()));
        let pixels = written.iter().flat_map(|&(_, _, pixel)| [pixel; PIXELS]);
        prop_assert!(pixels.eq(found.pixels.iter().copied()));
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..7000),
        count in 0_usize..4,
    ) {
        for labels in [ONE, TWO] {
            let size = labels.len() + PIXELS;
            let whole = bytes.len() == size * count;
            prop_assert!(whole || parse(&bytes, labels, count).is_err());
        }
    }

    #[test]
    fn a_changed_file_is_read_or_refused_where_it_was_changed(
        at in 0..3 * (PIXELS + 2),
        value: u8,
        length in 0..3 * (PIXELS + 2) + 9,
    ) {
        let whole = records(&[&[1, 2], &[3, 4], &[5, 6]]);
        let mut bytes = whole.clone();
        bytes[at] = value;
        match parse(&bytes, TWO, 3) {
            Ok(found) => prop_assert_eq!(found.labels.len(), 3),
            Err(fault) => prop_assert_eq!(fault.position, Position::Byte(at as u64)),
        }
        bytes.resize(length, value);
        let position = Position::Byte(length.min(whole.len()) as u64);
        if length != whole.len() {
            let fault = parse(&bytes, TWO, 3).unwrap_err();
            prop_assert_eq!(fault.position, position);
        }
    }
}
