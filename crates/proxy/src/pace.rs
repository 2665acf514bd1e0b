//! Minimum rates of clients that send or read slowly.

use std::time::Duration;
use tokio::time::Instant;

/// The lowest average rate at which a client may send or read, counted over the time spent waiting for the
/// client alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct MinRate {
    /// Waiting that is free.
    grace: Duration,
    bytes_per_second: u32,
}

impl MinRate {
    /// For a body that is read before the request has a place with its model: the client occupies memory
    /// only. nginx's limits between two reads (60 s) would let one byte a minute through.
    pub(super) const BEFORE_LEASE: Self = Self {
        grace: Duration::from_secs(30),
        bytes_per_second: 4 * 1024,
    };

    /// For a request that has a place while other requests wait for it.
    pub(super) const WITH_LEASE: Self = Self {
        grace: Duration::from_secs(10),
        bytes_per_second: 64 * 1024,
    };

    pub(super) fn bytes_per_second(self) -> u32 {
        self.bytes_per_second
    }

    /// Returns how long a client may be waited for that has moved `bytes`.
    fn allowance(self, bytes: u64) -> Duration {
        self.grace + self.time_for(bytes)
    }

    fn time_for(self, bytes: u64) -> Duration {
        let rate = u64::from(self.bytes_per_second);
        Duration::from_millis(bytes.saturating_mul(1000) / rate)
    }
}

/// The time that was spent waiting for a client, and the bytes it has moved meanwhile.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    waited: Duration,
    waiting_since: Option<Instant>,
    bytes: u64,
}

impl Pace {
    /// Starts to count waiting, if that has not begun. Bytes that moved before the first wait do not count:
    /// a client could save them up.
    pub(super) fn wait(&mut self, now: Instant) {
        if self.waiting_since.is_none() {
            if self.waited.is_zero() {
                self.bytes = 0;
            }
            self.waiting_since = Some(now);
        }
    }

    /// Counts bytes that the client has sent or read, and ends a wait.
    pub(super) fn moved(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes as u64;
        if let Some(since) = self.waiting_since.take() {
            self.waited += now.saturating_duration_since(since);
        }
    }

    /// Returns when the client falls below a rate if nothing moves until then; `None` while nobody waits for
    /// the client.
    pub(super) fn deadline(&self, rate: MinRate) -> Option<Instant> {
        self.waiting_since
            .map(|since| since + rate.allowance(self.bytes).saturating_sub(self.waited))
    }

    /// Returns true if the client has been slower than a rate so far, without any grace.
    pub(super) fn is_below(&self, rate: MinRate) -> bool {
        self.waited > rate.time_for(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: MinRate = MinRate {
        grace: Duration::from_secs(10),
        bytes_per_second: 100,
    };

    #[test]
    fn only_waiting_counts_and_bytes_extend_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        pace.moved(1_000_000, at(0));
        assert_eq!(pace.deadline(RATE), None);
        pace.wait(at(5));
        pace.wait(at(7));
        assert_eq!(pace.deadline(RATE), Some(at(15)), "no bytes are saved up");
        pace.moved(300, at(10));
        assert_eq!(pace.deadline(RATE), None);
        assert!(pace.is_below(RATE));
        // 5 s of 13 are used up.
        pace.wait(at(100));
        assert_eq!(pace.deadline(RATE), Some(at(108)));
        pace.moved(1000, at(101));
        assert!(!pace.is_below(RATE));
    }
}
