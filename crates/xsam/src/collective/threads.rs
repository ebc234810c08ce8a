//! Ranks that are threads of one process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Collective, CollectiveError};

/// Ranks that are threads of one process: for tests of what is made for ranks.
///
/// The threads share a device and its generator: masks of dropout are not those of processes.
///
/// ```
/// use xsam::Collective;
/// use xsam::collective::ThreadRanks;
///
/// let sums = ThreadRanks::run(3, |ranks| {
///     let mut values = [ranks.rank() as f64, 1.0];
///     ranks.sum_f64(&mut values).map(|()| values)
/// });
/// assert!(sums.into_iter().all(|sum| sum == Ok([3.0, 3.0])));
/// ```
#[derive(Debug)]
pub struct ThreadRanks {
    rank: usize,
    world: Arc<World>,
}

impl ThreadRanks {
    /// What `size` threads return that run `work` as ranks of one world, in the order of the ranks.
    ///
    /// A thread that panics ends the others' calls with an error, and goes on panicking here.
    pub fn run<T: Send>(size: usize, work: impl Fn(Arc<dyn Collective>) -> T + Sync) -> Vec<T> {
        let world = Arc::new(World {
            size,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        std::thread::scope(|scope| {
            let start = |rank| {
                let (world, work) = (world.clone(), &work);
                scope.spawn(move || {
                    let ended = EndOnPanic(&world);
                    let found = work(Arc::new(Self {
                        rank,
                        world: world.clone(),
                    }));
                    std::mem::forget(ended);
                    found
                })
            };
            let threads: Vec<_> = (0..size).map(start).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, T>| {
                let ended = thread.join();
                ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        })
    }

    /// Hands over `mine`, and calls `take` with what each rank has handed over, in their order.
    fn exchange<T>(
        &self,
        mine: Vec<u8>,
        take: impl FnOnce(&[Vec<u8>]) -> T,
    ) -> Result<T, CollectiveError> {
        let size = self.world.size;
        let mut state = self.world.when(|state| state.taken == 0)?;
        state.handed.resize(size, None);
        state.handed[self.rank] = Some(mine);
        self.world.changed.notify_all();
        drop(state);

        let mut state = self
            .world
            .when(|state| state.taken > 0 || state.handed.iter().flatten().count() == size)?;
        let handed: Vec<Vec<u8>> = state.handed.iter().flatten().cloned().collect();
        state.taken += 1;
        if state.taken == size {
            (state.taken, state.handed) = (0, Vec::new());
        }
        self.world.changed.notify_all();
        drop(state);
        if handed.windows(2).any(|pair| pair[0].len() != pair[1].len()) {
            return Err(CollectiveError("ranks made different calls".to_owned()));
        }
        Ok(take(&handed))
    }
}

#[derive(Debug)]
struct World {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    handed: Vec<Option<Vec<u8>>>,
    /// How many ranks have taken what was handed over.
    taken: usize,
    /// Why the ranks cannot go on.
    ended: Option<String>,
}

impl World {
    fn when(
        &self,
        ready: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'_, State>, CollectiveError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut State| state.ended.is_none() && !ready(state);
        let state = self.changed.wait_while(state, waiting);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        match &state.ended {
            Some(reason) => Err(CollectiveError(reason.clone())),
            None => Ok(state),
        }
    }

    fn end(&self, reason: String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended.get_or_insert(reason);
        self.changed.notify_all();
    }
}

struct EndOnPanic<'a>(&'a World);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        self.0.end("a rank has panicked".to_owned());
    }
}

/// Numbers as bytes and back, to be added up.
macro_rules! sum {
    ($ranks:ident, $values:ident, $number:ty) => {{
        let bytes = $values.iter().flat_map(|value| value.to_ne_bytes());
        $ranks.exchange(bytes.collect(), |handed| {
            $values.fill(0.0);
            for bytes in handed {
                let (numbers, _) = bytes.as_chunks();
                for (sum, number) in $values.iter_mut().zip(numbers) {
                    *sum += <$number>::from_ne_bytes(*number);
                }
            }
        })
    }};
}

impl Collective for ThreadRanks {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.world.size
    }

    fn sum_f32(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        sum!(self, values, f32)
    }

    fn sum_f64(&self, values: &mut [f64]) -> Result<(), CollectiveError> {
        sum!(self, values, f64)
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), CollectiveError> {
        self.exchange(bytes.to_vec(), |handed| {
            if let Some(theirs) = handed.get(root) {
                bytes.copy_from_slice(theirs);
            }
        })
    }

    fn abort(&self, reason: &str) {
        self.world.end(reason.to_owned());
    }
}
