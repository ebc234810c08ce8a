//! No file takes many times its own size in memory.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

/// More objects than a file of them may hold.
const MANY: usize = 1 << 20;

fn reason(name: &str, content: &[u8]) -> String {
    let (_folder, path) = file(name, content);
    match read_weights(&path).unwrap_err() {
        WeightsError::Damaged { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

/// `operation` so often that there are `MANY` of it.
fn pickle(operation: &[u8]) -> Vec<u8> {
    [b"\x80\x04", operation.repeat(MANY).as_slice(), b"."].concat()
}

fn zip(name: &str, content: &[u8], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    archive.start_file("archive/data.pkl", options).unwrap();
    archive.write_all(b"\x80\x02}.").unwrap();
    archive.start_file(name, options).unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap().into_inner()
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

#[test]
fn a_pickle_of_very_many_objects_is_refused_before_they_are_made() {
    let operations: [&[u8]; 16] = [
        b"}", b"]", b")", b"\x8f", b"N", b"\x88", b"(", b"K\x07", b"U\0", b"\x8c\0", b"N\x85",
        b"N\x94", b"}q\0", b"cm\nn\n", b"]\x94", b"I7\n",
    ];
    for operation in operations {
        let text = reason("model.pt", &pickle(operation));
        assert!(text.contains("far more objects"), "{operation:?}: {text}");
    }
}

#[test]
fn no_container_hides_a_pickle_of_very_many_objects() {
    let many = pickle(b"}");
    // A mark and a version come first, as in a file of an early release.
    let mark = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let version = b"\x80\x02M\xe9\x03.";
    let machine = b"\x80\x02}X\x0d\0\0\0little_endian\x88s.";
    let legacy = [&mark[..], version, machine, &many].concat();
    let stored = zip("x/data.pkl", &many, CompressionMethod::Stored);
    let one = b"\x80\x02K\x01.";
    let float = b"\x80\x02K\x07X\x03\0\0\0cpuctorch\nFloatStorage\n\x87.";
    let storages = [&one[..], float, &1u64.to_le_bytes(), &[0; 4], &many].concat();
    let tensors = [
        &one[..],
        b"\x80\x02K\x07K\x07N\x87.",
        &1u64.to_le_bytes(),
        &[0; 3 * 8],
        &many,
    ]
    .concat();
    for (name, content) in [
        ("early", legacy),
        ("zip", stored),
        ("tar", tar(&[("sys_info", machine), ("./pickle", &many)])),
        ("tar", tar(&[("storages", &storages)])),
        ("tar", tar(&[("storages", one), ("tensors", &tensors)])),
    ] {
        let reason = reason(name, &content);
        assert!(reason.contains("far more objects"), "{name}: {reason}");
    }
}

#[test]
fn an_archive_that_unpacks_to_many_times_its_size_is_refused() {
    let zeros = vec![0; 32 << 20];
    let pickle = pickle(b"}").repeat(32);
    for (name, content) in [
        ("archive/data/0", zeros.as_slice()),
        ("x/data.pkl", &pickle),
    ] {
        let packed = zip(name, content, CompressionMethod::Deflated);
        assert!(packed.len() < content.len() / 100);
        let reason = reason("model.pt", &packed);
        assert!(reason.contains("unpacks"), "{name}: {reason}");
    }
}

#[test]
fn numbers_beside_the_weights_do_no_harm() {
    // As many as a small model's file may have: a list of losses.
    let mut list = b"\x80\x02}(U\x06losses](".to_vec();
    list.extend(b"G\x3f\xf0\0\0\0\0\0\0".repeat(200_000));
    list.extend(b"eu.");
    assert_eq!(reason("model.pt", &list), "it holds no tensors");
}

#[test]
fn a_header_that_claims_much_is_refused() {
    let header = |length: u64, json: &str| [&length.to_le_bytes()[..], json.as_bytes()].concat();
    let one = |shape: &str, end: u64| {
        let json = format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
        header(json.len() as u64, &json)
    };
    for content in [
        header(1 << 55, "{}"),
        header(99_000_000, "{}"),
        one("[1099511627776]", 1 << 42),
        one("[4294967296,4294967296]", 0),
        one("[1]", u64::MAX),
    ] {
        let (_folder, path) = file("model.safetensors", &content);
        let error = read_weights(&path).unwrap_err();
        assert!(matches!(error, WeightsError::Damaged { .. }), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn what_has_no_end_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.safetensors", "model.pt"] {
        let path = folder.path().join(name);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let error = read_weights(&path).unwrap_err().to_string();
        let told = error.contains(name) && error.ends_with("not a regular file");
        assert!(told, "{error}");
    }
    assert!(read_weights(folder.path()).is_err());
}
