//! Memory for images while they are decoded, on however many threads.

use std::sync::{Condvar, Mutex, PoisonError};

/// So many bytes, which threads take and give back.
pub(super) struct Room {
    left: Mutex<u64>,
    given_back: Condvar,
}

/// Bytes that were taken, given back when this is dropped.
pub(super) struct Taken<'a> {
    room: &'a Room,
    bytes: u64,
}

impl Room {
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            left: Mutex::new(bytes),
            given_back: Condvar::new(),
        }
    }

    /// Takes so many bytes, once there are. There must never be more asked for than there is room at all.
    pub(super) fn take(&self, bytes: u64) -> Taken<'_> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.given_back.wait_while(left, |left| *left < bytes);
        *waited.unwrap_or_else(PoisonError::into_inner) -= bytes;
        Taken { room: self, bytes }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let left = self.room.left.lock();
        *left.unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.room.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn no_more_is_out_at_a_time_than_there_is() {
        let room = Room::new(10);
        let (out, most) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for bytes in [1, 4, 10, 7, 3, 10] {
                let (room, out, most) = (&room, &out, &most);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let _taken = room.take(bytes);
                        let now = out.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        most.fetch_max(now, Ordering::SeqCst);
                        thread::yield_now();
                        out.fetch_sub(bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 10);
        assert_eq!(*room.left.lock().unwrap(), 10);
    }
}
