//! The whole service: started, run until it is told to stop, drained.

mod control_plane;
mod places;
mod stop;

pub use stop::Broken;

use self::control_plane::{ControlPlane, ControlPlaneSetup};
use self::places::{learn, make_runtime_dir, placeless, record_admin, start_spawner, take_state};
use crate::admin_server::{self, AdminConnections};
use crate::inherited::Inherited;
use crate::listeners;
use crate::reload::{Open, Reloader, Source};
use crate::routes::{self, Transport, View};
use crate::service_manager::{ServiceManager, Telling};
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
use paddock_runtime::load_history;
use paddock_runtime::runtime_dir::RuntimeDir;
use paddock_runtime::sandbox;
use paddock_runtime::state_dir::{StateDir, StateDirError};
use paddock_runtime::{CommandEnd, RuntimeHandle};
use paddock_supervisor::sandbox::SandboxSupport;
use paddock_supervisor::{Adoption, CleanupProcess, FailureClass, Shim, Spawner};
use paddock_telemetry::sink::{self, EventSink};
use paddock_telemetry::{self as telemetry, OtlpExporter, OtlpHandle, RecordBatch, SpanSender};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

/// The most worker threads. Each can keep a core busy with tens of thousands of requests a
/// second, and the models need the cores more.
const MOST_WORKERS: usize = 4;

/// How many portions of ended requests may wait to be listed.
const BATCHES: usize = 64;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {}", why(.source))]
    Listen {
        /// The address.
        address: Listen,
        /// What the system said.
        source: io::Error,
    },
    /// A socket that was handed over is open to every network, and nobody has allowed that.
    #[error(
        "the socket {0} was handed over, and is open to every network this machine is on: write \
         ListenStream=127.0.0.1:PORT in the socket unit, or have those who come show a key \
         (`paddock key new NAME`); if everyone may use it: `allow_public = true` \
         under [server], or --allow-public"
    )]
    OpenToAll(Listen),
    /// Another paddock has the state directory.
    #[error(transparent)]
    StateInUse(StateDirError),
    /// There is no place for the child's socket.
    #[error("cannot make a runtime directory for sockets in {}: {source}; {}", place.display(), placeless(source))]
    RuntimeDir {
        /// Where it was to be.
        place: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Too few files may be open.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// The threads cannot be started.
    #[error("cannot start threads: {0}; {advice}", advice = FailureClass::TooManyProcesses.advice())]
    Threads(#[source] io::Error),
}

impl StartError {
    /// Returns whether another program listens at the address.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self, Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there already; stop it, or choose another address".to_owned()
        }
        io::ErrorKind::PermissionDenied => format!("{error}; ports below 1024 need privileges"),
        _ => error.to_string(),
    }
}

/// A running paddock.
#[derive(Debug)]
pub struct Service {
    config: Arc<Config>,
    public: Vec<Listen>,
    admin: Vec<Listen>,
    /// The files of sockets that were made for these.
    sockets: Vec<PathBuf>,
    runtime: RuntimeHandle,
    reloader: Reloader,
    workers: WorkerThreads,
    accepting: CancellationToken,
    admin_open: CancellationToken,
    tasks: TaskTracker,
    telling: Telling,
    /// Ends when the runtime actor has, which is when the instances have stopped.
    stopped: TaskTracker,
    /// Fails where the runtime actor has panicked.
    actor: JoinHandle<()>,
    /// The instances.
    instances: TaskTracker,
    /// Ends when the last lesson is written.
    learned: Option<load_history::LoadHistoryThread>,
    /// Ends when the last request is written, after the workers.
    activity: telemetry::ActivityThread,
    /// Ends when the last traces and metrics are sent, after the workers.
    exporter: OtlpExporter,
    /// Ends when the last event is posted, after the activity.
    sink: Option<EventSink>,
    spawner: Spawner,
    /// Hears of the end of a wrapped command that has never served.
    command_end: Option<oneshot::Receiver<CommandEnd>>,
    /// Cleans up if this process is killed.
    watcher: Option<CleanupProcess>,
    runtime_dir: RuntimeDir,
    /// Held to the end.
    state_dir: Option<StateDir>,
}

impl Service {
    /// Returns how many threads a service starts with: its workers, and one each for what forks, for each of two
    /// databases, and for work that blocks.
    pub fn threads() -> usize {
        worker_count() + 4
    }

    /// Opens the listeners, then starts what is to be there from the start: whoever connects from
    /// the first moment on is answered. The configuration can be read again from its source.
    /// A plane whose sockets are inherited listens on those and on nothing else. A service manager is
    /// told how it goes. A process that belongs to paddock alone has begun an `adoption`: it reaps what
    /// children leave behind.
    ///
    /// # Errors
    /// An address is taken, or the system lacks something.
    pub async fn start(
        config: Config,
        source: Option<Source>,
        shim: Shim,
        inherited: Inherited,
        manager: Option<ServiceManager>,
        adoption: Option<Adoption>,
    ) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let (limits, connections) = limit_connections(&config)?;
        let state_dir = take_state(&config)?;
        let (public, admin) = listeners::open(&config, inherited).await?;
        let runtime_dir = make_runtime_dir(&config).await?;
        record_admin(&config, &runtime_dir, &admin.at);
        let parts = SandboxSupport::detect();
        sandbox::log_support(parts, &config);
        let (spawner, watcher) = start_spawner(shim, adoption, runtime_dir.run()).await?;
        let (lessons, learned) = learn(&config).await.unzip();
        let (rows, ended) = mpsc::channel(BATCHES);
        let (settings, set) = watch::channel(config.activity_retention);
        let place = state_dir.is_some().then(|| config.server.state_dir.clone());
        let (feed, sink) = config.events.clone().map(sink::start).unzip();
        let started = telemetry::start_activity_thread(place, set, ended, feed)
            .map_err(StartError::Threads)?;
        let (asker, lifecycle_sender, activity) = started;
        let otlp = OtlpHandle::new(config.otlp.clone());
        let (spans, traced) = otlp.batch_channel();
        let (ended_command, command_end) = watch_command(&config);
        let control = ControlPlane::start(ControlPlaneSetup {
            config: &config,
            spawner: &spawner,
            runtime_dir: &runtime_dir,
            parts,
            learned: lessons,
            lifecycle_sender,
            command_end: ended_command,
        });
        let runtime = control.runtime;
        let view = view(&runtime, &control.catalog, &connections);
        let (site, counted) = site(&config, control.admission, &view, limits, (rows, spans));
        let news = WorkerUpdates {
            phase: control.phase,
            hangups: control.hangups,
            catalog: control.catalog,
        };
        let workers =
            WorkerThreads::start(worker_count(), &site, &news).map_err(StartError::Threads)?;
        let telling = Telling::new();
        let reloader = Reloader {
            source,
            runtime: runtime.clone(),
            course: telling.course().clone(),
            activity: settings,
            otlp: otlp.clone(),
            open: Open::of(&config, &public.at, &admin.at),
        };
        let admin_routes = routes::Admin {
            view,
            workers: workers.handle(),
            reloader: reloader.clone(),
            activity: asker,
            otlp: otlp.clone(),
            engines: routes::Engines::default(),
            events: sink.as_ref().map(|sink| Arc::clone(&sink.counts)),
        };
        // Nothing is served yet, and nobody else sets it.
        let _ = counted.set(admin_routes.clone());
        let exporter = export(&otlp, &runtime_dir, traced, admin_routes.clone());
        let service = Self {
            config,
            public: public.at,
            admin: admin.at,
            sockets: [public.made, admin.made].concat(),
            runtime,
            reloader,
            workers,
            accepting: CancellationToken::new(),
            admin_open: CancellationToken::new(),
            tasks: TaskTracker::new(),
            telling,
            stopped: control.stopped,
            actor: control.actor,
            instances: control.instances,
            learned,
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
        service.open_admin(admin.acceptors, &admin_routes, limits.admin);
        service.telling.begin(manager, &service.runtime);
        Ok(service)
    }

    fn open_public(&self, acceptors: Vec<Acceptor>, connections: &ConnectionLimiter) {
        for acceptor in acceptors {
            let accepting = self.accepting.clone().cancelled_owned();
            let taking = acceptor.run(&self.workers, connections.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = taking => {}
                    () = accepting => {}
                }
            });
        }
    }

    /// Opens the admin plane, which is the last to be opened.
    fn open_admin(&self, acceptors: Vec<Acceptor>, routes: &routes::Admin, most: usize) {
        let connections = AdminConnections::new(most);
        for acceptor in acceptors {
            let transport = match acceptor {
                Acceptor::Tcp(_) => Transport::Tcp,
                Acceptor::Unix(_) => Transport::Unix,
            };
            let router = routes::admin(routes.clone(), transport);
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

    /// Where clients connect, with the ports that were chosen for port 0.
    pub fn public_addresses(&self) -> &[Listen] {
        &self.public
    }

    /// Where operators connect.
    pub fn admin_addresses(&self) -> &[Listen] {
        &self.admin
    }

    /// A way to have the configuration read again.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }
}

fn view(
    runtime: &RuntimeHandle,
    catalog: &watch::Receiver<Arc<Catalog>>,
    connections: &ConnectionLimiter,
) -> View {
    View {
        runtime: runtime.clone(),
        catalog: catalog.clone(),
        connections: connections.clone(),
        started: seconds_since_1970(),
    }
}

/// Makes the two ends by which the end of a wrapped command is told. There are none without such a command.
fn watch_command(
    config: &Config,
) -> (
    Option<oneshot::Sender<CommandEnd>>,
    Option<oneshot::Receiver<CommandEnd>>,
) {
    let ends = (config.mode != Mode::Serve).then(oneshot::channel);
    ends.unzip()
}

/// Derives how many connections there may be, and makes what counts clients'.
fn limit_connections(
    config: &Config,
) -> Result<(ConnectionLimits, ConnectionLimiter), TooFewDescriptors> {
    let limits = connection_limits(config)?;
    let per_address = config.server.max_connections_per_address;
    Ok((limits, ConnectionLimiter::new(limits.clients, per_address)))
}

/// Starts to send traces, and what `/metrics` says, by OTLP.
fn export(
    otlp: &OtlpHandle,
    runtime_dir: &RuntimeDir,
    traced: mpsc::Receiver<Arc<RecordBatch>>,
    counted: routes::Admin,
) -> OtlpExporter {
    OtlpExporter::start(otlp, runtime_dir.run().as_str(), traced, move || {
        let counted = counted.clone();
        async move { routes::families(&counted).await }
    })
}

/// Returns what the workers serve, and what is to be set for their `/metrics`.
fn site(
    config: &Config,
    admission: AdmissionHandle,
    view: &View,
    limits: ConnectionLimits,
    (rows, spans): (mpsc::Sender<Arc<RecordBatch>>, SpanSender),
) -> (Arc<WorkerContext>, routes::Counted) {
    let counted = routes::Counted::default();
    let site = WorkerContext {
        body_limit: config.server.body_limit,
        max_idle_upstreams: (limits.idle_upstreams / worker_count()).max(1),
        admission,
        own_routes: match config.mode {
            Mode::Serve => Some(own_routes(routes::public(
                view.clone(),
                Arc::clone(&counted),
            ))),
            Mode::Wrap { .. } => None,
        },
        rows: Some(rows),
        spans: Some(spans),
    };
    (Arc::new(site), counted)
}

/// Passes requests that the proxy finds to be paddock's own to a router.
fn own_routes(router: Router) -> OwnRoutes {
    let to_proxy = |response: Response| {
        let (head, body) = response.into_parts();
        http::Response::from_parts(head, OwnBody::new(body.map_err(Into::into)))
    };
    BoxCloneSyncService::new(ServiceExt::<OwnRequest>::map_response(router, to_proxy))
}

fn worker_count() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_WORKERS))
}

fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
