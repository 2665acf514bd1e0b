//! Limits how long a connection stays open after its last response, for a client that still sends.
//!
//! A plain close would make the kernel answer unread bytes with a reset, which can destroy the response on its
//! way (RFC 9112 §9.6). So only the sending side is closed, and what comes is discarded, as nginx does with
//! `lingering_close`. Meanwhile the connection still counts towards the connection limit.

use std::time::Duration;
use tokio::time::Instant;

/// Limits of the wait for the client's close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LingerLimits {
    /// Longest time in all.
    total: Duration,
    /// Longest time without a byte.
    silence: Duration,
    /// Limit of discarded bytes.
    bytes: u64,
}

impl LingerLimits {
    /// Limits while paddock serves: nginx's times (`lingering_time`, `lingering_timeout`).
    pub const SERVING: Self = Self {
        total: Duration::from_secs(30),
        silence: Duration::from_secs(5),
        bytes: 1024 * 1024 * 1024,
    };

    /// Limits while paddock stops.
    pub const STOPPING: Self = Self {
        total: Duration::from_secs(2),
        silence: Duration::from_secs(2),
        bytes: Self::SERVING.bytes,
    };

    /// Limits for a connection that was refused because of the connection limit.
    pub(crate) const REFUSED: Self = Self {
        total: Duration::from_secs(2),
        silence: Duration::from_secs(2),
        bytes: 16 * 1024 * 1024,
    };
}

/// The wait for one client's close.
#[derive(Debug, Clone, Copy)]
pub struct LingerTimer {
    begun: Instant,
    last: Instant,
    bytes: u64,
}

impl LingerTimer {
    /// Begins the wait.
    pub fn new(now: Instant) -> Self {
        Self {
            begun: now,
            last: now,
            bytes: 0,
        }
    }

    /// Counts discarded bytes.
    pub fn received(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes as u64;
        self.last = now;
    }

    /// Returns when the wait ends if nothing comes; `None` if it is over.
    pub fn deadline(&self, limits: LingerLimits, now: Instant) -> Option<Instant> {
        let deadline = (self.begun + limits.total).min(self.last + limits.silence);
        (now < deadline && self.bytes < limits.bytes).then_some(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LingerLimits = LingerLimits {
        total: Duration::from_secs(30),
        silence: Duration::from_secs(5),
        bytes: 100,
    };

    #[test]
    fn a_client_has_so_much_time_and_so_many_bytes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lingering = LingerTimer::new(start);
        assert_eq!(lingering.deadline(LIMITS, at(4)), Some(at(5)));
        assert_eq!(lingering.deadline(LIMITS, at(5)), None, "silence");
        for second in [4, 8, 12, 16, 20, 24, 28] {
            lingering.received(1, at(second));
        }
        assert_eq!(lingering.deadline(LIMITS, at(28)), Some(at(30)));
        assert_eq!(lingering.deadline(LIMITS, at(30)), None, "in total");
        let shorter = LingerLimits {
            total: Duration::from_secs(2),
            ..LIMITS
        };
        assert_eq!(
            lingering.deadline(shorter, at(28)),
            None,
            "it has begun to stop"
        );
        let mut lingering = LingerTimer::new(start);
        lingering.received(99, at(1));
        assert_eq!(lingering.deadline(LIMITS, at(1)), Some(at(6)));
        lingering.received(1, at(1));
        assert_eq!(lingering.deadline(LIMITS, at(1)), None, "bytes");
    }
}
