//! Starts the service: listeners, workers, the runtime actor, telemetry and the admin plane.
//!
//! Workers are the threads that serve clients. The runtime actor is the task that decides which models are loaded. The
//! admin plane is the HTTP server for operators.

mod control_plane;
mod resources;
mod shutdown;
mod start_error;

pub use shutdown::PartPanicked;
pub use start_error::StartError;

use self::control_plane::{ControlPlane, ControlPlaneSetup};
use self::resources::{
    make_runtime_dir, record_admin, start_contexts, start_load_history, start_spawner,
    take_state_dir,
};
use crate::admin_server::{self, AdminConnections};
use crate::listeners;
use crate::reload::{ConfigSource, Reloader, WildcardListeners};
use crate::routes::{self, SharedContext, Transport};
use crate::service_manager::{NotifyTask, ServiceManager};
use crate::socket_activation::InheritedSockets;
use axum::Router;
use axum::response::Response;
use http_body_util::BodyExt;
use paddock_admission::catalog::Catalog;
use paddock_admission::lease_queue::AdmissionHandle;
use paddock_config::{Config, Listen, Mode};
use paddock_proxy::descriptors::{ConnectionLimits, TooFewDescriptors, connection_limits};
use paddock_proxy::{
    Acceptor, ConnectionLimiter, OwnBody, OwnRequest, OwnRoutes, WorkerContext, WorkerThreads,
    WorkerUpdates,
};
use paddock_runtime::contexts;
use paddock_runtime::load_history;
use paddock_runtime::runtime_dir::RuntimeDir;
use paddock_runtime::sandbox;
use paddock_runtime::state_dir::StateDir;
use paddock_runtime::{CommandEnd, RuntimeHandle};
use paddock_supervisor::sandbox::SandboxSupport;
use paddock_supervisor::{Adoption, CleanupProcess, Shim, Spawner};
use paddock_telemetry::sink::{self, EventSink};
use paddock_telemetry::{self as telemetry, OtlpExporter, OtlpHandle, RecordBatch, SpanSender};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

/// Highest number of worker threads. Each can keep a core busy with tens of thousands of requests per second, and the
/// models need the other cores.
const MAX_WORKERS: usize = 4;

/// Batches of ended requests that may wait for the activity thread, which writes them to a database.
const MAX_QUEUED_BATCHES: usize = 64;

/// A running paddock.
#[derive(Debug)]
pub struct Service {
    config: Arc<Config>,
    public: Vec<Listen>,
    admin: Vec<Listen>,
    /// Files of unix sockets that paddock created for these addresses.
    socket_files: Vec<PathBuf>,
    runtime: RuntimeHandle,
    reloader: Reloader,
    workers: WorkerThreads,
    accepting: CancellationToken,
    admin_open: CancellationToken,
    tasks: TaskTracker,
    notify_task: NotifyTask,
    /// Ends with the runtime actor, after the instances have stopped.
    stopped: TaskTracker,
    /// Fails if the runtime actor has panicked.
    actor: JoinHandle<()>,
    /// Tasks of the instances.
    instances: TaskTracker,
    /// Ends when the last load measurement is written.
    learned: Option<load_history::LoadHistoryThread>,
    /// Ends when the last context is committed.
    contexts: Option<contexts::ContextsThread>,
    /// Ends when the last request is written; joined after the workers.
    activity: telemetry::ActivityThread,
    /// Ends when the last traces and metrics are sent; joined after the workers.
    exporter: OtlpExporter,
    /// Ends when the last event is posted; joined after the activity thread.
    sink: Option<EventSink>,
    spawner: Spawner,
    /// Receives the end of a wrapped command that has never served.
    command_end: Option<oneshot::Receiver<CommandEnd>>,
    /// Kills leftovers if this process is killed.
    watcher: Option<CleanupProcess>,
    runtime_dir: RuntimeDir,
    /// Locked to the end.
    state_dir: Option<StateDir>,
}

impl Service {
    /// Returns the number of threads that a service starts with: its workers, the spawner, one for each of three
    /// databases, and one for blocking work.
    pub fn threads() -> usize {
        worker_count() + 5
    }

    /// Opens the listeners first, so that clients can connect from the first moment, then starts all parts.
    ///
    /// Reloads read the configuration from `source`. A plane with inherited sockets listens only on those.
    /// `adoption` lets a process of paddock's own reap orphans of its children.
    ///
    /// # Errors
    /// An address is in use, or the system lacks a resource.
    pub async fn start(
        config: Config,
        source: Option<ConfigSource>,
        shim: Shim,
        inherited: InheritedSockets,
        manager: Option<ServiceManager>,
        adoption: Option<Adoption>,
    ) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let (limits, connections) = limit_connections(&config)?;
        let state_dir = take_state_dir(&config)?;
        let (public, admin) = listeners::open_planes(&config, inherited).await?;
        let runtime_dir = make_runtime_dir(&config).await?;
        record_admin(&config, &runtime_dir, &admin.addresses);
        let parts = SandboxSupport::detect();
        sandbox::log_support(parts, &config);
        let (spawner, watcher) = start_spawner(shim, adoption, runtime_dir.run()).await?;
        let (lessons, learned) = start_load_history(&config).await.unzip();
        let (contexts_handle, contexts) = start_contexts(&config, &runtime_dir).await.unzip();
        let (rows, ended) = mpsc::channel(MAX_QUEUED_BATCHES);
        let (retention, retention_changes) = watch::channel(config.activity_retention);
        let directory = state_dir.is_some().then(|| config.server.state_dir.clone());
        let (feed, sink) = config.events.clone().map(sink::start).unzip();
        let started = telemetry::start_activity_thread(directory, retention_changes, ended, feed)
            .map_err(StartError::Threads)?;
        let (activity_handle, lifecycle_sender, activity) = started;
        let otlp = OtlpHandle::new(config.otlp.clone());
        let (spans, traced) = otlp.batch_channel();
        let (ended_command, command_end) = command_end_channel(&config);
        let control = ControlPlane::start(ControlPlaneSetup {
            config: &config,
            spawner: &spawner,
            runtime_dir: &runtime_dir,
            parts,
            learned: lessons,
            contexts: contexts_handle,
            lifecycle_sender,
            command_end: ended_command,
        });
        let runtime = control.runtime;
        let shared = shared_context(&runtime, &control.catalog, &connections);
        let (site, metrics_source) =
            build_site(&config, control.admission, &shared, limits, (rows, spans));
        let news = WorkerUpdates {
            phase: control.phase,
            hangups: control.hangups,
            catalog: control.catalog,
        };
        let workers =
            WorkerThreads::start(worker_count(), &site, &news).map_err(StartError::Threads)?;
        let notify_task = NotifyTask::new();
        let reloader = Reloader {
            missing_sources: watch::channel(config.missing_sources()).0,
            source,
            runtime: runtime.clone(),
            progress: notify_task.progress().clone(),
            retention,
            otlp: otlp.clone(),
            wildcard_listeners: WildcardListeners::new(
                &config,
                &public.addresses,
                &admin.addresses,
            ),
        };
        let admin_context = routes::AdminContext {
            shared,
            workers: workers.handle(),
            reloader: reloader.clone(),
            activity: activity_handle,
            otlp: otlp.clone(),
            engines: routes::EngineScraper::default(),
            events: sink.as_ref().map(|sink| Arc::clone(&sink.counts)),
        };
        // Cannot fail: this is the only call.
        let _ = metrics_source.set(admin_context.clone());
        let exporter = start_exporter(&otlp, &runtime_dir, traced, admin_context.clone());
        let service = Self {
            config,
            public: public.addresses,
            admin: admin.addresses,
            socket_files: [public.socket_files, admin.socket_files].concat(),
            runtime,
            reloader,
            workers,
            accepting: CancellationToken::new(),
            admin_open: CancellationToken::new(),
            tasks: TaskTracker::new(),
            notify_task,
            stopped: control.stopped,
            actor: control.actor,
            instances: control.instances,
            learned,
            contexts,
            activity,
            exporter,
            sink,
            spawner,
            command_end,
            watcher,
            runtime_dir,
            state_dir,
        };
        service.open_public(public.acceptors, &connections);
        service.open_admin(admin.acceptors, &admin_context, limits.admin);
        service.notify_task.begin(manager, &service.runtime);
        Ok(service)
    }

    fn open_public(&self, acceptors: Vec<Acceptor>, connections: &ConnectionLimiter) {
        for acceptor in acceptors {
            let accepting = self.accepting.clone().cancelled_owned();
            let running = acceptor.run(&self.workers, connections.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = running => {}
                    () = accepting => {}
                }
            });
        }
    }

    /// Serves the admin plane, reaps orphans and watches the configuration file. Spawns the last of the tasks.
    fn open_admin(
        &self,
        acceptors: Vec<Acceptor>,
        context: &routes::AdminContext,
        max_connections: usize,
    ) {
        let connections = AdminConnections::new(max_connections);
        for acceptor in acceptors {
            let transport = match acceptor {
                Acceptor::Tcp(_) => Transport::Tcp,
                Acceptor::Unix(_) => Transport::Unix,
            };
            let router = routes::admin_router(context.clone(), transport);
            let open = self.admin_open.clone().cancelled_owned();
            let connections = connections.clone();
            self.tasks
                .spawn(admin_server::serve(acceptor, router, connections, open));
        }
        let reaping = self.spawner.reap_orphans();
        let open = self.admin_open.clone().cancelled_owned();
        self.tasks.spawn(async move {
            tokio::select! {
                () = reaping => {}
                () = open => {}
            }
        });
        let watching = self.reloader.clone().watch();
        let accepting = self.accepting.clone().cancelled_owned();
        self.tasks.spawn(async move {
            tokio::select! {
                () = watching => {}
                () = accepting => {}
            }
        });
        self.tasks.close();
    }

    /// Returns the addresses of the public plane, with the ports that were chosen for port 0.
    pub fn public_addresses(&self) -> &[Listen] {
        &self.public
    }

    /// Returns the addresses of the admin plane.
    pub fn admin_addresses(&self) -> &[Listen] {
        &self.admin
    }

    /// Returns a handle that reloads the configuration.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }
}

fn shared_context(
    runtime: &RuntimeHandle,
    catalog: &watch::Receiver<Arc<Catalog>>,
    connections: &ConnectionLimiter,
) -> SharedContext {
    SharedContext {
        runtime: runtime.clone(),
        catalog: catalog.clone(),
        connections: connections.clone(),
        started: seconds_since_1970(),
    }
}

/// Creates the channel that reports the end of a wrapped command, if there is one.
fn command_end_channel(
    config: &Config,
) -> (
    Option<oneshot::Sender<CommandEnd>>,
    Option<oneshot::Receiver<CommandEnd>>,
) {
    let channel = (config.mode != Mode::Serve).then(oneshot::channel);
    channel.unzip()
}

/// Derives the limits of connections, and creates the counter of clients' connections.
fn limit_connections(
    config: &Config,
) -> Result<(ConnectionLimits, ConnectionLimiter), TooFewDescriptors> {
    let limits = connection_limits(config)?;
    let per_address = config.server.max_connections_per_address;
    Ok((limits, ConnectionLimiter::new(limits.clients, per_address)))
}

/// Starts to export traces and the metrics of `/metrics` by OTLP.
fn start_exporter(
    otlp: &OtlpHandle,
    runtime_dir: &RuntimeDir,
    traced: mpsc::Receiver<Arc<RecordBatch>>,
    context: routes::AdminContext,
) -> OtlpExporter {
    OtlpExporter::start(otlp, runtime_dir.run().as_str(), traced, move || {
        let context = context.clone();
        async move { routes::families(&context).await }
    })
}

/// Builds the site that workers serve. Also returns the source of its `/metrics`, which the caller sets.
fn build_site(
    config: &Config,
    admission: AdmissionHandle,
    shared: &SharedContext,
    limits: ConnectionLimits,
    (rows, spans): (mpsc::Sender<Arc<RecordBatch>>, SpanSender),
) -> (Arc<WorkerContext>, routes::MetricsSource) {
    let metrics_source = routes::MetricsSource::default();
    let site = WorkerContext {
        body_limit: config.server.body_limit,
        max_idle_upstreams: (limits.idle_upstreams / worker_count()).max(1),
        admission,
        own_routes: match config.mode {
            Mode::Serve => Some(own_routes(routes::public_router(
                shared.clone(),
                Arc::clone(&metrics_source),
            ))),
            Mode::Wrap { .. } => None,
        },
        rows: Some(rows),
        spans: Some(spans),
    };
    (Arc::new(site), metrics_source)
}

/// Adapts a router to the proxy, which passes requests for paddock's own routes to it.
fn own_routes(router: Router) -> OwnRoutes {
    let to_proxy = |response: Response| {
        let (head, body) = response.into_parts();
        http::Response::from_parts(head, OwnBody::new(body.map_err(Into::into)))
    };
    BoxCloneSyncService::new(ServiceExt::<OwnRequest>::map_response(router, to_proxy))
}

fn worker_count() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_WORKERS))
}

fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
