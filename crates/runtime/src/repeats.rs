//! Refusals of a model that tell no more than the one before: nothing was tried, and the reason is the same.

use paddock_scheduler::Note;
use paddock_supervisor::Failure;
use std::sync::Arc;

/// The failures of a model's loads that have been logged and counted.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// The reason why the model cannot be loaded, as last logged.
    cause: Option<Arc<Failure>>,
    /// The last refusal, until a child is started.
    refused: Option<Note>,
}

impl Repeats {
    /// Takes in the failure of a child.
    pub(super) fn failed(&mut self, cause: &Arc<Failure>) {
        self.cause = Some(Arc::clone(cause));
        self.refused = None;
    }

    /// Takes in a reason to start nothing. Returns whether it is another one than before.
    pub(super) fn is_news(&mut self, cause: &Arc<Failure>) -> bool {
        let same =
            |known: &Arc<Failure>| (known.class, &known.message) == (cause.class, &cause.message);
        let news = !self.cause.as_ref().is_some_and(same);
        if news {
            self.failed(cause);
        }
        news
    }

    /// Takes in a decision. Returns whether it refuses the model as the last one did.
    pub(super) fn is_repeat(&mut self, note: &Note) -> bool {
        let refused = match note {
            Note::Starts { .. } => {
                *self = Self::default();
                return false;
            }
            // Its files, or the last child, say that it does not load. When that may change is no news.
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
        let mut repeats = Repeats::default();
        let mut refused = |message: &str| {
            assert!(!repeats.is_repeat(&WANTED));
            let news = repeats.is_news(&cause(message));
            assert_eq!(news, !repeats.is_repeat(&FAILED), "{message}");
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
        assert!(!repeats.is_repeat(&starts));
        for _ in 0..2 {
            repeats.failed(&cause("gone"));
            assert!(!repeats.is_repeat(&FAILED));
        }
        assert!(!repeats.is_news(&cause("gone")));
        assert!(repeats.is_repeat(&FAILED));
    }

    #[test]
    fn what_does_not_fit_is_told_again_when_the_numbers_change() {
        let mut repeats = Repeats::default();
        assert!(!repeats.is_repeat(&large(3)));
        assert!(repeats.is_repeat(&large(3)));
        assert!(!repeats.is_repeat(&large(4)));
        assert!(repeats.is_news(&cause("gone")));
        assert!(!repeats.is_repeat(&FAILED));
        assert!(!repeats.is_repeat(&large(4)));
    }
}
