//! Detects repeated refusals of a model, so that they are neither logged nor counted again: no child was started since
//! the previous one, and the reason is the same.

use paddock_scheduler::Note;
use paddock_supervisor::Failure;
use std::sync::Arc;

/// The last failure and refusal of a model that were logged and counted.
#[derive(Debug, Default)]
pub(super) struct FailureDedup {
    /// Reason why the model cannot be loaded, as last logged.
    cause: Option<Arc<Failure>>,
    /// Last refusal since a child was started.
    refused: Option<Note>,
}

impl FailureDedup {
    /// Stores the failure of a child.
    pub(super) fn record_failure(&mut self, cause: &Arc<Failure>) {
        self.cause = Some(Arc::clone(cause));
        self.refused = None;
    }

    /// Stores a reason to start no child. Returns true if it differs from the previous one.
    pub(super) fn is_new_cause(&mut self, cause: &Arc<Failure>) -> bool {
        let same =
            |known: &Arc<Failure>| (known.class, &known.message) == (cause.class, &cause.message);
        let news = !self.cause.as_ref().is_some_and(same);
        if news {
            self.record_failure(cause);
        }
        news
    }

    /// Stores a decision. Returns true if it refuses the model for the same reason as the last one.
    pub(super) fn is_repeat(&mut self, note: &Note) -> bool {
        let refused = match note {
            Note::Starts { .. } => {
                *self = Self::default();
                return false;
            }
            // The cause was already recorded; a changed retry time is not news.
            Note::Failed { .. } => self.cause.as_ref().map(|_| Note::Failed { retry: None }),
            Note::DoesNotFit { .. } => {
                self.cause = None;
                Some(note.clone())
            }
            _ => return false,
        };
        let repeat = refused.is_some() && refused == self.refused;
        self.refused = refused;
        repeat
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_scheduler::{Memory, WantedBy};
    use paddock_supervisor::{ChildPhase, FailureClass};

    const WANTED: Note = Note::Wanted {
        by: WantedBy::Operator,
    };
    const FAILED: Note = Note::Failed { retry: None };

    fn cause(message: &str) -> Arc<Failure> {
        Arc::new(Failure {
            class: FailureClass::BadFile,
            phase: ChildPhase::Spawn,
            exit: None,
            message: message.to_owned(),
            log_tail: Vec::new(),
        })
    }

    fn large(needs: u64) -> Note {
        Note::DoesNotFit {
            needs: Memory::needed(needs),
            available: Memory::needed(1),
            pinned: Vec::new(),
        }
    }

    #[test]
    fn the_same_reason_is_told_once_until_something_is_tried() {
        let mut failure_dedup = FailureDedup::default();
        let mut refused = |message: &str| {
            assert!(!failure_dedup.is_repeat(&WANTED));
            let news = failure_dedup.is_new_cause(&cause(message));
            assert_eq!(news, !failure_dedup.is_repeat(&FAILED), "{message}");
            news
        };
        assert!(refused("gone"));
        assert!(!refused("gone"));
        assert!(refused("cut short"));
        assert!(!refused("cut short"));
        assert!(refused("gone"));
        // A child is started, and fails. Requests for it are refused with its failure.
        let starts = Note::Starts {
            needs: Memory::needed(1),
            free: Memory::needed(2),
        };
        assert!(!failure_dedup.is_repeat(&starts));
        for _ in 0..2 {
            failure_dedup.record_failure(&cause("gone"));
            assert!(!failure_dedup.is_repeat(&FAILED));
        }
        assert!(!failure_dedup.is_new_cause(&cause("gone")));
        assert!(failure_dedup.is_repeat(&FAILED));
    }

    #[test]
    fn what_does_not_fit_is_told_again_when_the_numbers_change() {
        let mut failure_dedup = FailureDedup::default();
        assert!(!failure_dedup.is_repeat(&large(3)));
        assert!(failure_dedup.is_repeat(&large(3)));
        assert!(!failure_dedup.is_repeat(&large(4)));
        assert!(failure_dedup.is_new_cause(&cause("gone")));
        assert!(!failure_dedup.is_repeat(&FAILED));
        assert!(!failure_dedup.is_repeat(&large(4)));
    }

    #[test]
    fn a_start_makes_every_reason_new() {
        let mut failure_dedup = FailureDedup::default();
        assert!(!failure_dedup.is_repeat(&large(3)));
        assert!(failure_dedup.is_new_cause(&cause("gone")));
        let memory = Memory::needed(1);
        let starts = Note::Starts {
            needs: memory,
            free: memory,
        };
        assert!(!failure_dedup.is_repeat(&starts));
        assert!(failure_dedup.is_new_cause(&cause("gone")));
        assert!(!failure_dedup.is_repeat(&large(3)));
        assert!(!failure_dedup.is_repeat(&starts));
        assert!(!failure_dedup.is_repeat(&large(3)));
    }
}
