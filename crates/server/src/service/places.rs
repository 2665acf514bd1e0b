//! The directories and helpers that a service works with, and what it does without one.

use super::StartError;
use paddock_config::{Config, Listen, Mode};
use paddock_runtime::admin_record;
use paddock_runtime::load_history;
use paddock_runtime::runtime_dir::{self, RUN_VARIABLE, RunId, RuntimeDir};
use paddock_runtime::stale_cleanup;
use paddock_runtime::state_dir::{SigningKey, StateDir, StateDirError};
use paddock_supervisor::blocking;
use paddock_supervisor::{Adoption, CleanupProcess, FailureClass, Shim, Spawner};
use std::io;

/// Takes the state directory. `wrap` keeps no state. Without the directory paddock works all the same,
/// unless another one has it.
pub(super) fn take_state(config: &Config) -> Result<Option<StateDir>, StartError> {
    if config.mode != Mode::Serve {
        return Ok(None);
    }
    match StateDir::lock(&config.server.state_dir) {
        Ok(taken) => Ok(Some(taken)),
        Err(error @ StateDirError::InUse { .. }) => Err(StartError::StateInUse(error)),
        Err(error) => {
            tracing::warn!("{error}");
            Ok(None)
        }
    }
}

/// Sweeps the place of runtime directories, and makes one.
pub(super) async fn make_runtime_dir(config: &Config) -> Result<RuntimeDir, StartError> {
    let state = config.server.state_dir.clone();
    let configured = config.server.runtime_dir.clone();
    let place = runtime_dir::parent_dir(configured.as_deref());
    let at = place.clone();
    let made = blocking::run(move || {
        let key = SigningKey::load_or_create(&state).inspect_err(|error| {
            tracing::warn!(%error, "what a paddock that is cut off leaves behind will stay");
        });
        let key = key.ok();
        if let Some(key) = &key {
            stale_cleanup::remove_stale_state(&place, key);
        }
        RuntimeDir::create(&place, key.as_ref())
    });
    made.await
        .flatten()
        .map_err(|source| StartError::RuntimeDir { place: at, source })
}

/// Lets the client commands find a wrapped command's admin address.
pub(super) fn record_admin(config: &Config, directory: &RuntimeDir, admin: &[Listen]) {
    if config.mode == Mode::Serve || admin.is_empty() {
        return;
    }
    if let Err(error) = admin_record::write(directory.path(), admin) {
        tracing::warn!(%error, "client commands need --admin to find this paddock");
    }
}

/// Starts the thread that starts children, and the watcher.
pub(super) async fn start_spawner(
    shim: Shim,
    adoption: Option<Adoption>,
    run: &RunId,
) -> Result<(Spawner, Option<CleanupProcess>), StartError> {
    let spawner = Spawner::start(shim, adoption).map_err(StartError::Threads)?;
    let watcher = start_watcher(&spawner, run).await;
    Ok((spawner, watcher))
}

/// Starts the process that kills what children leave behind if this one is killed. Process 1 needs none: the
/// kernel ends all others of its namespace with it. Without a watcher paddock works all the same, and the
/// next start cleans up.
async fn start_watcher(spawner: &Spawner, run: &RunId) -> Option<CleanupProcess> {
    if std::process::id() == 1 {
        return None;
    }
    let watcher = spawner
        .start_cleanup_process(RUN_VARIABLE, run.as_str())
        .await;
    watcher
        .inspect_err(|error| {
            tracing::warn!(
                %error,
                "cannot start the watcher; if paddock is killed, helpers of its models run until the next start"
            );
        })
        .ok()
}

/// What to do where a runtime directory cannot be made.
pub(super) fn placeless(error: &io::Error) -> &'static str {
    let used_up = FailureClass::from_io_error(error);
    used_up.map_or(
        "name a directory this user may write to as server.runtime_dir",
        FailureClass::advice,
    )
}

/// What earlier loads taught. Without a place for it paddock works all the same, and learns for as
/// long as it runs.
pub(super) async fn learn(
    config: &Config,
) -> Option<(
    load_history::LoadHistoryHandle,
    load_history::LoadHistoryThread,
)> {
    if config.mode != Mode::Serve {
        return None;
    }
    match load_history::start(config.server.state_dir.clone()).await {
        Ok(started) => Some(started),
        Err(error) => {
            tracing::warn!(%error, "what loads teach is not kept");
            None
        }
    }
}
