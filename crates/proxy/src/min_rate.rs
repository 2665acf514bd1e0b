//! Defines how slowly a client may send or read, and measures its rate.

use std::time::Duration;
use tokio::time::Instant;

/// Lowest average rate at which a client may send or read. Only time spent waiting for the client counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct MinRate {
    /// Waiting time that does not count.
    grace: Duration,
    bytes_per_second: u32,
}

impl MinRate {
    /// Limit for a body read before the request has a lease (the permission to send one request to a loaded model):
    /// the client occupies memory only. nginx's limit between two reads (60 s) would let one byte a minute through.
    pub(super) const BEFORE_LEASE: Self = Self {
        grace: Duration::from_secs(30),
        bytes_per_second: 4 * 1024,
    };

    /// Limit for a request with a lease while other requests wait for the model's slot that it occupies.
    pub(super) const WITH_LEASE: Self = Self {
        grace: Duration::from_secs(10),
        bytes_per_second: 64 * 1024,
    };

    pub(super) fn bytes_per_second(self) -> u32 {
        self.bytes_per_second
    }

    /// Returns how long a client that has moved `bytes` may be waited for.
    fn allowance(self, bytes: u64) -> Duration {
        self.grace + self.time_for(bytes)
    }

    fn time_for(self, bytes: u64) -> Duration {
        let rate = u64::from(self.bytes_per_second);
        Duration::from_millis(bytes.saturating_mul(1000) / rate)
    }
}

/// Time spent waiting for a client, and bytes moved meanwhile.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TransferPace {
    waited: Duration,
    waiting_since: Option<Instant>,
    bytes: u64,
}

impl TransferPace {
    /// Starts to count waiting, if it has not begun. Bytes before the first wait do not count: a client could
    /// save them up.
    pub(super) fn start_waiting(&mut self, now: Instant) {
        if self.waiting_since.is_none() {
            if self.waited.is_zero() {
                self.bytes = 0;
            }
            self.waiting_since = Some(now);
        }
    }

    /// Counts bytes that the client has sent or read, and ends a wait.
    pub(super) fn add_bytes(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes as u64;
        if let Some(since) = self.waiting_since.take() {
            self.waited += now.saturating_duration_since(since);
        }
    }

    /// Returns when the client falls below `rate` if nothing moves; `None` while the client is not waited for.
    pub(super) fn deadline(&self, rate: MinRate) -> Option<Instant> {
        self.waiting_since
            .map(|since| since + rate.allowance(self.bytes).saturating_sub(self.waited))
    }

    /// Returns true if the client has been slower than `rate` so far, without any grace.
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
        let mut pace = TransferPace::default();
        pace.add_bytes(1_000_000, at(0));
        assert_eq!(pace.deadline(RATE), None);
        pace.start_waiting(at(5));
        pace.start_waiting(at(7));
        assert_eq!(pace.deadline(RATE), Some(at(15)), "no bytes are saved up");
        pace.add_bytes(300, at(10));
        assert_eq!(pace.deadline(RATE), None);
        assert!(pace.is_below(RATE));
        // 5 s of 13 are used up.
        pace.start_waiting(at(100));
        assert_eq!(pace.deadline(RATE), Some(at(108)));
        pace.add_bytes(1000, at(101));
        assert!(!pace.is_below(RATE));
    }
}
