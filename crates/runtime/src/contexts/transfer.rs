//! Describes the saves of a child, or the restore after a load, as lifecycle events.

use std::time::{Duration, SystemTime};

use paddock_telemetry::LifecycleEvent;

use super::restore::RestoreReport;
use crate::journal::format_duration;
use crate::lifecycle_events::contexts_event;
use crate::memory::ByteSize;

/// Totals of a child's saves, or of the restore after its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContextTransfer {
    pub(crate) direction: Direction,
    /// Number of restored contexts, or of saves; a conversation that grows is saved again.
    pub(crate) contexts: u64,
    /// Tokens of these contexts.
    pub(crate) tokens: u64,
    /// Bytes of their files.
    pub(crate) bytes: u64,
    /// Number of failed saves or restores.
    pub(crate) failures: u64,
    pub(crate) time: Duration,
}

/// The direction of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Saved from a child.
    Saved,
    /// Restored into a child that has loaded.
    Restored,
}

impl From<&RestoreReport> for ContextTransfer {
    fn from(report: &RestoreReport) -> Self {
        Self {
            direction: Direction::Restored,
            contexts: report.count(),
            tokens: report.tokens(),
            bytes: report.bytes(),
            failures: report.failures,
            time: report.time,
        }
    }
}

impl ContextTransfer {
    /// Creates an empty transfer.
    pub(crate) const fn new(direction: Direction) -> Self {
        Self {
            direction,
            contexts: 0,
            tokens: 0,
            bytes: 0,
            failures: 0,
            time: Duration::ZERO,
        }
    }

    /// Returns the lifecycle event; `None` if nothing was saved or restored and nothing failed.
    pub(crate) fn lifecycle_event(&self, model: &str, at: SystemTime) -> Option<LifecycleEvent> {
        let is_empty = self.contexts == 0 && self.failures == 0;
        (!is_empty).then(|| LifecycleEvent {
            at,
            model: model.into(),
            event: contexts_event(self.direction).into(),
            reason: None,
            message: self.sentence(model),
        })
    }

    fn sentence(&self, model: &str) -> String {
        let (contexts, failures) = (self.contexts, self.failures);
        let size = format!("{} tokens, {}", self.tokens, ByteSize(self.bytes));
        let time = format_duration(self.time);
        match self.direction {
            Direction::Saved if contexts == 0 => {
                format!("contexts of {model} could not be saved (failures: {failures})")
            }
            Direction::Saved => {
                let failed = describe_failures(failures, "saves failed");
                let times = count_times(contexts);
                format!("contexts of {model} were saved {times} ({size}) in {time}{failed}")
            }
            Direction::Restored if contexts == 0 => {
                format!("no context of {model} could be restored (failures: {failures})")
            }
            Direction::Restored => {
                let failed = describe_failures(failures, "could not be restored");
                let restored = count_contexts(contexts);
                format!("restored {restored} of {model} ({size}) in {time}{failed}")
            }
        }
    }
}

fn describe_failures(failures: u64, what: &str) -> String {
    match failures {
        0 => String::new(),
        failures => format!("; {failures} {what}"),
    }
}

fn count_times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn count_contexts(count: u64) -> String {
    match count {
        1 => "1 context".to_owned(),
        count => format!("{count} contexts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_described_unless_it_is_empty() {
        let saved = |contexts, failures| ContextTransfer {
            direction: Direction::Saved,
            contexts,
            tokens: 4_200,
            bytes: 12 << 20,
            failures,
            time: Duration::from_millis(120),
        };
        let restored = |contexts, failures| ContextTransfer {
            direction: Direction::Restored,
            ..saved(contexts, failures)
        };
        for (transfer, expected) in [
            (saved(0, 0), None),
            (
                saved(1, 0),
                Some((
                    "contexts_saved",
                    "contexts of m were saved once (4200 tokens, 12.0 MiB) in 0.12 s",
                )),
            ),
            (
                saved(5, 2),
                Some((
                    "contexts_saved",
                    "contexts of m were saved 5 times (4200 tokens, 12.0 MiB) in 0.12 s; 2 saves failed",
                )),
            ),
            (
                saved(0, 1),
                Some((
                    "contexts_saved",
                    "contexts of m could not be saved (failures: 1)",
                )),
            ),
            (
                restored(1, 0),
                Some((
                    "contexts_restored",
                    "restored 1 context of m (4200 tokens, 12.0 MiB) in 0.12 s",
                )),
            ),
            (
                restored(2, 1),
                Some((
                    "contexts_restored",
                    "restored 2 contexts of m (4200 tokens, 12.0 MiB) in 0.12 s; 1 could not be restored",
                )),
            ),
            (
                restored(0, 3),
                Some((
                    "contexts_restored",
                    "no context of m could be restored (failures: 3)",
                )),
            ),
        ] {
            let event = transfer.lifecycle_event("m", SystemTime::UNIX_EPOCH);
            let event = event.as_ref();
            let described = event.map(|event| (&*event.event, event.message.as_str()));
            assert_eq!(described, expected);
        }
    }
}
