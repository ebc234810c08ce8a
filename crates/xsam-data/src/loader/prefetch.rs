//! Results in their order, computed by threads before they are asked for.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::DataError;

/// `prepare(0)`, `prepare(1)` and so on, up to the first error.
///
/// The consumer asks for `ahead` items at the start, and for one more each time it takes one. So
/// there never are more of them, however slow it is, and whichever thread is done first: each item
/// has a channel of its own to come back by.
pub(super) struct Prefetch<T> {
    prepare: Arc<Prepare<T>>,
    items: usize,
    /// The next item to ask for.
    next: usize,
    /// Of those asked for, in their order.
    pending: VecDeque<Receiver<Result<T, DataError>>>,
    /// None if there are no workers, or none any more.
    jobs: Option<Sender<Job<T>>>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    waited: Duration,
}

type Prepare<T> = dyn Fn(usize) -> Result<T, DataError> + Send + Sync;

/// An item to prepare, and where to send it.
struct Job<T> {
    item: usize,
    back: SyncSender<Result<T, DataError>>,
}

impl<T: Send + 'static> Prefetch<T> {
    pub(super) fn new(
        prepare: impl Fn(usize) -> Result<T, DataError> + Send + Sync + 'static,
        items: usize,
        workers: usize,
        ahead: usize,
    ) -> Result<Self, DataError> {
        if ahead == 0 {
            return Err(DataError::Zero { field: "ahead" });
        }
        let mut this = Self {
            prepare: Arc::new(prepare),
            items,
            next: 0,
            pending: VecDeque::new(),
            jobs: None,
            stop: Arc::new(AtomicBool::new(false)),
            workers: Vec::new(),
            waited: Duration::ZERO,
        };
        // More could never be at work at once.
        let workers = workers.min(ahead).min(items);
        if workers == 0 {
            return Ok(this);
        }
        let (jobs, queue) = channel();
        this.jobs = Some(jobs);
        let queue = Arc::new(Mutex::new(queue));
        for worker in 0..workers {
            let (prepare, stop) = (Arc::clone(&this.prepare), Arc::clone(&this.stop));
            let queue = Arc::clone(&queue);
            let thread = Builder::new()
                .name(format!("batches-{worker}"))
                .spawn(move || work(&queue, &*prepare, &stop));
            this.workers.push(thread.map_err(|error| {
                let why = "cannot start a thread to prepare batches";
                DataError::Failed(format!("{why}: {error}; workers = 0 does without"))
            })?);
        }
        for _ in 0..ahead.min(items) {
            this.ask();
        }
        Ok(this)
    }

    pub(super) fn waited(&self) -> Duration {
        self.waited
    }

    pub(super) fn next(&mut self) -> Option<Result<T, DataError>> {
        let start = Instant::now();
        let result = if self.jobs.is_some() {
            let item = self.next - self.pending.len();
            let came = self.pending.pop_front()?.recv();
            // Workers outlive their jobs. If one did not, nobody is left to say why.
            let lost = || failed(item, "its thread is gone");
            came.unwrap_or_else(|_| Err(lost()))
        } else if self.next < self.items {
            self.next += 1;
            attempt(&*self.prepare, self.next - 1)
        } else {
            return None;
        };
        self.waited += start.elapsed();
        match &result {
            Ok(_) => self.ask(),
            Err(_) => self.end(),
        }
        Some(result)
    }

    /// Has one more item prepared, if there is one.
    fn ask(&mut self) {
        if let Some(jobs) = &self.jobs
            && self.next < self.items
        {
            let (back, result) = sync_channel(1);
            let item = self.next;
            // If nobody hears it, the receiver says so when its turn comes.
            let _ = jobs.send(Job { item, back });
            self.pending.push_back(result);
            self.next += 1;
        }
    }
}

impl<T> Prefetch<T> {
    /// Nothing more is prepared. Returns when all threads have ended.
    fn end(&mut self) {
        self.next = self.items;
        self.stop.store(true, Ordering::Relaxed);
        self.pending.clear();
        self.jobs = None;
        for worker in self.workers.drain(..) {
            // Workers catch the panics of what they are given to do.
            let _ = worker.join();
        }
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> fmt::Debug for Prefetch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetch")
            .field("items", &self.items)
            .field("next", &self.next)
            .field("pending", &self.pending.len())
            .field("workers", &self.workers.len())
            .field("waited", &self.waited)
            .finish_non_exhaustive()
    }
}

/// What a thread does: job after job until there are no more.
fn work<T>(queue: &Mutex<Receiver<Job<T>>>, prepare: &Prepare<T>, stop: &AtomicBool) {
    loop {
        // The lock is held while waiting: the others would but wait for the same.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { item, back }) = job else {
            return;
        };
        // Jobs that were queued when the consumer left are still received.
        if stop.load(Ordering::Relaxed) {
            return;
        }
        // Nobody waits for it if the consumer has left.
        let _ = back.send(attempt(prepare, item));
    }
}

/// The item, or what went wrong, a panic included.
fn attempt<T>(prepare: &Prepare<T>, item: usize) -> Result<T, DataError> {
    // What is shared is read only, so that a panic leaves nothing half done.
    catch_unwind(AssertUnwindSafe(|| prepare(item)))
        .unwrap_or_else(|panic| Err(failed(item, message(&*panic))))
}

fn failed(batch: usize, reason: &str) -> DataError {
    DataError::Failed(format!("preparing batch {batch} failed: {reason}"))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::AtomicUsize;
    use std::thread::sleep;

    use super::*;

    /// Counts how many of them there are, and were at most.
    struct Counted(Arc<Count>);

    #[derive(Default)]
    struct Count {
        alive: AtomicUsize,
        most: AtomicUsize,
        ever: AtomicUsize,
    }

    impl Counted {
        fn new(count: &Arc<Count>) -> Self {
            let alive = count.alive.fetch_add(1, Ordering::SeqCst) + 1;
            count.most.fetch_max(alive, Ordering::SeqCst);
            count.ever.fetch_add(1, Ordering::SeqCst);
            Self(Arc::clone(count))
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.alive.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn collect<T: Send + 'static>(mut items: Prefetch<T>) -> Vec<Result<T, DataError>> {
        std::iter::from_fn(|| items.next()).collect()
    }

    #[test]
    fn items_come_in_order_whoever_is_done_first() {
        for workers in 0..5 {
            for ahead in [1, 2, 3, 10, 100] {
                // Earlier ones take longer.
                let prepare = |item: usize| {
                    sleep(Duration::from_micros(if item.is_multiple_of(4) {
                        500
                    } else {
                        0
                    }));
                    Ok(item)
                };
                let items = Prefetch::new(prepare, 25, workers, ahead).unwrap();
                let items: Result<Vec<_>, _> = collect(items).into_iter().collect();
                assert!(items.unwrap().into_iter().eq(0..25));
            }
        }
    }

    #[test]
    fn no_items_are_the_end_and_nothing_ahead_is_refused() {
        for workers in [0, 2] {
            let mut none = Prefetch::new(Ok, 0, workers, 1).unwrap();
            assert!(none.next().is_none() && none.next().is_none());
            let error = Prefetch::new(Ok, 5, workers, 0).unwrap_err();
            assert_eq!(error.to_string(), "ahead must be at least 1");
        }
    }

    #[test]
    fn there_are_never_more_items_than_allowed_beside_the_one_in_use() {
        for (workers, ahead) in [(0, 3), (1, 1), (1, 3), (3, 2), (4, 4)] {
            let count = Arc::new(Count::default());
            let shared = Arc::clone(&count);
            let prepare = move |_| Ok(Counted::new(&shared));
            let mut items = Prefetch::new(prepare, 40, workers, ahead).unwrap();
            while let Some(item) = items.next() {
                let _in_use = item.unwrap();
                // Time for the workers to go too far.
                sleep(Duration::from_millis(1));
            }
            let most = count.most.load(Ordering::SeqCst);
            assert!(
                most <= ahead + 1,
                "{workers} workers, {ahead} ahead: {most}"
            );
            // And they do go ahead.
            let least = if workers == 0 { 1 } else { 2 };
            assert!(most >= least, "{workers} workers, {ahead} ahead: {most}");
            assert_eq!(count.alive.load(Ordering::SeqCst), 0);
        }
    }

    #[test]
    fn leaving_early_stops_the_threads() {
        for taken in 0..4 {
            let count = Arc::new(Count::default());
            let shared = Arc::clone(&count);
            let prepare = move |_| {
                sleep(Duration::from_millis(1));
                Ok(Counted::new(&shared))
            };
            let mut items = Prefetch::new(prepare, 100_000, 2, 50_000).unwrap();
            for _ in 0..taken {
                items.next().unwrap().unwrap();
            }
            drop(items);
            // The threads have gone, and with them all but this handle.
            assert_eq!(Arc::strong_count(&count), 1);
            assert_eq!(count.alive.load(Ordering::SeqCst), 0);
            assert!(count.ever.load(Ordering::SeqCst) < 1000);
        }
    }

    #[test]
    fn the_first_error_is_the_last_item() {
        for workers in [0, 1, 3] {
            let prepare = |item| match item {
                7 | 8 => Err(DataError::Unfit(item.to_string())),
                _ => Ok(item),
            };
            let mut items = collect(Prefetch::new(prepare, 20, workers, 4).unwrap());
            assert_eq!(items.pop(), Some(Err(DataError::Unfit("7".to_owned()))));
            assert!(items.into_iter().eq((0..7).map(Ok)));
        }
    }

    #[test]
    fn a_panic_becomes_an_error() {
        for workers in [0, 1, 3] {
            let prepare = |item: usize| {
                assert!(item != 5, "five is no number");
                Ok(item)
            };
            let items = collect(Prefetch::new(prepare, 20, workers, 4).unwrap());
            assert_eq!(items.len(), 6);
            let error = items[5].clone().unwrap_err().to_string();
            assert_eq!(error, "preparing batch 5 failed: five is no number");
        }
    }

    #[test]
    fn waiting_is_measured() {
        let pause = Duration::from_millis(50);
        let slow = move |item| {
            sleep(pause);
            Ok(item)
        };
        for workers in [0, 1] {
            let mut items = Prefetch::new(slow, 3, workers, 1).unwrap();
            while items.next().is_some() {}
            assert!(items.waited() >= 2 * pause, "{:?}", items.waited());
        }
        // A consumer that is slower than the preparation hardly waits.
        let mut items = Prefetch::new(Ok, 3, 1, 1).unwrap();
        for _ in 0..3 {
            sleep(pause);
            items.next().unwrap().unwrap();
        }
        assert!(items.waited() < pause, "{:?}", items.waited());
    }
}
