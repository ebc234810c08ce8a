//! Archives, sound and hostile.

use std::fs;
use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::{Compression, write::GzEncoder};
use tar::{EntryType, Header};
use xsam_data::fetch::{FetchError, Stage, Unpack};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::server::{Server, whole};
use crate::{Files, Place, file, md5, names, noise};

const RULE: Unpack<'_> = Unpack {
    folder: "top",
    holds: &["a/b.bin"],
    at_most_bytes: 200_000,
    at_most_entries: 20,
};

fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    // The crate's own setter refuses what these tests need.
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// A compressed tar archive of entries of any kind.
fn tar_gz(entries: &[(&[u8], EntryType, &[u8])]) -> Vec<u8> {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (name, kind, data) in entries {
        let header = header(name, *kind, data.len() as u64);
        archive.append(&header, *data).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in entries {
        let options = SimpleFileOptions::default();
        if name.ends_with('/') {
            archive.add_directory(*name, options).unwrap();
        } else {
            archive.start_file(*name, options).unwrap();
            archive.write_all(data).unwrap();
        }
    }
    archive.finish().unwrap().into_inner()
}

/// A server of one archive, and how it is unpacked.
fn served(name: &str, archive: &[u8]) -> (Server, Files) {
    let server = Server::script(vec![whole(archive)]);
    let file = file(name, &[server.url(name)], archive, 10_000_000, Some(RULE));
    (server, vec![file].leak())
}

/// Refused for `reason`, and nothing was written anywhere but in the staging folder.
#[track_caller]
fn refused(name: &str, archive: &[u8], reason: &str) {
    let (_server, files) = served(name, archive);
    let place = Place::empty();
    place.fails(files, &[name, "was not unpacked", reason]);
    let inside = names(&place.at("toy.part"));
    assert_eq!(inside, ["tree", name], "only what belongs there");
    // Nor does another attempt do better, or worse.
    place.fails(files, &[reason]);
}

#[test]
fn archives_are_unpacked_into_the_folder_and_removed() {
    let (big, small) = (noise(150_000), noise(10));
    let tar = tar_gz(&[
        (b"./top/", EntryType::Directory, b""),
        (b"./top/a/", EntryType::Directory, b""),
        (b"./top/a/b.bin", EntryType::Regular, &big),
        (b"top/c", EntryType::Regular, &small),
    ]);
    let zip = zip(&[("top/", b""), ("top/a/b.bin", &big), ("top/c", &small)]);
    for (name, archive) in [("x.tar.gz", &tar), ("x.tgz", &tar), ("x.zip", &zip)] {
        for keep in [false, true] {
            let (server, files) = served(name, archive);
            let place = Place::empty();
            let mut fetch = place.fetch(files);
            fetch.keep_archive = keep;
            fetch.run(&mut |_| {}).unwrap();
            let folder = place.at("toy");
            assert_eq!(names(&folder), [".complete", ".md5sums", "a", "c"]);
            assert!(fs::read(folder.join("a/b.bin")).unwrap() == big);
            assert!(fs::read(folder.join("c")).unwrap() == small);
            let sums = fs::read_to_string(folder.join(".md5sums")).unwrap();
            let expected = format!("{}  a/b.bin\n{}  c\n", md5(&big), md5(&small));
            assert_eq!(sums, expected);
            let kept = place.at(name);
            assert_eq!(kept.exists() && fs::read(kept).unwrap() == *archive, keep);
            assert!(!place.at("toy.part").exists());

            place.run(files).unwrap();
            assert_eq!(server.count(), 1);
            let verified = fetch.verify(&mut |_| {}).unwrap();
            assert_eq!((verified.files, verified.bytes), (2, 150_010));
            fs::write(folder.join("c"), "").unwrap();
            let error = fetch.verify(&mut |_| {}).unwrap_err().to_string();
            assert!(error.contains("c differs"), "{error}");
        }
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for (name, reason) in [
        ("../evil", "leads out"),
        ("top/../../evil", "leads out"),
        ("top/a/../../../evil", "leads out"),
        ("/evil", "not a path inside"),
        ("//top/evil", "not a path inside"),
        ("evil", "is not in top"),
        ("topper/evil", "is not in top"),
        ("top\\..\\..\\evil", "characters"),
        ("top/c:evil", "characters"),
        ("top/new\nline", "characters"),
        ("top/.complete", "a name of our own"),
        ("top/.COMPLETE/x", "a name of our own"),
        ("top/.md5sums", "a name of our own"),
    ] {
        let fine = b"top/a/b.bin";
        let tar = tar_gz(&[
            (fine, EntryType::Regular, b"fine"),
            (name.as_bytes(), EntryType::Regular, b"evil"),
        ]);
        refused("x.tar.gz", &tar, reason);
        let zip = zip(&[("top/a/b.bin", b"fine"), (name, b"evil")]);
        refused("x.zip", &zip, reason);
    }
    for (name, reason) in [(&b"top/\xff"[..], "not UTF-8"), (b"top", "no folder")] {
        let tar = tar_gz(&[(name, EntryType::Regular, b"evil")]);
        refused("x.tar.gz", &tar, reason);
    }
}

#[test]
fn entries_other_than_files_and_folders_are_refused() {
    for (kind, reason) in [
        (EntryType::Symlink, "a link"),
        (EntryType::Link, "a link"),
        (EntryType::Char, "neither a file nor a folder"),
        (EntryType::Block, "neither a file nor a folder"),
        (EntryType::Fifo, "neither a file nor a folder"),
        (EntryType::GNUSparse, "neither a file nor a folder"),
    ] {
        let mut header = header(b"top/evil", kind, 0);
        header.set_link_name("/etc").unwrap();
        header.as_gnu_mut().unwrap().set_real_size(0);
        header.set_cksum();
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let mut archive = tar::Builder::new(encoder);
        archive.append(&header, &b""[..]).unwrap();
        // Through the link, had it been made.
        let inside = self::header(b"top/evil/passwd", EntryType::Regular, 4);
        archive.append(&inside, &b"evil"[..]).unwrap();
        let archive = archive.into_inner().unwrap().finish().unwrap();
        refused("x.tar.gz", &archive, reason);
    }
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive
        .add_symlink("top/evil", "/etc", SimpleFileOptions::default())
        .unwrap();
    refused("x.zip", &archive.finish().unwrap().into_inner(), "a link");
}

#[test]
fn names_that_collide_are_refused() {
    let file = EntryType::Regular;
    for (first, second, reason) in [
        (&b"top/a"[..], &b"top/./a"[..], "in it twice"),
        (b"top/a", b"top/a/b", "a file and a folder"),
        (b"top/a/b", b"top/a", "in it twice"),
    ] {
        let tar = tar_gz(&[(first, file, b"1"), (second, file, b"2")]);
        refused("x.tar.gz", &tar, reason);
    }
}

#[test]
fn bombs_stop_early() {
    let zeros = vec![0; 5_000_000];
    let (file, folder) = (EntryType::Regular, EntryType::Directory);
    let bytes = "more than 200000 bytes";
    assert!(tar_gz(&[(b"top/a/b.bin", file, &zeros)]).len() < 50_000);
    refused("x.zip", &zip(&[("top/a/b.bin", &zeros)]), bytes);
    let some = &zeros[..150_000];
    let (long, it_may) = (EntryType::GNULongName, "more than it may");
    for (entries, reason) in [
        (&[(&b"top/a/b.bin"[..], file, &zeros[..])][..], bytes),
        // Each within the limit, all of them not.
        (
            &[(b"top/a/b.bin", file, some), (b"top/c", file, some)],
            bytes,
        ),
        // A name of five megabytes, and one that is within the limit of the bytes: it has no place in a file,
        // and would be kept in memory.
        (&[(b"long", long, &zeros), (b"top/c", file, b"")], it_may),
        (&[(b"long", long, some), (b"top/c", file, b"")], it_may),
        // Nor has a folder data of its own.
        (&[(b"top/", folder, some), (b"top/c", file, b"")], it_may),
    ] {
        refused("x.tar.gz", &tar_gz(entries), reason);
    }

    let entries = "more than 20 files and folders";
    let many: Vec<String> = (0..21).map(|i| format!("top/{i}/")).collect();
    let folders: Vec<(&str, &[u8])> = many.iter().map(|name| (&name[..], &b""[..])).collect();
    refused("x.zip", &zip(&folders), entries);
    let folders = many.iter().map(|name| (name.as_bytes(), folder, &b""[..]));
    refused("x.tar.gz", &tar_gz(&folders.collect::<Vec<_>>()), entries);
    // An archive has no more comments than entries.
    let comments = vec![(&b"top/c"[..], EntryType::XGlobalHeader, &b""[..]); 21];
    refused("x.tar.gz", &tar_gz(&comments), entries);
}

#[test]
fn folders_without_end_inside_one_another_are_refused() {
    let name = |folders: usize| format!("top/{}b", "a/".repeat(folders));
    let (fine, deep) = (name(10), name(40));
    let tar = tar_gz(&[
        (b"top/a/b.bin", EntryType::Regular, b""),
        (fine.as_bytes(), EntryType::Regular, b""),
    ]);
    let (_server, files) = served("x.tar.gz", &tar);
    Place::empty().run(files).unwrap();
    let tar = tar_gz(&[(deep.as_bytes(), EntryType::Regular, b"")]);
    refused("x.tar.gz", &tar, "is in too many folders");
    refused("x.zip", &zip(&[(&deep, b"")]), "is in too many folders");
}

#[test]
fn an_archive_of_empty_members_is_refused() {
    let tar = tar_gz(&[(b"top/a/b.bin", EntryType::Regular, b"")]);
    let empty = GzEncoder::new(Vec::new(), Compression::fast());
    let empty = empty.finish().unwrap();
    let archive = [empty.repeat(10), tar.clone()].concat();
    let (_server, files) = served("x.tar.gz", &archive);
    Place::empty().run(files).unwrap();
    let archive = [empty.repeat(100_000), tar].concat();
    refused("x.tar.gz", &archive, "more than 65536 members of gzip");
}

#[test]
fn damaged_archives_and_those_of_something_else_are_refused() {
    let data = noise(50_000);
    let tar = tar_gz(&[(b"top/a/b.bin", EntryType::Regular, &data)]);
    let zip = zip(&[("top/a/b.bin", &data)]);
    for cut in [5, 100, tar.len() / 2] {
        refused("x.tar.gz", &tar[..cut], "it is damaged");
        refused("x.zip", &zip[..cut], "it is damaged");
    }
    refused("x.tar.gz", &data, "it is damaged");
    let mut flipped = zip.clone();
    flipped[20_000] ^= 1;
    refused("x.zip", &flipped, "it is damaged");

    let other = tar_gz(&[(b"top/c", EntryType::Regular, b"")]);
    let (_server, files) = served("x.tar.gz", &other);
    Place::empty().fails(files, &["there is no a/b.bin in it"]);
}

#[test]
fn unpacking_stopped_anywhere_leaves_nothing_that_looks_complete() {
    let data = noise(150_000);
    let archive = zip(&[("top/a/b.bin", &data), ("top/c", &data[..9])]);
    let (server, files) = served("x.zip", &archive);
    let place = Place::empty();
    let mut stops = 0;
    for at in [1, 65_536, 65_537, 131_072, 150_000, 150_001] {
        let flag = AtomicBool::new(false);
        let mut fetch = place.fetch(files);
        fetch.cancel = Some(&flag);
        let stopped = fetch.run(&mut |progress| {
            if progress.stage == Stage::Unpacking && progress.bytes >= at {
                flag.store(true, Ordering::Relaxed);
            }
        });
        assert!(
            matches!(stopped, Err(FetchError::Cancelled)),
            "{at}: {stopped:?}"
        );
        place.assert_nothing();
        stops += 1;
    }
    assert_eq!(stops, 6);
    let folder = place.run(files).unwrap();
    assert!(fs::read(folder.join("a/b.bin")).unwrap() == data);
    assert_eq!(server.count(), 1, "the archive was there");
}
