#![no_main]
//! Archives, none of whose entries may lie outside the folder.

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use xsam_data::fuzzing;
use xsam_fuzz::{Limits, choice, folder, within, write};

/// Nothing but files and folders.
fn check(folder: &Path) {
    for entry in fs::read_dir(folder).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let kind = entry.file_type().expect("it has a type");
        assert!(
            kind.is_file() || kind.is_dir(),
            "{}",
            entry.path().display()
        );
        if kind.is_dir() {
            check(&entry.path());
        }
    }
}

fuzz_target!(|data: &[u8]| within(&Limits::READING, data, |data| {
    let (choice, bytes) = choice(data);
    let archive = write("archive", bytes);
    let into = folder().join("into");
    let _ = fs::remove_dir_all(&into);
    fs::create_dir(&into).expect("there is room");
    fuzzing::unpack(&archive, ["a.tar.gz", "a.zip"][choice % 2], &into);
    check(&into);
    let beside = fs::read_dir(folder()).expect("it can be read").count();
    assert_eq!(beside, 2, "something is beside the folder");
}));
