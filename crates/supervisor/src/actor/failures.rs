//! Builds a child's failure from its exit, its output and the kernel's counts of out-of-memory kills.

use super::Actor;
use crate::{
    ChildPhase, Exit, Failure, FailureClass,
    classify_failure::{self, FailureEvidence},
    liveness::HangEvidence,
    oom::{self, OomReading},
    output::Output,
    stdin_end,
};

/// Last lines of output that are searched for the cause of a failure.
const MAX_EVIDENCE_LINES: usize = 200;

/// Last lines of output that a failure carries for people to read.
const MAX_TAIL_LINES: usize = 20;

impl Actor {
    /// Finds the cause of a child's exit. If the child exited because its standard input ended, later children are
    /// started in a mode that does not depend on standard input.
    pub(super) fn exit_failure(
        &mut self,
        pid: u32,
        output: &Output,
        oom_before: &OomReading,
        phase: ChildPhase,
        exit: Exit,
    ) -> Failure {
        let lines = output.tail(MAX_EVIDENCE_LINES);
        if self.spec.ready_event && stdin_end::was_the_cause(&lines) {
            self.probe_from_now_on(pid);
        }
        let program = &self.spec.program;
        let evidence = FailureEvidence {
            program,
            phase,
            exit,
            kill_source: oom::find_kill_source(oom_before, &self.spec.oom.read()),
            lines: &lines,
        };
        let (class, message) = classify_failure::classify(&evidence);
        Failure {
            class,
            phase,
            exit: Some(exit),
            message,
            log_tail: output.tail(MAX_TAIL_LINES),
        }
    }

    /// Stops asking later children for state reports, so that none depends on its standard input.
    pub(super) fn probe_from_now_on(&mut self, pid: u32) {
        self.spec.ready_event = false;
        tracing::info!(
            name = %self.name,
            pid,
            "the server has no standard input because a start script runs it in the background; restarting it \
             without progress reports, which need standard input, and polling /health instead. Run the server with \
             `exec` in the script to get progress reports"
        );
    }

    /// Builds the failure of a ready child that was killed because it hung or failed its requests.
    pub(super) fn hang_failure(&self, output: &Output, why: HangEvidence) -> Failure {
        let (class, message) = classify_failure::describe_hang(&self.spec.program, why);
        Failure {
            class,
            phase: ChildPhase::Ready,
            exit: None,
            message,
            log_tail: output.tail(MAX_TAIL_LINES),
        }
    }

    pub(super) fn startup_timeout_failure(&self, output: &Output) -> Failure {
        let log_tail = output.tail(MAX_TAIL_LINES);
        Failure {
            class: FailureClass::StartupTimeout,
            phase: ChildPhase::Starting,
            exit: None,
            message: classify_failure::describe_startup_timeout(
                &self.spec.program,
                self.spec.startup_timeout,
                &log_tail,
            ),
            log_tail,
        }
    }
}
