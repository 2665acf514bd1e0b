//! The causes of a child's failure, as far as its exit, its output and the kernel tell them.

use super::Actor;
use crate::{
    Exit, Failure, FailureClass, Phase,
    classify::{self, Evidence},
    oom::{self, Reading},
    output::Output,
    vigil::Suspicion,
};

/// Lines of output that are searched for the cause of a failure.
const EVIDENCE_LINES: usize = 200;

/// Lines of output that a failure carries.
const TAIL_LINES: usize = 20;

impl Actor {
    pub(super) fn died(
        &self,
        output: &Output,
        counted: &Reading,
        phase: Phase,
        exit: Exit,
    ) -> Failure {
        let lines = output.tail(EVIDENCE_LINES);
        let program = &self.spec.program;
        let evidence = Evidence {
            program,
            phase,
            exit,
            killer: oom::judge(counted, &self.spec.oom.read()),
            lines: &lines,
        };
        let (class, message) = classify::classify(&evidence);
        Failure {
            class,
            phase,
            exit: Some(exit),
            message,
            log_tail: output.tail(TAIL_LINES),
        }
    }

    pub(super) fn hung(&self, output: &Output, why: Suspicion) -> Failure {
        let (class, message) = classify::hung(&self.spec.program, why);
        Failure {
            class,
            phase: Phase::Ready,
            exit: None,
            message,
            log_tail: output.tail(TAIL_LINES),
        }
    }

    pub(super) fn was_silent(&self, output: &Output) -> Failure {
        let log_tail = output.tail(TAIL_LINES);
        Failure {
            class: FailureClass::StartupTimeout,
            phase: Phase::Starting,
            exit: None,
            message: classify::silent(&self.spec.program, self.spec.startup_timeout, &log_tail),
            log_tail,
        }
    }
}
