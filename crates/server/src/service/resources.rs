//! Acquires the directories, threads and helper processes of a service.
//!
//! Only the runtime directory (for the children's sockets) and the spawner thread are required. The service can run
//! without the others.

use super::StartError;
use paddock_config::{Config, Listen, Mode};
use paddock_runtime::admin_record;
use paddock_runtime::contexts;
use paddock_runtime::load_history;
use paddock_runtime::runtime_dir::{self, RUN_VARIABLE, RunId, RuntimeDir};
use paddock_runtime::stale_cleanup;
use paddock_runtime::state_dir::{SigningKey, StateDir, StateDirError};
use paddock_supervisor::blocking;
use paddock_supervisor::{Adoption, CleanupProcess, FailureClass, Shim, Spawner};
use std::io;

/// Locks the state directory, which holds files that outlive a run. `paddock wrap` has none. Fails only if another
/// paddock uses the directory; after any other error paddock runs without a state directory.
pub(super) fn take_state_dir(config: &Config) -> Result<Option<StateDir>, StartError> {
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

/// Removes what killed paddocks left in the parent of runtime directories, and creates a new one there.
pub(super) async fn make_runtime_dir(config: &Config) -> Result<RuntimeDir, StartError> {
    let state = config.server.state_dir.clone();
    let configured = config.server.runtime_dir.clone();
    let parent = runtime_dir::parent_dir(configured.as_deref());
    let error_parent = parent.clone();
    let made = blocking::run(move || {
        let key = SigningKey::load_or_create(&state).inspect_err(|error| {
            tracing::warn!(%error, "cannot load the signing key; leftovers of killed paddocks will not be removed");
        });
        let key = key.ok();
        if let Some(key) = &key {
            stale_cleanup::remove_stale_state(&parent, key);
        }
        RuntimeDir::create(&parent, key.as_ref())
    });
    made.await
        .flatten()
        .map_err(|source| StartError::RuntimeDir {
            place: error_parent,
            source,
        })
}

/// Records the admin address of `paddock wrap`, so that client commands find it.
pub(super) fn record_admin(config: &Config, directory: &RuntimeDir, admin: &[Listen]) {
    if config.mode == Mode::Serve || admin.is_empty() {
        return;
    }
    if let Err(error) = admin_record::write(directory.path(), admin) {
        tracing::warn!(%error, "cannot record the admin address; client commands will need --admin");
    }
}

/// Starts the thread that spawns children, and the watcher process.
pub(super) async fn start_spawner(
    shim: Shim,
    adoption: Option<Adoption>,
    run: &RunId,
) -> Result<(Spawner, Option<CleanupProcess>), StartError> {
    let spawner = Spawner::start(shim, adoption).map_err(StartError::Threads)?;
    let watcher = start_watcher(&spawner, run).await;
    Ok((spawner, watcher))
}

/// Starts the process that kills leftovers of children if this process is killed. Process 1 needs none: the
/// kernel kills its whole pid namespace with it. Without a watcher, the next start cleans up.
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
                "cannot start the watcher; if paddock is killed, processes of its models keep running until paddock next starts"
            );
        })
        .ok()
}

/// Returns the advice for a runtime directory that cannot be created.
pub(super) fn runtime_dir_advice(error: &io::Error) -> &'static str {
    let exhausted = FailureClass::from_io_error(error);
    exhausted.map_or(
        "set server.runtime_dir to a directory that this user may write to",
        FailureClass::advice,
    )
}

/// Opens the database of load measurements. Without it, paddock remembers measurements only as long as it runs.
pub(super) async fn start_load_history(
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
            tracing::warn!(%error, "cannot open the load history; load measurements will not be saved");
            None
        }
    }
}

/// Opens the context store. Returns `None` with `paddock wrap`, or after an error, which is logged: contexts are then
/// not kept.
pub(super) async fn start_contexts(
    config: &Config,
    runtime_dir: &RuntimeDir,
) -> Option<(contexts::ContextsHandle, contexts::ContextsThread)> {
    if config.mode != Mode::Serve {
        return None;
    }
    let place = contexts::StorePlace::from_config(config, runtime_dir.path());
    let limits = contexts::StoreLimits::from_config(config);
    match contexts::start(place, limits).await {
        Ok(started) => Some(started),
        Err(error) => {
            tracing::warn!(%error, "cannot open the context store; contexts will not be saved");
            None
        }
    }
}
