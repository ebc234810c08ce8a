//! One request of HTTP, on a thread of its own: its caller can stop at any moment, also while a
//! server is silent.

use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use ureq::http::{HeaderMap, Uri, header};
use ureq::{Agent, Body};

use super::checksum::CHUNK;
use super::progress::{GLANCE, Watch};
use super::{Failure, FetchError, Timeouts};

/// Chunks that may wait between the network and the disk.
const AHEAD: usize = 16;

/// Asks servers, by the proxy that the environment names.
pub(super) struct Client {
    agent: Agent,
    /// For this machine itself, which no proxy can know.
    direct: Agent,
    timeouts: Timeouts,
}

/// What a server says before the body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Bytes of the body.
    pub(super) length: Option<u64>,
    /// Of a part: its first byte, and the bytes of the whole.
    pub(super) range: (Option<u64>, Option<u64>),
    /// What a later `If-Range` takes.
    pub(super) validator: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

/// What arrives, in this order: a head, data, the end; or a failure at any time.
pub(super) enum Event {
    Head(Head),
    Data(Vec<u8>),
    End,
    Failed(Failure),
}

/// An answer as it arrives. Dropped, it ends the request.
pub(super) struct Answer(Receiver<Event>);

impl Answer {
    /// Waits for the next event, awake for the caller's wish to stop.
    pub(super) fn next(&self, watch: &Watch<'_>) -> Result<Event, FetchError> {
        loop {
            watch.check()?;
            match self.0.recv_timeout(GLANCE) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let lost = "the connection was lost";
                    return Ok(Event::Failed(Failure::passing(lost)));
                }
            }
        }
    }
}

impl Client {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let config = || {
            Agent::config_builder()
                .http_status_as_error(false)
                .user_agent(concat!("xsam/", env!("CARGO_PKG_VERSION")))
                // Ranges and checksums are of the file as it is, never of a compressed form.
                .accept_encoding("identity")
                .timeout_resolve(Some(timeouts.connect))
                .timeout_connect(Some(timeouts.connect))
                .timeout_recv_response(Some(timeouts.idle))
                .timeout_per_read(Some(timeouts.idle))
                .timeout_per_write(Some(timeouts.idle))
        };
        Self {
            agent: config().build().new_agent(),
            direct: config().proxy(None).build().new_agent(),
            timeouts,
        }
    }

    /// Asks for the file at `url`, or for what follows a first part of a version of it.
    pub(super) fn get(&self, url: &str, rest: Option<(u64, String)>) -> Answer {
        let agent = if is_this_machine(url) {
            self.direct.clone()
        } else {
            self.agent.clone()
        };
        let (sender, receiver) = sync_channel(AHEAD);
        let (url, timeouts) = (url.to_owned(), self.timeouts);
        // If there is no thread to be had, the sender is dropped and the request has failed.
        let _ = thread::Builder::new().name("fetch".into()).spawn(move || {
            let end = match request(&agent, &url, rest, &sender) {
                Ok(()) => Event::End,
                Err(error) => Event::Failed(failure(error, timeouts)),
            };
            // Whoever asked may have gone.
            let _ = sender.send(end);
        });
        Answer(receiver)
    }
}

fn request(
    agent: &Agent,
    url: &str,
    rest: Option<(u64, String)>,
    sender: &SyncSender<Event>,
) -> Result<(), ureq::Error> {
    let mut request = agent.get(url);
    if let Some((from, validator)) = rest {
        request = request
            .header(header::RANGE, format!("bytes={from}-"))
            .header(header::IF_RANGE, validator);
    }
    let mut response = request.call()?;
    let status = response.status().as_u16();
    let head = head(status, response.headers(), response.body());
    let mut gone = sender.send(Event::Head(head)).is_err();
    let mut body = response.body_mut().as_reader();
    while !gone {
        let mut chunk = vec![0; CHUNK];
        let n = body.read(&mut chunk)?;
        if n == 0 {
            break;
        }
        chunk.truncate(n);
        gone = sender.send(Event::Data(chunk)).is_err();
    }
    Ok(())
}

fn head(status: u16, headers: &HeaderMap, body: &Body) -> Head {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // A weak tag does not promise the same bytes.
    let tag = text(header::ETAG).filter(|tag| tag.starts_with('"'));
    Head {
        status,
        length: body.content_length(),
        range: text(header::CONTENT_RANGE).map_or((None, None), content_range),
        validator: tag.or(text(header::LAST_MODIFIED)).map(str::to_owned),
        retry_after: text(header::RETRY_AFTER).and_then(|text| wait(text, SystemTime::now())),
    }
}

/// The first byte and the size of `bytes 5-9/10`, of `bytes 5-9/*` or of `bytes */10`.
fn content_range(text: &str) -> (Option<u64>, Option<u64>) {
    let parts = text
        .trim()
        .strip_prefix("bytes ")
        .and_then(|text| text.split_once('/'));
    let Some((range, total)) = parts else {
        return (None, None);
    };
    let first = range
        .split_once('-')
        .and_then(|(first, _)| first.trim().parse().ok());
    (first, total.trim().parse().ok())
}

/// `Retry-After` is a number of seconds or a date.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Whether `url` is one that can be asked.
pub(super) fn is_http(url: &str) -> bool {
    url.parse::<Uri>()
        .is_ok_and(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")))
}

fn is_this_machine(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else {
        return false;
    };
    let host = url.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Sorts an error by whether it may pass.
fn failure(error: ureq::Error, timeouts: Timeouts) -> Failure {
    use ureq::{Error, Timeout};
    match error {
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            let seconds = timeouts.connect.as_secs_f32();
            Failure::passing(format!("no connection within {seconds} s"))
        }
        Error::Timeout(_) => {
            let seconds = timeouts.idle.as_secs_f32();
            Failure::passing(format!("no data for {seconds} s"))
        }
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Failure::passing("the server closed the connection")
        }
        Error::Io(error) => Failure::passing(error.to_string()),
        Error::HostNotFound | Error::ConnectionFailed | Error::ConnectProxyFailed(_) => {
            Failure::passing(error.to_string())
        }
        Error::Protocol(_) => Failure::passing(format!("no answer of HTTP: {error}")),
        other => Failure::lasting(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_all_forms_are_understood() {
        assert_eq!(content_range("bytes 5-9/10"), (Some(5), Some(10)));
        assert_eq!(content_range("bytes 5-9/*"), (Some(5), None));
        assert_eq!(content_range("bytes */10"), (None, Some(10)));
        for text in ["", "5-9/10", "bytes", "bytes a-b/c", "bytes -1"] {
            assert_eq!(content_range(text), (None, None), "{text}");
        }
    }

    #[test]
    fn a_server_asks_for_a_wait_by_seconds_or_by_a_date() {
        // The date of RFC 9110's example.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 90);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(wait("17", now), Some(Duration::from_secs(17)));
        assert_eq!(wait(date, now), Some(Duration::from_secs(90)));
        let late = now + Duration::from_secs(3600);
        assert_eq!(wait(date, late), Some(Duration::ZERO));
        assert_eq!(wait("soon", now), None);
        assert_eq!(wait("-1", now), None);
    }

    #[test]
    fn only_this_machine_is_asked_without_a_proxy() {
        for url in [
            "http://127.0.0.1:8/a",
            "http://[::1]/",
            "https://localhost:1/x",
        ] {
            assert!(is_this_machine(url), "{url}");
        }
        for url in [
            "http://127.0.0.1.example/",
            "http://example/localhost",
            "http://10.0.0.1/",
        ] {
            assert!(!is_this_machine(url), "{url}");
        }
    }
}
