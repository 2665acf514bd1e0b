//! Which flags the engine knows, by its own help: an older one would not start with a newer flag.

use std::time::Duration;

use paddock_supervisor::{Launch, Spawner};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The argument that asks for it.
pub(crate) const FLAG: &str = "--help";

/// What the engine says to [`FLAG`], which `launch` runs it with; nothing where it says nothing.
pub(crate) async fn text(
    spawner: &Spawner,
    launch: Launch,
    cancelled: impl Future<Output = ()>,
) -> Option<String> {
    let answer = spawner.run_program(launch, LIMIT, cancelled).await;
    let answer = answer.inspect_err(|error| tracing::warn!(%error, "the engine gives no help"));
    Some(String::from_utf8_lossy(&answer.ok()?.stdout).into_owned())
}
