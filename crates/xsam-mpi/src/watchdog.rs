//! A thread that ends the process when the other ranks do not answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// No call is under way.
const NONE: u64 = u64::MAX;

/// Time from one look at a call to the next, as a share of the deadline.
const LOOKS: u32 = 20;

/// Watches the calls of one thread.
///
/// MPI itself never notices a process that was stopped, nor a link that was cut: whoever waits for one waits for ever.
#[derive(Debug)]
pub(crate) struct Watchdog {
    started: Instant,
    /// When the call under way began, in milliseconds.
    since: AtomicU64,
}

impl Watchdog {
    /// Calls `expired` on another thread if a call takes longer than `deadline`.
    pub(crate) fn start(
        deadline: Duration,
        expired: impl Fn(Duration) + Send + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let watchdog = Arc::new(Self {
            started: Instant::now(),
            since: AtomicU64::new(NONE),
        });
        let watched: Weak<Self> = Arc::downgrade(&watchdog);
        let pause = (deadline / LOOKS).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let thread = thread::Builder::new().name("deadline".to_owned());
        thread.spawn(move || {
            while let Some(watchdog) = watched.upgrade() {
                let waited = watchdog.waited();
                drop(watchdog);
                match waited {
                    Some(waited) if waited > deadline => return expired(waited),
                    _ => thread::sleep(pause),
                }
            }
        })?;
        Ok(watchdog)
    }

    pub(crate) fn watch<T>(&self, call: impl FnOnce() -> T) -> T {
        self.since.store(self.now(), Ordering::SeqCst);
        let found = call();
        self.since.store(NONE, Ordering::SeqCst);
        found
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn waited(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::SeqCst);
        (since != NONE).then(|| Duration::from_millis(self.now().saturating_sub(since)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_call_that_does_not_end_is_told_of_and_none_that_ends() {
        let (told, heard) = mpsc::channel();
        let deadline = Duration::from_millis(200);
        let watchdog = Watchdog::start(deadline, move |waited| told.send(waited).unwrap()).unwrap();
        for _ in 0..6 {
            watchdog.watch(|| thread::sleep(deadline / 4));
        }
        assert!(heard.try_recv().is_err());
        let waited = watchdog.watch(|| heard.recv().unwrap());
        assert!(waited > deadline);
    }
}
