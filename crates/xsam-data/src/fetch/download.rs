//! One file: its sources in turn, each until it gives the file or a failure that will not pass.

use std::fs;
use std::path::{Path, PathBuf};

use super::checksum;
use super::error::io_error;
use super::http::{Answer, Client, Event, Head};
use super::part::{Origin, Part, remove};
use super::progress::{Stage, Watch};
use super::{Failure, Fetch, FetchError, RemoteFile};

/// An attempt that brought so much further is no failure in a row.
const PROGRESS: u64 = 1 << 20;

/// What a download needs besides the file.
pub(super) struct Download<'a> {
    pub(super) fetch: &'a Fetch<'a>,
    pub(super) client: Client,
    /// Where the file and its part are.
    pub(super) folder: &'a Path,
}

/// The outer error ends the fetch, the inner one an attempt.
type Attempt<T = ()> = Result<Result<T, Failure>, FetchError>;

impl Download<'_> {
    /// The path of the whole file with the right checksum.
    pub(super) fn run(
        &self,
        file: &RemoteFile<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<PathBuf, FetchError> {
        let goal = self.folder.join(file.name);
        if goal.exists() {
            let (_, md5) = checksum::of_file(&goal, file.name, watch)?;
            if checksum::digits(md5) == file.md5 {
                return Ok(goal);
            }
            remove(&goal)?;
        }
        let mut part = Part::open(self.folder, file.name, watch)?;
        let mut failures = Vec::new();
        for url in self.sources(file) {
            match self.ask(&url, file, &mut part, watch)? {
                Ok(()) => {
                    part.finish(&goal)?;
                    return Ok(goal);
                }
                Err(failure) => failures.push(format!("{url}: {}", failure.reason)),
            }
        }
        Err(FetchError::Sources {
            file: file.name.to_owned(),
            failures,
        })
    }

    fn sources(&self, file: &RemoteFile<'_>) -> Vec<String> {
        let bases = self.fetch.mirror.as_deref().into_iter();
        let bases = bases.chain(file.bases.iter().copied());
        let url = |base: &str| format!("{}/{}", base.trim_end_matches('/'), file.name);
        bases.map(url).collect()
    }

    /// Asks one source until the part is the file.
    fn ask(
        &self,
        url: &str,
        file: &RemoteFile<'_>,
        part: &mut Part,
        watch: &mut Watch<'_>,
    ) -> Attempt {
        let mut failed = 0;
        let mut furthest = part.len;
        loop {
            let failure = match self.attempt(url, file, part, watch)? {
                Ok(()) => {
                    let found = part.md5();
                    if found == file.md5 {
                        return Ok(Ok(()));
                    }
                    // An earlier run's bytes may be what is wrong, so that this source deserves
                    // another request. There is only one such: nothing is inherited any more.
                    let again = part.inherited;
                    part.discard()?;
                    let failure = Failure::lasting(format!(
                        "the file's MD5 is {found} instead of {}",
                        file.md5
                    ));
                    if !again {
                        return Ok(Err(failure));
                    }
                    failure
                }
                Err(failure) if failure.passes => failure,
                Err(failure) => return Ok(Err(failure)),
            };
            if part.len >= furthest.saturating_add(PROGRESS) {
                furthest = part.len;
                failed = 0;
            }
            failed += 1;
            if failed >= self.fetch.retry.attempts {
                return Ok(Err(failure));
            }
            let delay = self.fetch.retry.delay(failed, failure.retry_after);
            let reason = failure.reason;
            let stage = Stage::Waiting { reason, delay };
            watch.at(file.name, stage, part.len, part.total())?;
            watch.sleep(delay)?;
        }
    }

    /// One request, and what it brings. Done if the part then has all its bytes.
    fn attempt(
        &self,
        url: &str,
        file: &RemoteFile<'_>,
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
            Event::Data(_) | Event::End => return Ok(Err(Failure::passing("no head"))),
        };
        let taken = match (head.status, rest) {
            (200, _) => fresh(url, &head, file, part)?,
            (206, Some((from, _))) => going_on(&head, from, part)?,
            (416, Some((from, _))) if head.range.1 == Some(from) => return Ok(Ok(())),
            (416, Some((from, _))) => {
                part.discard()?;
                Err(no_range(from))
            }
            (status, _) => Err(Failure {
                passes: matches!(status, 408 | 429 | 500..=599),
                retry_after: head.retry_after,
                ..Failure::lasting(format!("the server answered {status}"))
            }),
        };
        match taken {
            Ok(()) => body(&answer, file, part, watch),
            Err(failure) => Ok(Err(failure)),
        }
    }
}

/// The server sends the file from its first byte.
fn fresh(url: &str, head: &Head, file: &RemoteFile<'_>, part: &mut Part) -> Attempt {
    let limit = file.at_most;
    if head.length.is_some_and(|found| found > limit) {
        return Ok(Err(too_large(limit)));
    }
    part.begin(Origin {
        url: url.to_owned(),
        validator: head.validator.clone(),
        total: head.length,
    })?;
    Ok(Ok(()))
}

/// The server sends what was asked for, unless it says otherwise.
fn going_on(head: &Head, from: u64, part: &mut Part) -> Attempt {
    let (first, total) = head.range;
    let other_size = total.is_some() && part.total().is_some() && total != part.total();
    if first != Some(from) || other_size {
        part.discard()?;
        return Ok(Err(no_range(from)));
    }
    Ok(Ok(()))
}

/// Appends what arrives to the part.
fn body(answer: &Answer, file: &RemoteFile<'_>, part: &mut Part, watch: &mut Watch<'_>) -> Attempt {
    loop {
        watch.at(file.name, Stage::Downloading, part.len, part.total())?;
        match answer.next(watch)? {
            Event::Data(bytes) => {
                let limit = part.total().unwrap_or(file.at_most);
                if part.len + bytes.len() as u64 > limit {
                    part.discard()?;
                    return Ok(Err(too_large(limit)));
                }
                part.append(&bytes)?;
            }
            Event::End => {
                let found = part.len;
                return Ok(match part.total() {
                    Some(expected) if found < expected => Err(Failure::passing(format!(
                        "the file ended after {found} of {expected} bytes"
                    ))),
                    _ => Ok(()),
                });
            }
            Event::Failed(failure) => return Ok(Err(failure)),
            Event::Head(_) => {}
        }
    }
}

fn too_large(limit: u64) -> Failure {
    Failure::lasting(format!("the file has more than {limit} bytes"))
}

/// The server sent another range than asked for, or has none after what there is.
fn no_range(from: u64) -> Failure {
    Failure::passing(format!("the server could not go on from byte {from}"))
}

/// Gives `to` the bytes of `from`, which stays.
pub(super) fn link(from: &Path, to: &Path) -> Result<(), FetchError> {
    // Not every file system has hard links.
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).map_err(io_error("write", to))?;
    }
    Ok(())
}
