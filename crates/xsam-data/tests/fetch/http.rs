//! What servers and connections do.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use xsam_data::fetch::{Stage, Timeouts};

use crate::server::{Reply, Server, sound, whole};
use crate::{Files, Place, Toy, failure, file, md5, noise, one, waits};

/// A server that breaks off the first answer, then refuses as often as a fetch asks again, then is sound.
fn broken_off(bytes: &[u8], at: usize, status: u16) -> Server {
    let body = bytes.to_vec();
    Server::new(move |number, request| match number {
        0 => sound(&body, "v1", request).cut(at),
        1..=3 => Reply::status(status),
        _ => sound(&body, "v1", request),
    })
}

/// An answer of some of the bytes, which are said to be these.
fn part(bytes: &[u8], range: &str) -> Reply {
    let reply = Reply {
        status: 206,
        ..whole(bytes)
    };
    reply.header("Content-Range", range)
}

#[test]
fn a_file_is_fetched_once_and_progress_is_told() {
    let toy = Toy::sound(300_000);
    let mut seen = Vec::new();
    let told = &mut |progress: xsam_data::fetch::Progress<'_>| {
        assert_eq!(progress.file, "a.bin");
        assert_eq!(progress.stage, Stage::Downloading);
        assert_eq!(progress.total, Some(300_000));
        seen.push(progress.bytes);
    };
    toy.place.fetch(toy.files).run(told).unwrap();
    assert!(seen.is_sorted());
    assert_eq!((seen[0], *seen.last().unwrap()), (0, 300_000));
    toy.finishes();
    assert_eq!(toy.server.count(), 1, "what is there is not fetched again");
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let toy = Toy::with(200_000, |bytes| {
        let body = bytes.to_vec();
        Server::new(move |number, request| {
            let reply = sound(&body, "v1", request);
            if number < 3 { reply.cut(50_001) } else { reply }
        })
    });
    toy.finishes();
    let starts = [None, Some(50_001), Some(100_002), Some(150_003)];
    assert_eq!(toy.server.starts(), starts);
    let requests = toy.server.requests();
    let tags = requests.iter().map(|request| request.if_range.as_deref());
    assert!(tags.skip(1).all(|tag| tag == Some("\"v1\"")));
}

#[test]
fn the_next_fetch_goes_on_too() {
    let toy = Toy::with(100_000, |bytes| broken_off(bytes, 60_000, 500));
    let words = ["a.bin could not be fetched", "answered 500"];
    toy.place.fails(toy.files, &words);
    toy.finishes();
    assert_eq!(toy.server.starts()[4], Some(60_000));
}

#[test]
fn a_server_without_ranges_starts_the_file_anew() {
    let toy = Toy::with(100_000, |bytes| {
        let tagged = whole(bytes).header("ETag", "\"v1\"");
        Server::script(vec![tagged.clone().cut(70_000), tagged])
    });
    toy.finishes();
    assert_eq!(toy.server.starts()[1], Some(70_000));
}

#[test]
fn a_file_that_changes_meanwhile_starts_anew() {
    let toy = Toy::with(100_000, |bytes| {
        let (old, new) = (vec![7; 100_000], bytes.to_vec());
        Server::new(move |number, request| match number {
            0 => sound(&old, "old", request).cut(40_000),
            _ => sound(&new, "new", request),
        })
    });
    toy.finishes();
    let tag = toy.server.requests()[1].if_range.clone();
    assert_eq!(tag.as_deref(), Some("\"old\""));
}

#[test]
fn the_date_stands_in_for_a_weak_tag_and_without_either_the_file_starts_anew() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (dated, from) in [(true, Some(9000)), (false, None)] {
        let toy = Toy::with(50_000, |bytes| {
            let mut weak = whole(bytes).header("ETag", "W/\"v1\"").cut(9000);
            if dated {
                weak = weak.header("Last-Modified", date);
            }
            Server::script(vec![weak, whole(bytes)])
        });
        toy.finishes();
        let request = &toy.server.requests()[1];
        assert_eq!(request.from, from);
        assert_eq!(request.if_range.as_deref(), dated.then_some(date));
    }
}

#[test]
fn a_range_beyond_the_end_means_whole_or_starts_anew() {
    // Every byte has come, but not the end of the body, so the client does not know.
    let toy = Toy::with(30_000, |bytes| {
        let body = bytes.to_vec();
        Server::new(move |number, request| match number {
            0 => sound(&body, "v1", request).chunked().cut(30_000),
            _ => sound(&body, "v1", request),
        })
    });
    toy.finishes();
    assert_eq!(toy.server.starts(), [None, Some(30_000)]);

    let toy = Toy::with(30_000, |bytes| {
        let shrunk = Reply::status(416).header("Content-Range", "bytes */20000");
        let first = whole(bytes).header("ETag", "\"v1\"").cut(25_000);
        Server::script(vec![first, shrunk, whole(bytes)])
    });
    toy.finishes();
    assert_eq!(toy.server.starts(), [None, Some(25_000), None]);
}

#[test]
fn another_range_than_asked_for_is_not_taken() {
    for range in ["bytes 0-29999/30000", "bytes 10000-29999/40000", "bytes x"] {
        let toy = Toy::with(30_000, |bytes| {
            let first = whole(bytes).header("ETag", "\"v1\"").cut(10_000);
            let wrong = part(&bytes[10_000..], range);
            Server::script(vec![first, wrong, whole(bytes)])
        });
        toy.finishes();
        assert_eq!(toy.server.starts()[2], None, "{range}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let bytes = noise(20_000);
    let limited = |server: &Server, at_most: u64| -> Files {
        vec![file("a.bin", &[server.url("a.bin")], &bytes, at_most, None)].leak()
    };
    // Announced, before a byte is taken; or found out by the bytes.
    for reply in [whole(&bytes), whole(&bytes).chunked()] {
        let server = Server::script(vec![reply]);
        let place = Place::empty();
        let error = place.fails(limited(&server, 19_999), &["more than 19999 bytes"]);
        assert_eq!(failure(error), "the file has more than 19999 bytes");
        assert_eq!(server.count(), 1, "it is not asked again");
        place.finishes(limited(&server, 20_000), &bytes);
    }
}

#[test]
fn a_part_that_ends_early_is_gone_on_with() {
    let toy = Toy::with(30_000, |bytes| {
        let body = bytes.to_vec();
        Server::new(move |number, request| match number {
            0 => sound(&body, "v1", request).cut(10_000),
            1 => part(&body[10_000..20_000], "bytes 10000-19999/30000"),
            _ => sound(&body, "v1", request),
        })
    });
    let mut waited = Vec::new();
    let fetch = toy.place.fetch(toy.files);
    fetch
        .run(&mut |progress| waits(progress, &mut waited))
        .unwrap();
    assert_eq!(waited.len(), 2);
    assert_eq!(waited[1].0, "the file ended after 20000 of 30000 bytes");
    assert_eq!(toy.server.starts()[2], Some(20_000));
    toy.finishes();
}

#[test]
fn wrong_bytes_are_named_discarded_and_asked_of_the_next_source() {
    let bytes = noise(20_000);
    let mut other = bytes.clone();
    other[19_999] ^= 1;
    let bad = Server::script(vec![whole(&other)]);
    let place = Place::empty();
    let (found, expected) = (md5(&other), md5(&bytes));
    let files = one(&[bad.url("a.bin")], &bytes);
    let error = place.fails(files, &["MD5", &found, &expected, &bad.url("a.bin")]);
    assert_eq!(
        failure(error),
        format!("the file's MD5 is {found} instead of {expected}")
    );
    assert_eq!(bad.count(), 1);
    let part = fs::metadata(place.at("toy.part/a.bin.part")).unwrap();
    assert_eq!(part.len(), 0);

    let good = Server::script(vec![whole(&bytes)]);
    place.finishes(one(&[bad.url("a.bin"), good.url("a.bin")], &bytes), &bytes);
    assert_eq!((bad.count(), good.count()), (2, 1));
}

#[test]
fn a_spoilt_part_of_an_earlier_fetch_costs_one_more_request() {
    let toy = Toy::with(40_000, |bytes| broken_off(bytes, 30_000, 503));
    toy.place.fails(toy.files, &["503"]);
    let part = toy.place.at("toy.part/a.bin.part");
    let mut spoilt = fs::read(&part).unwrap();
    assert!(spoilt == toy.bytes[..30_000]);
    spoilt[100] ^= 1;
    fs::write(&part, spoilt).unwrap();
    toy.finishes();
    assert_eq!(toy.server.starts()[4..], [Some(30_000), None]);
}

#[test]
fn a_part_without_its_record_starts_anew() {
    for record in [None, Some("url = 1"), Some("")] {
        let toy = Toy::with(40_000, |bytes| broken_off(bytes, 30_000, 503));
        toy.place.fails(toy.files, &["503"]);
        let path = toy.place.at("toy.part/a.bin.part.toml");
        match record {
            None => fs::remove_file(path).unwrap(),
            Some(text) => fs::write(path, text).unwrap(),
        }
        toy.finishes();
        assert_eq!(toy.server.starts()[4], None);
    }
}

#[test]
fn what_is_gone_is_asked_once_and_what_is_busy_as_often_as_allowed() {
    let bytes = noise(1000);
    for (status, requests) in [(404, 1), (403, 1), (204, 1), (500, 4), (503, 4), (408, 4)] {
        let server = Server::script(vec![Reply {
            body: vec![],
            ..Reply::status(status)
        }]);
        let good = Server::script(vec![whole(&bytes)]);
        let place = Place::empty();
        let answered = format!("the server answered {status}");
        place.fails(one(&[server.url("a.bin")], &bytes), &[&answered]);
        assert_eq!(server.count(), requests, "{status}");
        let urls = [server.url("a.bin"), good.url("a.bin")];
        place.finishes(one(&urls, &bytes), &bytes);
    }
}

#[test]
fn a_server_is_given_the_time_it_asks_for_within_a_limit() {
    let busy = |asked: &str| Reply::status(429).header("Retry-After", asked);
    let toy = Toy::with(1000, |bytes| {
        let other = Reply::status(500);
        Server::script(vec![busy("0"), busy("3600"), other, whole(bytes)])
    });
    let mut waited = Vec::new();
    let fetch = toy.place.fetch(toy.files);
    fetch
        .run(&mut |progress| waits(progress, &mut waited))
        .unwrap();
    let delays: Vec<Duration> = waited.into_iter().map(|(_, delay)| delay).collect();
    assert_eq!(delays, [1, 30, 2].map(Duration::from_millis));
}

#[test]
fn redirects_are_followed_and_end() {
    let bytes = noise(1000);
    let goal = Server::script(vec![whole(&bytes)]);
    let from = Server::script(vec![Reply::status(302).header("Location", goal.url("b"))]);
    Place::empty().finishes(one(&[from.url("a.bin")], &bytes), &bytes);
    assert_eq!(goal.requests()[0].path, "/b");

    let circle = Server::script(vec![Reply::status(302).header("Location", "/a.bin")]);
    Place::empty().fails(one(&[circle.url("a.bin")], &bytes), &["too many redirects"]);
}

#[test]
fn silence_ends_and_the_download_goes_on() {
    let toy = Toy::with(50_000, |bytes| {
        let body = bytes.to_vec();
        Server::new(move |number, request| match number {
            0 => sound(&body, "v1", request).stall(20_000),
            1 => sound(&body, "v1", request).stall(0),
            _ => sound(&body, "v1", request),
        })
    });
    let mut waited = Vec::new();
    let mut fetch = toy.place.fetch(toy.files);
    fetch.timeouts = Timeouts {
        idle: Duration::from_millis(300),
        ..Timeouts::default()
    };
    fetch
        .run(&mut |progress| waits(progress, &mut waited))
        .unwrap();
    let reasons = waited.into_iter().map(|(reason, _)| reason);
    assert!(reasons.eq(["no data for 0.3 s", "no data for 0.3 s"]));
    assert_eq!(toy.server.starts()[2], Some(20_000));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.bin", listener.local_addr().unwrap());
    drop(listener);
    Place::empty().fails(one(std::slice::from_ref(&url), b""), &[&url, "refused"]);
}
