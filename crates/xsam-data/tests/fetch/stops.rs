//! Fetches that are told to stop.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use xsam_data::fetch::{FetchError, Stage, Timeouts};

use crate::server::{Server, sound, whole};
use crate::{Place, noise, one};

#[test]
fn a_fetch_stopped_anywhere_goes_on_and_ends_with_the_same_bytes() {
    let bytes = noise(200_000);
    let body = bytes.clone();
    let server = Server::new(move |_, request| sound(&body, "v1", request));
    let files = one(&[server.url("a.bin")], &bytes);
    for step in [1, 9_973, 30_011, 65_536, 150_000] {
        let place = Place::empty();
        let mut stops = 0;
        for at in (0..200_000).step_by(step).take(40) {
            let flag = AtomicBool::new(false);
            let mut fetch = place.fetch(files);
            fetch.cancel = Some(&flag);
            let stopped = fetch.run(&mut |progress| {
                if progress.stage == Stage::Downloading && progress.bytes >= at as u64 {
                    flag.store(true, Ordering::Relaxed);
                }
            });
            assert!(matches!(stopped, Err(FetchError::Cancelled)), "{stopped:?}");
            place.assert_nothing();
            let part = fs::read(place.at("toy.part/a.bin.part")).unwrap();
            assert!(bytes.starts_with(&part));
            stops += 1;
            if part.len() == bytes.len() {
                // The last bytes came together: there is nothing left to stop.
                break;
            }
        }
        place.finishes(files, &bytes);
        assert!(stops > 1);
    }
    assert!(
        server
            .requests()
            .iter()
            .any(|request| request.from.is_some())
    );
}

#[test]
fn a_stop_does_not_wait_for_a_silent_server() {
    let bytes = noise(50_000);
    let server = Server::script(vec![whole(&bytes).stall(20_000)]);
    let place = Place::empty();
    let flag = AtomicBool::new(false);
    let mut fetch = place.fetch(one(&[server.url("a.bin")], &bytes));
    fetch.cancel = Some(&flag);
    fetch.timeouts = Timeouts::default();
    let start = Instant::now();
    let stopped = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            flag.store(true, Ordering::Relaxed);
        });
        fetch.run(&mut |_| {})
    });
    assert!(matches!(stopped, Err(FetchError::Cancelled)));
    assert!(start.elapsed() < Duration::from_secs(5));
    place.assert_nothing();
}
