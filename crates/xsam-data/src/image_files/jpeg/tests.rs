#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

use super::*;

fn check(bytes: &[u8]) -> Result<(), String> {
    Jpeg::open(bytes).unwrap().check()
}

/// Pictures by Pillow, as their names say.
fn pictures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/jpeg");
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| (path.display().to_string(), fs::read(path).unwrap());
    let pictures: Vec<_> = paths.map(read).collect();
    assert_eq!(pictures.len(), 7);
    pictures
}

/// Where the data of the scans are.
fn scans(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut jpeg = Jpeg::open(bytes).unwrap();
    let mut scans = Vec::new();
    loop {
        let start = jpeg.at;
        jpeg.read_scan().unwrap();
        scans.push(start..jpeg.at);
        if !jpeg.next_scan() {
            return scans;
        }
    }
}

const END: &[u8] = &[0xFF, END_OF_IMAGE];

#[test]
fn whole_pictures_of_every_kind_are_accepted() {
    for (name, bytes) in pictures() {
        assert_eq!(check(&bytes), Ok(()), "{name}");
        let followed = [&bytes, &b"more \xff\xd8\xff"[..]].concat();
        assert_eq!(check(&followed), Ok(()), "{name}");
        let filled = [&bytes[..bytes.len() - 2], &[0xFF; 3], END].concat();
        assert_eq!(check(&filled), Ok(()), "{name}");
        let progressive = name.contains("progressive");
        assert_eq!(scans(&bytes).len() > 4, progressive, "{name}");
    }
}

#[test]
fn a_scan_that_ends_early_is_refused_wherever_it_ends() {
    for (name, bytes) in pictures() {
        for scan in scans(&bytes) {
            // The last byte may be padding and no more, and what is before it may have been all.
            for cut in scan.start..scan.end - 1 {
                let ended = [&bytes[..cut], END].concat();
                let error = check(&ended).unwrap_err();
                assert!(
                    error.contains("ends early, in block"),
                    "{name} {cut}: {error}"
                );
                let skipped = [&bytes[..cut], &bytes[scan.end..]].concat();
                check(&skipped).unwrap_err();
            }
        }
        let open = [&bytes[..bytes.len() - 2], &END[..1]].concat();
        assert_eq!(check(&open).unwrap_err(), "the end is missing", "{name}");
    }
}

/// Writes bits, and after each byte of ones the zero that must follow it.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    bits: Vec<bool>,
}

impl Writer {
    fn bits(&mut self, bits: &str) {
        self.bits.extend(bits.bytes().map(|bit| bit == b'1'));
    }

    /// The bits, filled up with ones.
    fn flush(&mut self) {
        for bits in std::mem::take(&mut self.bits).chunks(8) {
            let bit = |at: usize| u8::from(*bits.get(at).unwrap_or(&true));
            let byte = (0..8).fold(0, |byte, at| byte << 1 | bit(at));
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
    }

    fn segment(&mut self, kind: u8, body: &[u8]) {
        self.flush();
        self.bytes.extend([0xFF, kind]);
        self.bytes.extend((body.len() as u16 + 2).to_be_bytes());
        self.bytes.extend(body);
    }
}

/// The beginning of an image without any detail: of each block one bit says that its mean is that of the one before,
/// and one that nothing follows.
fn plain(kind: u8, [width, height]: [u16; 2], sampling: &[u8]) -> Writer {
    let mut writer = Writer::default();
    writer.bytes.extend([0xFF, START_OF_IMAGE]);
    writer.segment(0xDB, &[&[0][..], &[1; 64]].concat());
    let [h1, h0] = height.to_be_bytes();
    let [w1, w0] = width.to_be_bytes();
    let mut frame = vec![8, h1, h0, w1, w0, sampling.len() as u8];
    for (id, sampling) in (1..).zip(sampling) {
        frame.extend([id, *sampling, 0]);
    }
    writer.segment(kind, &frame);
    for class in [0, 0x10] {
        let mut counts = [0; 16];
        counts[0] = 1;
        writer.segment(HUFFMAN_TABLES, &[&[class][..], &counts, &[0]].concat());
    }
    writer
}

/// The header of a scan of some components, of a band and with bits of successive approximation.
fn scan(writer: &mut Writer, ids: &[u8], band: [u8; 2], bits: u8) {
    let mut body = vec![ids.len() as u8];
    for id in ids {
        body.extend([*id, 0]);
    }
    body.extend([band[0], band[1], bits]);
    writer.segment(START_OF_SCAN, &body);
}

fn ended(mut writer: Writer) -> Vec<u8> {
    writer.flush();
    writer.bytes.extend(END);
    writer.bytes
}

#[test]
fn as_many_blocks_are_asked_for_as_the_sizes_and_the_sampling_say() {
    // 33x17 pixels are 5x3 blocks; in units of 16x16 they are 3x2, of 16x8 3x3, of 8x16 5x2.
    for (sampling, ids, blocks) in [
        (&[0x11][..], &[1][..], 15),
        (&[0x22], &[1], 15),
        (&[0x11, 0x11, 0x11], &[1, 2, 3], 45),
        (&[0x22, 0x11, 0x11], &[1, 2, 3], 36),
        (&[0x21, 0x11, 0x11], &[1, 2, 3], 36),
        (&[0x12, 0x11, 0x11], &[1, 2, 3], 40),
        (&[0x11, 0x11, 0x11, 0x11], &[1, 2, 3, 4], 60),
    ] {
        let image = |blocks: usize| {
            let mut writer = plain(0xC0, [33, 17], sampling);
            scan(&mut writer, ids, [0, 63], 0);
            writer.bits(&"00".repeat(blocks));
            ended(writer)
        };
        check(&image(blocks)).unwrap();
        // Ones fill the last byte, and are no code here.
        let error = check(&image(blocks - 1)).unwrap_err();
        assert!(
            error.contains(&format!("in block {blocks} of {blocks}")),
            "{error}"
        );
    }
}

#[test]
fn colours_may_have_scans_of_their_own_and_none_may_be_missing() {
    let image = |blocks: &[usize]| {
        let mut writer = plain(0xC0, [33, 17], &[0x22, 0x11, 0x11]);
        for (id, blocks) in (1..).zip(blocks) {
            scan(&mut writer, &[id], [0, 63], 0);
            writer.bits(&"00".repeat(*blocks));
        }
        ended(writer)
    };
    // 5x3 of the first, and of those that are half as wide and high, 17x9 pixels, 3x2.
    check(&image(&[15, 6, 6])).unwrap();
    for blocks in [&[14, 6, 6][..], &[15, 5, 6], &[15, 6, 5]] {
        check(&image(blocks)).unwrap_err();
    }
    assert_eq!(check(&image(&[15, 6])).unwrap_err(), "a colour is missing");
}

#[test]
fn restart_markers_are_where_the_interval_says_and_not_after_the_last() {
    let image = |parts: &[usize]| {
        let mut writer = plain(0xC0, [40, 8], &[0x11]);
        writer.segment(RESTART_INTERVAL, &[0, 2]);
        scan(&mut writer, &[1], [0, 63], 0);
        for (number, blocks) in parts.iter().enumerate() {
            if number > 0 {
                writer.bytes.extend([0xFF, 0xD0 + number as u8 - 1]);
            }
            writer.bits(&"00".repeat(*blocks));
            writer.flush();
        }
        ended(writer)
    };
    check(&image(&[2, 2, 1])).unwrap();
    check(&image(&[2, 2, 1, 0])).unwrap();
    for parts in [&[2, 1, 1][..], &[2, 2], &[2, 2, 0], &[5]] {
        check(&image(parts)).unwrap_err();
    }
}

#[test]
fn runs_of_blocks_without_detail_are_counted_in_a_progressive_image() {
    let image = |run: &str| {
        let mut writer = plain(0xC2, [24, 8], &[0x11]);
        scan(&mut writer, &[1], [0, 0], 0);
        writer.bits("000");
        // A table with one code: the end of the band in this block and up to three more.
        let mut counts = [0; 16];
        counts[0] = 1;
        writer.segment(HUFFMAN_TABLES, &[&[0x10][..], &counts, &[0x10]].concat());
        scan(&mut writer, &[1], [1, 63], 0);
        writer.bits(run);
        ended(writer)
    };
    // Two blocks and two more, of which one is beyond the image; three.
    check(&image("0000")).unwrap();
    check(&image("01")).unwrap();
    check(&image("00")).unwrap_err();
    // Means alone are an image, if a poor one; without them it is none.
    let mut writer = plain(0xC2, [24, 8], &[0x11]);
    scan(&mut writer, &[1], [1, 63], 0);
    writer.bits("000");
    assert_eq!(check(&ended(writer)).unwrap_err(), "a colour is missing");
}

#[test]
fn scans_without_end_are_refused() {
    let mut writer = plain(0xC2, [8, 8], &[0x11]);
    for _ in 0..=SCANS {
        scan(&mut writer, &[1], [0, 0], 0);
        writer.bits("0");
    }
    assert_eq!(
        check(&ended(writer)).unwrap_err(),
        "it has more than 100 scans"
    );
}

#[test]
fn bits_that_are_no_code_are_damage_and_odd_bytes_do_no_harm() {
    let mut writer = plain(0xC0, [64, 64], &[0x11]);
    scan(&mut writer, &[1], [0, 63], 0);
    writer.bits(&"1".repeat(64));
    let error = check(&ended(writer)).unwrap_err();
    assert_eq!(error, "scan 1 is damaged in block 1 of 64");
    for (_, bytes) in pictures() {
        for at in 0..bytes.len() {
            for byte in [0, 0x7F, 0xFF] {
                let mut other = bytes.clone();
                other[at] = byte;
                let _ = Jpeg::open(&other).map(Jpeg::check);
            }
            let _ = Jpeg::open(&bytes[at..]).map(Jpeg::check);
        }
    }
}
