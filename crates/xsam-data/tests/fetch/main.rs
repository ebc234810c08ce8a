//! Fetching from a real server on the loopback address: whatever the server does, nothing looks
//! complete before it is, and the next fetch finishes.
#![allow(missing_docs, clippy::unwrap_used)]

mod archives;
mod folders;
mod http;
mod server;
mod stops;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use md5::{Digest, Md5};
use server::{Server, whole};
use tempfile::TempDir;
use xsam_data::fetch::{Fetch, FetchError, Progress, RemoteFile, Retry, Stage, Timeouts, Unpack};

pub fn md5(bytes: &[u8]) -> String {
    let sum = Md5::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes without a pattern.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

pub type Files = &'static [RemoteFile<'static>];

/// A file at these URLs, up to a limit of bytes. Tests may leak.
pub fn file(
    name: &str,
    urls: &[String],
    bytes: &[u8],
    at_most: u64,
    unpack: Option<Unpack<'static>>,
) -> RemoteFile<'static> {
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let base = |url: &String| leak(url.rsplit_once('/').unwrap().0);
    RemoteFile {
        name: leak(name),
        bases: urls.iter().map(base).collect::<Vec<_>>().leak(),
        at_most,
        md5: leak(&md5(bytes)),
        unpack,
    }
}

/// One file of up to 10 MB, `a.bin`.
pub fn one(urls: &[String], bytes: &[u8]) -> Files {
    vec![file("a.bin", urls, bytes, 10_000_000, None)].leak()
}

/// A data set of one file, a server of it, and a place to fetch it into.
pub struct Toy {
    pub bytes: Vec<u8>,
    pub server: Server,
    pub files: Files,
    pub place: Place,
}

impl Toy {
    /// A file of some bytes from a server that always sends all of it.
    pub fn sound(len: usize) -> Self {
        Self::with(len, |bytes| Server::script(vec![whole(bytes)]))
    }

    pub fn with(len: usize, server: impl FnOnce(&[u8]) -> Server) -> Self {
        let bytes = noise(len);
        let server = server(&bytes);
        Self {
            files: one(&[server.url("a.bin")], &bytes),
            bytes,
            server,
            place: Place::empty(),
        }
    }

    #[track_caller]
    pub fn finishes(&self) {
        self.place.finishes(self.files, &self.bytes);
    }
}

/// A place to fetch `toy` into.
pub struct Place(pub TempDir);

impl Place {
    pub fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A fetch that loses no time.
    pub fn fetch<'a>(&self, files: Files) -> Fetch<'a> {
        let retry = Retry {
            attempts: 4,
            first: Duration::from_millis(1),
            longest: Duration::from_millis(2),
            longest_asked: Duration::from_millis(30),
        };
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(10),
        };
        Fetch {
            retry,
            timeouts,
            ..Fetch::of(files, &self.at("toy"))
        }
    }

    pub fn run(&self, files: Files) -> Result<PathBuf, FetchError> {
        self.fetch(files).run(&mut |_| {}).map(|()| self.at("toy"))
    }

    /// Fails, and leaves nothing that looks complete.
    #[track_caller]
    pub fn fails(&self, files: Files, words: &[&str]) -> FetchError {
        let error = self.run(files).unwrap_err();
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        self.assert_nothing();
        error
    }

    #[track_caller]
    pub fn assert_nothing(&self) {
        assert!(!self.at("toy").exists());
        assert_eq!(self.names(), ["toy.part"]);
    }

    /// Finishes, and leaves nothing else.
    #[track_caller]
    pub fn finishes(&self, files: Files, bytes: &[u8]) {
        let folder = self.run(files).unwrap();
        assert_eq!(folder, self.at("toy"));
        assert!(fs::read(folder.join("a.bin")).unwrap() == bytes);
        assert_eq!(self.names(), ["toy"]);
        let verified = self.fetch(files).verify(&mut |_| {}).unwrap();
        assert_eq!((verified.files, verified.bytes), (1, bytes.len() as u64));
    }

    /// In what the folder differs from what was fetched.
    #[track_caller]
    pub fn differences(&self, files: Files) -> Vec<String> {
        match self.fetch(files).verify(&mut |_| {}) {
            Err(FetchError::Damaged { differences, .. }) => differences,
            other => panic!("{other:?}"),
        }
    }

    pub fn names(&self) -> Vec<String> {
        names(self.0.path())
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What was wrong with the only source, without its URL.
#[track_caller]
pub fn failure(error: FetchError) -> String {
    match error {
        FetchError::Sources { failures, .. } if failures.len() == 1 => {
            let (_, reason) = failures[0].split_once(": ").unwrap();
            reason.to_owned()
        }
        other => panic!("{other}"),
    }
}

/// Notes why and how long it is waited.
pub fn waits(progress: Progress<'_>, into: &mut Vec<(String, Duration)>) {
    if let Stage::Waiting { reason, delay } = progress.stage {
        into.push((reason, delay));
    }
}
