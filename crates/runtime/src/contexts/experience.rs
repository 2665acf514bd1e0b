//! Records the experience with a model's contexts: costs, crashes and differences.

use paddock_contexts::Costs;
use paddock_supervisor::{Exit, Failure};

use super::support::Unsupported;

/// Number of crashes with restored contexts after which a model's contexts are no longer kept.
const MAX_CRASHES: u32 = 2;

/// Signals that end a process because of its own fault: SIGILL, SIGABRT, SIGBUS, SIGFPE and SIGSEGV (POSIX.1-2024,
/// `signal.h`). The numbers are the same on Linux and macOS, except SIGBUS: 7 on Linux, 10 on macOS.
const FAULT_SIGNALS: [i32; 6] = [4, 6, 7, 8, 10, 11];

/// Experience with the contexts of one identity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ContextExperience {
    /// Identity of the contexts.
    pub(crate) identity: String,
    pub(crate) costs: Costs,
    /// Number of crashes that a restored context may have caused.
    crashes: u32,
    /// True if a child continued a context differently from the child that saved it.
    pub(crate) differs: bool,
    /// True if a child has continued an extended window like the child that saved it.
    pub(crate) is_window_checked: bool,
}

/// The stage of a child's use of restored contexts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContextUse {
    /// The child has no restored context.
    None,
    /// The child is restoring contexts.
    Restoring,
    /// The child has restored contexts.
    Restored {
        /// Number of the model's answers before the restore.
        answers: u64,
    },
}

impl ContextExperience {
    pub(crate) fn new(identity: String, costs: Costs) -> Self {
        Self {
            identity,
            costs,
            crashes: 0,
            differs: false,
            is_window_checked: false,
        }
    }

    pub(crate) fn record_crash(&mut self) {
        self.crashes += 1;
    }

    /// Returns the reason to stop keeping contexts of this identity, if there is one.
    pub(crate) fn objection(&self) -> Option<Unsupported> {
        if self.differs {
            Some(Unsupported::Differs)
        } else {
            (self.crashes >= MAX_CRASHES).then_some(Unsupported::Crashes)
        }
    }
}

impl ContextUse {
    /// Returns true if a restored context may have crashed the child: llama-server aborts while it restores a damaged
    /// file, or at the first request that uses it (measured with llama.cpp b11434). `answers` is the number of the
    /// model's answers so far.
    pub(crate) fn may_have_crashed(self, failure: &Failure, answers: u64) -> bool {
        let is_fault =
            matches!(failure.exit, Some(Exit::Signal(signal)) if FAULT_SIGNALS.contains(&signal));
        is_fault
            && match self {
                Self::None => false,
                Self::Restoring => true,
                Self::Restored { answers: before } => answers == before,
            }
    }
}

#[cfg(test)]
mod tests {
    use paddock_supervisor::{ChildPhase, FailureClass};

    use super::*;

    fn failure(exit: Option<Exit>) -> Failure {
        Failure {
            class: FailureClass::Crashed,
            phase: ChildPhase::Ready,
            exit,
            message: String::new(),
            log_tail: Vec::new(),
        }
    }

    #[test]
    fn a_crash_before_the_first_answer_is_attributed_to_restored_contexts() {
        let abort = Some(Exit::Signal(6));
        let restored = ContextUse::Restored { answers: 7 };
        let cases = [
            ("while restoring", ContextUse::Restoring, abort, 7, true),
            ("at the first request", restored, abort, 7, true),
            ("after an answer", restored, abort, 8, false),
            ("without contexts", ContextUse::None, abort, 7, false),
            (
                "killed",
                ContextUse::Restoring,
                Some(Exit::Signal(9)),
                7,
                false,
            ),
            (
                "exited",
                ContextUse::Restoring,
                Some(Exit::Code(1)),
                7,
                false,
            ),
            ("hung", ContextUse::Restoring, None, 7, false),
        ];
        for (name, context_use, exit, answers, is_suspect) in cases {
            let found = context_use.may_have_crashed(&failure(exit), answers);
            assert_eq!(found, is_suspect, "{name}");
        }
    }

    #[test]
    fn contexts_are_no_longer_kept_after_two_crashes_or_one_difference() {
        let mut experience = ContextExperience::new("i".to_owned(), Costs::default());
        experience.record_crash();
        assert_eq!(experience.objection(), None);
        experience.record_crash();
        assert_eq!(experience.objection(), Some(Unsupported::Crashes));
        experience.differs = true;
        assert_eq!(experience.objection(), Some(Unsupported::Differs));
    }
}
