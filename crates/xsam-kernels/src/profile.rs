//! Where the time of a computation goes, by kind of operation.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// The calls of one kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationTime {
    /// What is computed, and in which direction: `convolution, forward`.
    pub operation: &'static str,
    /// Number of calls in the profile.
    pub calls: usize,
    /// How long all calls took together.
    pub time: Duration,
}

thread_local! {
    /// What has been timed so far, while something on this thread is profiled.
    static TIMES: RefCell<Option<Vec<OperationTime>>> = const { RefCell::new(None) };
}

/// Runs `run`, and tells how long the operations of this crate took in it, in the order of their first
/// call.
///
/// Operations on the Flex back end count, whichever kernels are chosen, that are called on this thread:
/// those of a backward pass are. What Burn computes besides (a linear layer, say) does not. Within
/// another profile the outer one sees nothing of the inner one.
pub fn profile<T>(run: impl FnOnce() -> T) -> (T, Vec<OperationTime>) {
    /// Gives the outer profile back, even if `run` panics.
    struct Outer(Option<Vec<OperationTime>>);

    impl Drop for Outer {
        fn drop(&mut self) {
            TIMES.set(self.0.take());
        }
    }

    let _outer = Outer(TIMES.replace(Some(Vec::new())));
    let result = run();
    (result, TIMES.take().unwrap_or_default())
}

/// Counts the time until it is dropped as a call of an operation.
pub(crate) struct Timer {
    operation: &'static str,
    /// `None` if nothing is profiled: the clock is not asked.
    start: Option<Instant>,
}

impl Timer {
    pub(crate) fn start(operation: &'static str) -> Self {
        let profiled = TIMES.with_borrow(Option::is_some);
        Self {
            operation,
            start: profiled.then(Instant::now),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let Some(time) = self.start.map(|start| start.elapsed()) else {
            return;
        };
        TIMES.with_borrow_mut(|times| {
            let Some(times) = times else { return };
            match times.iter_mut().find(|t| t.operation == self.operation) {
                Some(known) => {
                    known.calls += 1;
                    known.time += time;
                }
                None => times.push(OperationTime {
                    operation: self.operation,
                    calls: 1,
                    time,
                }),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_operation_and_only_while_profiled() {
        drop(Timer::start("before"));
        let ((), times) = profile(|| {
            for operation in ["a", "b", "a"] {
                drop(Timer::start(operation));
            }
            let ((), inner) = profile(|| drop(Timer::start("inner")));
            assert_eq!(inner.len(), 1);
        });
        let calls: Vec<_> = times.iter().map(|t| (t.operation, t.calls)).collect();
        assert_eq!(calls, [("a", 2), ("b", 1)]);
        let ((), nothing) = profile(|| ());
        assert!(nothing.is_empty());
    }
}
