//! One file: its sources in turn, each until it gives the file or a failure that will not pass.

use std::fs;
use std::path::{Path, PathBuf};

use super::checksum;
use super::error::io_error;
use super::http::{Answer, Client, Event, Head};
use super::part::{Origin, Part, remove};
use super::progress::{Stage, Watch};
use super::{Failure, FetchError, RemoteFile, Retry, SourceFailure};

/// An attempt that brought so much further is no failure in a row.
const PROGRESS: u64 = 1 << 20;

/// What a download needs besides the file.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) retry: Retry,
    pub(super) mirror: Option<&'a str>,
    /// Where the file and its part are.
    pub(super) folder: &'a Path,
}

/// The outer error ends the fetch, the inner one an attempt.
type Attempt<T = ()> = Result<Result<T, Failure>, FetchError>;

impl Download<'_> {
    /// The path of the whole file with the right checksum.
    pub(super) fn run(
        &self,
        file: &RemoteFile,
        watch: &mut Watch<'_>,
    ) -> Result<PathBuf, FetchError> {
        let goal = self.folder.join(&file.name);
        if goal.exists() {
            let (_, md5) = checksum::of_file(&goal, &file.name, watch)?;
            if checksum::digits(md5) == file.md5 {
                return Ok(goal);
            }
            remove(&goal)?;
        }
        let mut part = Part::open(self.folder, &file.name, watch)?;
        let mut failures = Vec::new();
        for url in self.sources(file) {
            match self.ask(&url, file, &mut part, watch)? {
                Ok(()) => {
                    part.finish(&goal)?;
                    return Ok(goal);
                }
                Err(failure) => failures.push(SourceFailure { url, failure }),
            }
        }
        Err(FetchError::Sources {
            file: file.name.clone(),
            failures,
        })
    }

    fn sources(&self, file: &RemoteFile) -> Vec<String> {
        let mirror = self.mirror.map(|base| {
            let base = base.trim_end_matches('/');
            format!("{base}/{}", file.name)
        });
        mirror
            .into_iter()
            .chain(file.urls.iter().cloned())
            .collect()
    }

    /// Asks one source until the part is the file.
    fn ask(&self, url: &str, file: &RemoteFile, part: &mut Part, watch: &mut Watch<'_>) -> Attempt {
        let mut failed = 0;
        let mut furthest = part.len();
        loop {
            let failure = match self.attempt(url, file, part, watch)? {
                Ok(()) => {
                    let found = part.md5();
                    if found == file.md5 {
                        return Ok(Ok(()));
                    }
                    // An earlier run's bytes may be what is wrong, so that this source deserves
                    // another request. There is only one such: nothing is inherited any more.
                    let again = part.inherited();
                    part.discard()?;
                    let expected = file.md5.clone();
                    let failure = Failure::Checksum { found, expected };
                    if !again {
                        return Ok(Err(failure));
                    }
                    failure
                }
                Err(failure) if failure.passes() => failure,
                Err(failure) => return Ok(Err(failure)),
            };
            if part.len() >= furthest.saturating_add(PROGRESS) {
                furthest = part.len();
                failed = 0;
            }
            failed += 1;
            if failed >= self.retry.attempts {
                return Ok(Err(failure));
            }
            let delay = self.retry.delay(failed, failure.retry_after());
            let reason = failure;
            let stage = Stage::Waiting { reason, delay };
            watch.at(&file.name, stage, part.len(), part.total())?;
            watch.sleep(delay)?;
        }
    }

    /// One request, and what it brings. Done if the part then has all its bytes.
    fn attempt(
        &self,
        url: &str,
        file: &RemoteFile,
        part: &mut Part,
        watch: &mut Watch<'_>,
    ) -> Attempt {
        if part.is_whole() {
            return Ok(Ok(()));
        }
        let rest = part.rest(url);
        let answer = self.client.get(url, rest.clone());
        let head = match answer.next(watch)? {
            Event::Head(head) => head,
            Event::Failed(failure) => return Ok(Err(failure)),
            Event::Data(_) | Event::End => return Ok(Err(Failure::Connection("no head".into()))),
        };
        let taken = match (head.status, rest) {
            (200, _) => fresh(url, &head, file, part)?,
            (206, Some((from, _))) => going_on(&head, from, part)?,
            (416, Some((from, _))) if head.range.1 == Some(from) => return Ok(Ok(())),
            (416, Some((from, _))) => {
                part.discard()?;
                Err(Failure::Range { from })
            }
            (status, _) => Err(Failure::Status {
                status,
                retry_after: head.retry_after,
            }),
        };
        match taken {
            Ok(()) => body(&answer, file, part, watch),
            Err(failure) => Ok(Err(failure)),
        }
    }
}

/// The server sends the file from its first byte.
fn fresh(url: &str, head: &Head, file: &RemoteFile, part: &mut Part) -> Attempt {
    match (head.length, file.size) {
        (Some(found), Some(expected)) if found != expected => {
            return Ok(Err(Failure::Size { found, expected }));
        }
        (Some(found), None) if found > file.limit() => {
            let limit = file.limit();
            return Ok(Err(Failure::TooLarge { limit }));
        }
        _ => {}
    }
    part.begin(Origin {
        url: url.to_owned(),
        validator: head.validator.clone(),
        total: head.length.or(file.size),
    })?;
    Ok(Ok(()))
}

/// The server sends what was asked for, unless it says otherwise.
fn going_on(head: &Head, from: u64, part: &mut Part) -> Attempt {
    let (first, total) = head.range;
    let other_size = total.is_some() && part.total().is_some() && total != part.total();
    if first != Some(from) || other_size {
        part.discard()?;
        return Ok(Err(Failure::Range { from }));
    }
    Ok(Ok(()))
}

/// Appends what arrives to the part.
fn body(answer: &Answer, file: &RemoteFile, part: &mut Part, watch: &mut Watch<'_>) -> Attempt {
    loop {
        watch.at(&file.name, Stage::Downloading, part.len(), part.total())?;
        match answer.next(watch)? {
            Event::Data(bytes) => {
                let limit = part.total().unwrap_or(file.limit());
                if part.len() + bytes.len() as u64 > limit {
                    part.discard()?;
                    return Ok(Err(Failure::TooLarge { limit }));
                }
                part.append(&bytes)?;
            }
            Event::End => {
                let found = part.len();
                return Ok(match part.total() {
                    Some(expected) if found < expected => Err(Failure::Short { found, expected }),
                    _ => Ok(()),
                });
            }
            Event::Failed(failure) => return Ok(Err(failure)),
            Event::Head(_) => {}
        }
    }
}

/// Gives `to` the bytes of `from`, which stays.
pub(super) fn link(from: &Path, to: &Path) -> Result<(), FetchError> {
    // Not every file system has hard links.
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).map_err(io_error("write", to))?;
    }
    Ok(())
}
