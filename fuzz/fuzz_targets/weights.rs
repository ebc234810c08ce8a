#![no_main]
//! Files of weights: as they are, or a pickle and values in an archive whose checksums are right. What was read is loaded
//! into a model, written, and read again.

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use xsam_fuzz::{Limits, Tiny, choice, folder, within, write};
use xsam_weights::{load_weights, read_weights, write_weights};
use zip::CompressionMethod::{Deflated, Stored};
use zip::write::SimpleFileOptions;

/// Parts of an input, each behind its length in two bytes; the last is what is left.
fn parts<const N: usize>(mut bytes: &[u8]) -> [&[u8]; N] {
    std::array::from_fn(|number| {
        let Some((length, rest)) = bytes.split_first_chunk().filter(|_| number + 1 < N) else {
            return std::mem::take(&mut bytes);
        };
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (part, rest) = rest.split_at(length);
        bytes = rest;
        part
    })
}

/// An archive as `torch.save` writes it.
fn zip([pickle, values]: [&[u8]; 2], packed: bool) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let method = if packed { Deflated } else { Stored };
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in [
        ("archive/data.pkl", pickle),
        ("archive/byteorder", b"little"),
        ("archive/data/0", values),
        ("archive/data/1", values),
        ("archive/version", b"3\n"),
    ] {
        archive.start_file(name, options).expect("memory takes it");
        archive.write_all(content).expect("memory takes it");
    }
    archive.finish().expect("memory takes it").into_inner()
}

/// An archive as PyTorch wrote before 0.1.10.
fn tar([storages, tensors, pickle]: [&[u8]; 3]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in [
        ("sys_info", &b"\x80\x02}."[..]),
        ("storages", storages),
        ("tensors", tensors),
        ("pickle", pickle),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, content)
            .expect("memory takes it");
    }
    archive.into_inner().expect("memory takes it")
}

/// A pickle may have a quarter of a million objects, whatever its length, and a million of them as copies of one another.
const LIMITS: Limits = Limits {
    bytes: 256 << 20,
    ..Limits::READING
};

fuzz_target!(|data: &[u8]| within(&LIMITS, data, |data| {
    let (choice, bytes) = choice(data);
    let (name, bytes) = match choice % 5 {
        0 => ("a.safetensors", bytes.to_vec()),
        1 => ("a.pt", bytes.to_vec()),
        2 => ("a.pt", zip(parts(bytes), false)),
        3 => ("a.pt", zip(parts(bytes), true)),
        _ => ("a.pt", tar(parts(bytes))),
    };
    let Ok(weights) = read_weights(&write(name, &bytes)) else {
        return;
    };
    let model = Tiny::default();
    let _ = weights.unwrapped(&model);
    match load_weights(model, &weights) {
        Err(error) => drop(error.to_string()),
        Ok(model) => {
            let path = folder().join("again.safetensors");
            write_weights(&model, &path).expect("what was loaded can be written");
            let again = read_weights(&path).expect("what was written can be read");
            load_weights(Tiny::default(), &again).expect("what was written can be loaded");
        }
    }
}));
