//! When a failed request is made again, and how long a request may take.

use std::time::Duration;

/// How often a request that failed in passing is made, and how long is waited in between.
///
/// In passing fail connections, time-outs, bodies that end early, and the answers 408, 429 and 5xx.
/// The n-th wait is `first` doubled n - 1 times, `longest` at most. What the server asks for by
/// `Retry-After` is waited if it is longer, up to `longest_asked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Requests in a row that bring less than a mebibyte.
    pub attempts: u32,
    /// Wait after the first failure; it doubles with every further one.
    pub first: Duration,
    /// Longest wait between two attempts.
    pub longest: Duration,
    /// The longest wait that a server is granted.
    pub longest_asked: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 6,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            longest_asked: Duration::from_secs(120),
        }
    }
}

impl Retry {
    /// The wait after the `failed`-th failure, counted from 1.
    pub(super) fn delay(&self, failed: u32, asked: Option<Duration>) -> Duration {
        let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
        let own = self.first.saturating_mul(doubled).min(self.longest);
        own.max(asked.unwrap_or_default().min(self.longest_asked))
    }
}

/// How long a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To find the server and to connect to it, each.
    pub connect: Duration,
    /// Longest time without a byte, after which an attempt has failed.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = Retry::default();
        let waits = [1, 2, 3, 4, 5, 6, 7, 100].map(|n| retry.delay(n, None).as_secs());
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn a_server_is_granted_a_longer_wait_within_a_limit() {
        let retry = Retry::default();
        let waits = [0, 7, 9, 1000].map(|asked| {
            let asked = Some(Duration::from_secs(asked));
            retry.delay(4, asked).as_secs()
        });
        assert_eq!(waits, [8, 8, 9, 120]);
    }
}
