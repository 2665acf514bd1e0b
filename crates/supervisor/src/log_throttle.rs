//! Limits the lines of a child's output that are repeated in paddock's own log.

use std::time::Duration;

use tokio::time::Instant;

/// Lines that may be forwarded at once: more than a load writes at the usual verbosity.
const BURST_LINES: u32 = 200;

/// The time that adds one more line: 50 lines a second.
const LINE_INTERVAL: Duration = Duration::from_millis(20);

/// A token bucket that decides which lines of a model's children are forwarded to the log.
///
/// Once the bucket is empty nothing is forwarded until it is full again. So lines appear in whole pieces, and
/// the number of lines suppressed in each gap is logged.
#[derive(Debug)]
pub(crate) struct LogThrottle {
    /// The moment at which the bucket is full again.
    full_at: Instant,
    /// The number of lines suppressed in the current gap and not reported yet.
    gap: Option<u64>,
}

/// The decision about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThrottleDecision {
    /// Forward the line, after a report of the suppressed lines before it, if any.
    Forward {
        /// The number of lines suppressed in the gap that this line ends.
        suppressed: u64,
    },
    /// Suppress the line.
    Suppress,
}

impl LogThrottle {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            full_at: now,
            gap: None,
        }
    }

    /// Decides about a line.
    pub(crate) fn decide(&mut self, now: Instant) -> ThrottleDecision {
        let suppressed = match self.gap {
            Some(suppressed) if now < self.full_at => {
                self.gap = Some(suppressed + 1);
                return ThrottleDecision::Suppress;
            }
            gap => gap.unwrap_or(0),
        };
        let full_at = self.full_at.max(now) + LINE_INTERVAL;
        if full_at - now > LINE_INTERVAL * BURST_LINES {
            self.gap = Some(1);
            return ThrottleDecision::Suppress;
        }
        self.gap = None;
        self.full_at = full_at;
        ThrottleDecision::Forward { suppressed }
    }

    /// Returns the end of a gap that must be reported even if no line follows.
    pub(crate) fn gap_end(&self) -> Option<Instant> {
        self.gap
            .filter(|suppressed| *suppressed > 0)
            .map(|_| self.full_at)
    }

    /// Ends a gap that is over, and returns the number of suppressed lines.
    pub(crate) fn end_gap(&mut self, now: Instant) -> u64 {
        if now < self.full_at {
            return 0;
        }
        self.gap.take().unwrap_or(0)
    }

    /// Returns the number of lines that an exited child wrote in a gap, and resets it. The gap continues for
    /// the next child.
    pub(crate) fn take_suppressed(&mut self) -> u64 {
        self.gap.as_mut().map_or(0, std::mem::take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORWARD: ThrottleDecision = ThrottleDecision::Forward { suppressed: 0 };

    /// Returns how many of `count` lines at one moment are forwarded.
    fn said(throttle: &mut LogThrottle, count: u32, now: Instant) -> usize {
        let verdicts = (0..count).map(|_| throttle.decide(now));
        verdicts
            .filter(|verdict| *verdict != ThrottleDecision::Suppress)
            .count()
    }

    #[test]
    fn a_burst_is_said_and_then_nothing_until_the_bucket_is_full() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(start);
        assert_eq!(said(&mut throttle, 1_000, start), 200);
        let full = start + LINE_INTERVAL * BURST_LINES;
        assert_eq!(throttle.gap_end(), Some(full));
        assert_eq!(
            throttle.decide(full - LINE_INTERVAL),
            ThrottleDecision::Suppress
        );
        assert_eq!(
            throttle.decide(full),
            ThrottleDecision::Forward { suppressed: 801 }
        );
        assert_eq!(throttle.gap_end(), None);
        assert_eq!(said(&mut throttle, 1_000, full), 199);
    }

    #[test]
    fn fifty_lines_a_second_are_said_for_ever() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(start);
        for line in 0..10_000 {
            assert_eq!(
                throttle.decide(start + LINE_INTERVAL * line),
                FORWARD,
                "line {line}"
            );
        }
        // Twice the rate uses up the tokens saved for a burst, and then a gap begins.
        let later = start + LINE_INTERVAL * 10_000;
        let twice = (0..1_000).map(|line| throttle.decide(later + LINE_INTERVAL / 2 * line));
        let first_held = twice
            .into_iter()
            .position(|verdict| verdict == ThrottleDecision::Suppress);
        assert_eq!(first_held, Some(399));
    }

    #[test]
    fn in_the_long_run_a_flood_has_fifty_lines_a_second() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(start);
        let mut lines = 0;
        for tick in 0..60_000 / 20 {
            lines += said(&mut throttle, 1_000, start + LINE_INTERVAL * tick);
        }
        assert_eq!(lines, 200 * 15);
    }

    #[test]
    fn a_gap_is_told_of_once_though_no_line_ends_it() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(start);
        said(&mut throttle, 300, start);
        let due = throttle.gap_end().unwrap();
        assert_eq!(throttle.end_gap(due - LINE_INTERVAL), 0);
        assert_eq!(throttle.end_gap(due), 100);
        assert_eq!((throttle.end_gap(due), throttle.gap_end()), (0, None));
        assert_eq!(throttle.decide(due), FORWARD);
    }

    #[test]
    fn the_next_child_does_not_end_the_gap_of_the_last_one() {
        let start = Instant::now();
        let mut throttle = LogThrottle::new(start);
        said(&mut throttle, 300, start);
        assert_eq!(
            (throttle.take_suppressed(), throttle.take_suppressed()),
            (100, 0)
        );
        assert_eq!(throttle.gap_end(), None);
        assert_eq!(said(&mut throttle, 7, start), 0);
        assert_eq!(throttle.end_gap(throttle.gap_end().unwrap()), 7);
    }
}
