//! Published data sets: downloaded, checked, unpacked.
//!
//! ```no_run
//! use std::path::Path;
//! use xsam_data::DatasetName;
//! use xsam_data::fetch::Fetch;
//!
//! Fetch::new(DatasetName::Cifar10, Path::new("data/cifar10"))?.run(&mut |progress| {
//!     eprintln!("{}: {} bytes", progress.file, progress.bytes);
//! })?;
//! # Ok::<(), xsam_data::fetch::FetchError>(())
//! ```
//!
//! A download goes on where it was interrupted, and a request that fails in passing is made again.
//! The folder of the data set gets its name when it is whole, so a fetch that was interrupted leaves
//! `cifar10.part`, never a `cifar10` with half of the files. What a fetch did not make, it neither
//! replaces nor removes.
//!
//! Downloaded files are flushed to the disk, and so is the mark of a whole folder; what is unpacked
//! is not, file by file, since that takes minutes for a hundred thousand. After a power cut within
//! seconds of a fetch, [`Fetch::verify`] tells whether everything is there.

mod checksum;
mod download;
mod error;
mod folder;
mod http;
mod names;
mod part;
mod progress;
mod remote;
mod retry;
mod staging;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub use error::FetchError;
pub use folder::{State, Verified};
pub use progress::{Progress, Stage};
pub use remote::{RemoteFile, Unpack};
pub use retry::{Retry, Timeouts};

use download::{Download, link};
use error::{Failure, io_error};
use folder::Sum;
use http::Client;
use progress::Watch;
use staging::Staging;

use crate::{DatasetName, Facts, Origin};

/// A fetch of one data set into a folder of its own.
#[derive(Clone, Debug)]
pub struct Fetch<'a> {
    /// What a fetch brings, and from where.
    pub files: &'a [RemoteFile<'a>],
    /// What becomes of them. It must not be there yet, or be empty. While they are fetched they are in
    /// `folder` with `.part` added, beside `folder`.
    pub folder: PathBuf,
    /// A URL under which every file is asked for first, by its published name.
    pub mirror: Option<String>,
    /// Whether archives are kept, beside the folder, once they are unpacked.
    pub keep_archive: bool,
    /// Stops soon after the flag is set. The next fetch goes on with what has arrived.
    pub cancel: Option<&'a AtomicBool>,
    /// When a failed request is made again; by default up to 6 attempts, 1 s to 30 s apart.
    pub retry: Retry,
    /// How long a request may take; by default 15 s to connect, 30 s without data.
    pub timeouts: Timeouts,
}

impl<'a> Fetch<'a> {
    /// The data set `name`, to become `folder`, from its published sources.
    ///
    /// # Errors
    ///
    /// [`FetchError::ByHand`] if it cannot be fetched.
    pub fn new(name: DatasetName, folder: &Path) -> Result<Self, FetchError> {
        let Facts { holds, origin, .. } = name.facts();
        let how = match origin {
            Origin::Published(files) => return Ok(Self::of(files, folder)),
            Origin::BuiltIn => "it is built in: there is nothing to fetch".to_owned(),
            Origin::ByHand(how) => format!("{how}; its folder must hold {holds}"),
            Origin::Own => format!("it is your own: give its folder, which holds {holds}"),
        };
        Err(FetchError::ByHand { name, how })
    }

    /// These files, to become `folder` in the same way.
    pub fn of(files: &'a [RemoteFile<'a>], folder: &Path) -> Self {
        Self {
            files,
            folder: folder.to_owned(),
            mirror: None,
            keep_archive: false,
            cancel: None,
            retry: Retry::default(),
            timeouts: Timeouts::default(),
        }
    }

    /// What is there now, by the mark of a whole folder; [`Self::verify`] reads all of it.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn state(&self) -> Result<State, FetchError> {
        folder::state(&self.folder, self.files)
    }

    /// Fetches the data set, unless it is there. `tell` hears of every chunk of bytes.
    ///
    /// # Errors
    ///
    /// See [`FetchError`]. Whatever it is, there is no folder of that name afterwards unless there
    /// was one before, and what has arrived is kept for the next fetch.
    pub fn run(&self, tell: &mut dyn FnMut(Progress<'_>)) -> Result<(), FetchError> {
        let mirror = self.mirror.as_deref();
        if let Some(url) = mirror.filter(|url| !http::is_http(url)) {
            let url = url.to_owned();
            return Err(FetchError::Mirror { url });
        }
        let left_over = || Staging::path(&self.folder).exists();
        if self.is_there()? && !left_over() {
            return Ok(());
        }
        let staging = Staging::enter(&self.folder)?;
        // Another process may have been faster.
        if !self.is_there()? {
            let cancel = self.cancel;
            self.make(&staging, &mut Watch { tell, cancel })?;
        }
        if self.keep_archive {
            self.keep(&staging)?;
        }
        staging.clear(self.files)
    }

    /// Reads every file of a fetched data set and compares its MD5 with that of the file fetched.
    /// Files that were added since are no difference.
    ///
    /// # Errors
    ///
    /// [`FetchError::NotFetched`] if the folder is not one that was fetched,
    /// [`FetchError::Damaged`] if a file is missing or differs, and others of [`FetchError`].
    pub fn verify(&self, tell: &mut dyn FnMut(Progress<'_>)) -> Result<Verified, FetchError> {
        let path = self.folder.clone();
        let cancel = self.cancel;
        match self.state()? {
            State::Outdated => Err(FetchError::Outdated { path }),
            State::Absent | State::Foreign => Err(FetchError::NotFetched { path }),
            State::Complete => folder::verify(&path, &mut Watch { tell, cancel }),
        }
    }

    /// Whether the data set is there; an error if something else is.
    fn is_there(&self) -> Result<bool, FetchError> {
        let path = self.folder.clone();
        match self.state()? {
            State::Absent => Ok(false),
            State::Complete => Ok(true),
            State::Outdated => Err(FetchError::Outdated { path }),
            State::Foreign => Err(FetchError::Occupied { path }),
        }
    }

    /// Downloads everything, then makes the folder and gives it its name.
    fn make(&self, staging: &Staging, watch: &mut Watch<'_>) -> Result<(), FetchError> {
        let tree = staging.tree()?;
        let download = Download {
            fetch: self,
            client: Client::new(self.timeouts),
            folder: &staging.folder,
        };
        let mut paths = Vec::new();
        for file in self.files {
            paths.push(download.run(file, watch)?);
        }
        let mut sums = Vec::new();
        for (file, path) in self.files.iter().zip(&paths) {
            if let Some(rule) = &file.unpack {
                sums.extend(unpack::unpack(path, file, rule, &tree, watch)?);
            } else {
                link(path, &tree.join(file.name))?;
                sums.push(Sum {
                    path: file.name.to_owned(),
                    md5: file.md5.to_owned(),
                });
            }
        }
        folder::complete(&tree, self.files, sums)?;
        watch.check()?;
        folder::publish(&tree, &self.folder)
    }

    /// Moves the archives out of the staging folder. One that is there already stays.
    fn keep(&self, staging: &Staging) -> Result<(), FetchError> {
        for file in self.files.iter().filter(|file| file.unpack.is_some()) {
            let from = staging.folder.join(file.name);
            let to = self.folder.with_file_name(file.name);
            if from.exists() && !to.exists() {
                fs::rename(&from, &to).map_err(io_error("write", &to))?;
            }
        }
        Ok(())
    }
}

/// Whether an archive of this name is unpacked.
#[cfg(fuzzing)]
pub fn unpacked(archive: &Path, name: &str, rule: &Unpack<'_>, into: &Path) -> bool {
    let file = RemoteFile {
        name,
        bases: &[],
        at_most: u64::MAX,
        md5: "",
        unpack: Some(*rule),
    };
    let mut watch = Watch {
        tell: &mut |_| {},
        cancel: None,
    };
    unpack::unpack(archive, &file, rule, into, &mut watch).is_ok()
}
