//! Stops a running child: with SIGTERM, and with SIGKILL if the child does not exit in time.

use super::{Actor, KILL_REPORT_INTERVAL, desired_at_least};
use crate::State;
use crate::desired_state::DesiredState;
use crate::process::Process;
use crate::state_report;
use rustix::process::Signal;
use tokio::time;

impl Actor {
    /// Sends SIGTERM, waits, sends SIGTERM, waits, sends SIGKILL, and reaps. A caller that asks for a kill ends the
    /// waits. Two SIGTERMs, because llama-server finishes open requests after the first and exits at once after the
    /// second.
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

/// Kills the process group and waits, without a limit, until the child is reaped.
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
