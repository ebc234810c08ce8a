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
use tempfile::TempDir;
use xsam_data::fetch::{Failure, Fetch, FetchError, Manifest, Progress, Retry, Stage, Timeouts};

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

/// The TOML of a file.
pub fn file(name: &str, urls: &[String], bytes: &[u8], more: &str) -> String {
    let md5 = md5(bytes);
    format!("[[toy.files]]\nname = '{name}'\nurls = {urls:?}\nmd5 = '{md5}'\n{more}\n")
}

/// A manifest of one data set, `toy`.
pub fn toy(layout: &[&str], files: &[String]) -> Manifest {
    let files = files.concat();
    let head = "[toy]\ntitle = 'a toy'\npage = ''\nlicence = ''";
    Manifest::parse(&format!("{head}\nlayout = {layout:?}\n{files}")).unwrap()
}

/// A manifest of one file of up to 10 MB, `a.bin`.
pub fn one(urls: &[String], bytes: &[u8]) -> Manifest {
    toy(
        &["a.bin"],
        &[file("a.bin", urls, bytes, "at_most = 10_000_000")],
    )
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
    pub fn fetch<'a>(&self, manifest: &Manifest) -> Fetch<'a> {
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
        let fetch = Fetch::new("toy", &self.at("toy")).manifest(manifest.clone());
        fetch.retry(retry).timeouts(timeouts)
    }

    pub fn run(&self, manifest: &Manifest) -> Result<PathBuf, FetchError> {
        self.fetch(manifest)
            .run(&mut |_| {})
            .map(|()| self.at("toy"))
    }

    /// Fails, and leaves nothing that looks complete.
    #[track_caller]
    pub fn fails(&self, manifest: &Manifest, words: &[&str]) -> FetchError {
        let error = self.run(manifest).unwrap_err();
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
    pub fn finishes(&self, manifest: &Manifest, bytes: &[u8]) {
        let folder = self.run(manifest).unwrap();
        assert_eq!(folder, self.at("toy"));
        assert!(fs::read(folder.join("a.bin")).unwrap() == bytes);
        assert_eq!(self.names(), ["toy"]);
        let verified = self.fetch(manifest).verify(&mut |_| {}).unwrap();
        assert_eq!((verified.files, verified.bytes), (1, bytes.len() as u64));
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

/// The failures of the sources in an error.
#[track_caller]
pub fn failures(error: FetchError) -> Vec<Failure> {
    match error {
        FetchError::Sources { failures, .. } => {
            failures.into_iter().map(|source| source.failure).collect()
        }
        other => panic!("{other}"),
    }
}

/// Notes every wait.
pub fn waits(progress: Progress<'_>, into: &mut Vec<Duration>) {
    if let Stage::Waiting { delay, .. } = progress.stage {
        into.push(delay);
    }
}
