//! The end of a child that still runs.

use super::{Actor, KILL_REPORT_INTERVAL, desired_at_least};
use crate::State;
use crate::desired_state::DesiredState;
use crate::process::Process;
use crate::state_report;
use rustix::process::Signal;
use tokio::time;

impl Actor {
    /// Sends SIGTERM, waits, sends SIGTERM, waits, sends SIGKILL, and reaps. A desired kill ends a wait.
    pub(super) async fn stop(&mut self, process: &mut Process) {
        self.state.publish(State::Stopping { pid: process.id() });
        for grace in [self.spec.stop.first_grace, self.spec.stop.second_grace] {
            if *self.desired.borrow() == DesiredState::Killed {
                break;
            }
            process.signal(Signal::TERM);
            // A stopped process (SIGSTOP) handles no other signal until it continues.
            process.signal(Signal::CONT);
            if self.spec.ready_event {
                process.write_stdin(state_report::EXIT_COMMAND).await;
            }
            tokio::select! {
                biased;
                _ = process.wait() => return,
                () = desired_at_least(&mut self.desired, DesiredState::Killed) => break,
                () = time::sleep(grace) => {}
            }
        }
        tracing::info!(name = %self.name, pid = process.id(), "killing the child");
        kill(process).await;
    }
}

/// Kills the process group and reaps the child, however long the kernel takes.
pub(super) async fn kill(process: &mut Process) {
    process.signal(Signal::KILL);
    while time::timeout(KILL_REPORT_INTERVAL, process.wait())
        .await
        .is_err()
    {
        tracing::error!(
            pid = process.id(),
            "the child survived SIGKILL: it is stuck in the kernel"
        );
    }
}
