//! The causes of a child's failure, as far as its exit, its output and the kernel tell them.

use super::Actor;
use crate::{
    Exit, Failure, FailureClass, Phase,
    classify::{self, Evidence},
    oom::{self, Reading},
    output::Output,
    stdin_end,
    vigil::Suspicion,
};

/// Lines of output that are searched for the cause of a failure.
const EVIDENCE_LINES: usize = 200;

/// Lines of output that a failure carries.
const TAIL_LINES: usize = 20;

impl Actor {
    /// Finds the cause of a child's end. One that has ended with its standard input is the last that depends on it.
    pub(super) fn died(
        &mut self,
        pid: u32,
        output: &Output,
        counted: &Reading,
        phase: Phase,
        exit: Exit,
    ) -> Failure {
        let lines = output.tail(EVIDENCE_LINES);
        if self.spec.ready_event && stdin_end::was_the_cause(&lines) {
            self.probe_from_now_on(pid);
        }
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

    /// Has no later child report its state, so that none depends on its standard input.
    pub(super) fn probe_from_now_on(&mut self, pid: u32) {
        self.spec.ready_event = false;
        tracing::info!(
            name = %self.name,
            pid,
            "the server has no standard input, as one that a start script runs in the background: it is started \
             again without the reports that need one, and /health says when it is ready; a script that runs it \
             with `exec` also shows how far a load is"
        );
    }

    pub(super) fn hung(&self, output: &Output, why: Suspicion) -> Failure {
        Failure {
            class: FailureClass::Unresponsive,
            phase: Phase::Ready,
            exit: None,
            message: classify::hung(&self.spec.program, why),
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
