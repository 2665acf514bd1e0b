//! Runs `llama-server --help` to find the flags that this version supports: it does not start with unknown flags.

use std::time::Duration;

use paddock_supervisor::{Launch, Spawner};

/// Longest run of the engine (llama-server) with `--help`.
const HELP_TIMEOUT: Duration = Duration::from_secs(10);

/// Flag that makes the engine print its help.
pub(crate) const HELP_FLAG: &str = "--help";

/// Returns the engine's help; `None` if it fails. `launch` runs it with [`HELP_FLAG`].
pub(crate) async fn read_help(
    spawner: &Spawner,
    launch: Launch,
    cancelled: impl Future<Output = ()>,
) -> Option<String> {
    let answer = spawner.run_program(launch, HELP_TIMEOUT, cancelled).await;
    let answer = answer
        .inspect_err(|error| tracing::warn!(%error, "could not read the engine's --help output"));
    Some(String::from_utf8_lossy(&answer.ok()?.stdout).into_owned())
}
