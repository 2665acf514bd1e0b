//! Starts the runtime actor, the task that decides which models are loaded, with the channels by which other parts
//! follow and command it.

use paddock_admission::catalog::Catalog;
use paddock_admission::lease_queue::AdmissionHandle;
use paddock_admission::phase::ServicePhase;
use paddock_config::Config;
use paddock_runtime::contexts;
use paddock_runtime::load_history;
use paddock_runtime::runtime_dir::RuntimeDir;
use paddock_runtime::{CommandEnd, Runtime, RuntimeHandle, RuntimeSetup};
use paddock_supervisor::Spawner;
use paddock_supervisor::sandbox::SandboxSupport;
use paddock_telemetry::LifecycleSender;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Parts of the service that the runtime actor needs.
pub(super) struct ControlPlaneSetup<'a> {
    pub(super) config: &'a Arc<Config>,
    pub(super) spawner: &'a Spawner,
    pub(super) runtime_dir: &'a RuntimeDir,
    /// Restrictions that the sandbox can use on this system.
    pub(super) parts: SandboxSupport,
    /// Measurements of earlier loads, if the state directory can be used.
    pub(super) learned: Option<load_history::LoadHistoryHandle>,
    /// Stores contexts, if the store could be opened.
    pub(super) contexts: Option<contexts::ContextsHandle>,
    /// Receives lifecycle events of models, such as loads and evictions.
    pub(super) lifecycle_sender: LifecycleSender,
    /// Receives the end of the command of `paddock wrap`, if the command ends before it is ready.
    pub(super) command_end: Option<oneshot::Sender<CommandEnd>>,
}

/// The running actor, and the ends of its channels for other parts.
pub(super) struct ControlPlane {
    pub(super) runtime: RuntimeHandle,
    /// Carries requests that wait for their model to the actor.
    pub(super) admission: AdmissionHandle,
    pub(super) phase: watch::Receiver<ServicePhase>,
    /// Changes when idle connections to a child must close, because the child stops.
    pub(super) hangups: watch::Receiver<u64>,
    /// The configured models and API keys.
    pub(super) catalog: watch::Receiver<Arc<Catalog>>,
    /// Ends with the actor, after the instances have stopped.
    pub(super) stopped: TaskTracker,
    /// Fails if the actor has panicked.
    pub(super) actor: JoinHandle<()>,
    /// Tasks of the instances.
    pub(super) instances: TaskTracker,
}

impl ControlPlane {
    /// Starts the actor.
    pub(super) fn start(setup: ControlPlaneSetup<'_>) -> Self {
        let (phase, phase_changes) = watch::channel(ServicePhase::Serving);
        let (hangups, hangup_changes) = watch::channel(0);
        let (catalog, catalog_changes) = watch::channel(Arc::default());
        let (admission, requests) = AdmissionHandle::new();
        let instances = TaskTracker::new();
        let (actor, runtime) = Runtime::new(RuntimeSetup {
            config: Arc::clone(setup.config),
            requests,
            spawner: setup.spawner.clone(),
            runtime_dir: setup.runtime_dir.path().to_owned(),
            run: setup.runtime_dir.run().clone(),
            sandbox_support: setup.parts,
            load_history: setup.learned,
            contexts: setup.contexts,
            lifecycle_sender: setup.lifecycle_sender,
            phase,
            hangups,
            catalog,
            tasks: instances.clone(),
            command_end: setup.command_end,
        });
        let stopped = TaskTracker::new();
        let actor = stopped.spawn(actor.run());
        stopped.close();
        Self {
            runtime,
            admission,
            phase: phase_changes,
            hangups: hangup_changes,
            catalog: catalog_changes,
            stopped,
            actor,
            instances,
        }
    }
}
