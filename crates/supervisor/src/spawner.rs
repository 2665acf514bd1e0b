//! The thread that forks.
//!
//! A parent-death signal follows the *thread* that forked, not the process (prctl(2),
//! `PR_SET_PDEATHSIG`). A worker thread of the runtime may end at any time and would take the children
//! with it, so one thread does nothing but fork and lives as long as anybody may have a child.

use std::{ffi::OsString, fmt, io, path::PathBuf, process::Stdio, thread};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    Adoption, Sandbox, Shim, blocking,
    cleanup_process::CleanupProcess,
    leftovers,
    marker::{self, InstanceMarker},
    orphans::{ChildRegistry, Offspring},
    process::Process,
    shim,
};

/// Spawns waiting for the thread; a caller waits when there are more.
const MAX_QUEUED_SPAWNS: usize = 16;

/// Starts children from one long-lived thread, through the exec shim.
///
/// Clones share the thread. It ends when the last clone is dropped; each running instance holds one.
#[derive(Clone, Debug)]
pub struct Spawner {
    requests: mpsc::Sender<SpawnerRequest>,
    children: ChildRegistry,
}

/// What to run.
#[derive(Clone)]
pub struct Launch {
    /// What it may do; `None` for all that its user may.
    pub sandbox: Option<Sandbox>,
    /// The program; without a slash it is looked up in the `PATH` of `env`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
}

/// Arguments and environment values may hold secrets: only their number is shown.
impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("sandbox", &self.sandbox)
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.env.len())
            .finish()
    }
}

#[derive(Debug)]
enum SpawnerRequest {
    Fork {
        launch: Launch,
        answer: oneshot::Sender<io::Result<Process>>,
    },
    ForkCleanupProcess {
        answer: oneshot::Sender<io::Result<CleanupProcess>>,
    },
    #[cfg(debug_assertions)]
    Panic,
}

impl Spawner {
    /// Starts the thread. Children are driven by the tokio runtime this is called in. Where this process
    /// adopts orphans, [`Self::reap_orphans`] is to be run.
    ///
    /// # Errors
    ///
    /// There is no tokio runtime here, or the system grants no thread.
    pub fn start(shim: Shim, adoption: Option<Adoption>) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let (requests, queue) = mpsc::channel(MAX_QUEUED_SPAWNS);
        let children = ChildRegistry::new(adoption);
        let thread = SpawnerThread {
            shim,
            runtime,
            children: children.clone(),
        };
        thread::Builder::new()
            .name("paddock-spawner".to_owned())
            .spawn(move || thread.serve(queue))?;
        Ok(Self { requests, children })
    }

    /// Forks one child, which leads a process group of its own and has all three streams piped.
    ///
    /// If the caller is gone before the answer, the child is killed.
    pub(crate) async fn spawn(&self, launch: Launch) -> io::Result<Process> {
        let gone = || io::Error::other("the spawner thread is gone");
        let (answer, answered) = oneshot::channel();
        self.requests
            .send(SpawnerRequest::Fork { launch, answer })
            .await
            .map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Starts a process that waits for the end of this one, however it comes, and then kills every process
    /// whose environment gives `variable` this value. Dropped, the watcher does the same.
    ///
    /// # Errors
    ///
    /// The shim cannot be started.
    pub async fn start_cleanup_process(
        &self,
        variable: &str,
        value: &str,
    ) -> io::Result<CleanupProcess> {
        let gone = || io::Error::other("the spawner thread is gone");
        let (answer, answered) = oneshot::channel();
        let request = SpawnerRequest::ForkCleanupProcess { answer };
        self.requests.send(request).await.map_err(|_| gone())?;
        let mut cleanup = answered.await.map_err(|_| gone())??;
        cleanup.name_leftovers(variable, value).await?;
        Ok(cleanup)
    }

    /// Reaps orphans of children as they end, if this process adopts them. It wakes when a child ends, and never
    /// otherwise. Does not complete, and does not keep the thread.
    pub fn reap_orphans(&self) -> impl Future<Output = ()> + Send + 'static {
        self.children.clone().reap_orphans()
    }

    /// Kills what is left of all children: every process whose environment gives `variable` this value, and
    /// orphans that have emptied theirs. Returns their numbers.
    pub async fn kill_leftovers(&self, variable: &str, value: &str) -> Vec<i32> {
        let (variable, value) = (variable.to_owned(), value.to_owned());
        let children = self.children.clone();
        let killing = blocking::run(move || {
            let mut killed = leftovers::kill_marked(&variable, &value);
            killed.extend(children.kill_orphans());
            killed
        });
        killing.await.unwrap_or_default()
    }

    /// Waits until the thread has ended. While there is a clone it ends by a panic alone, and then the
    /// kernel ends every child.
    pub async fn wait_closed(&self) {
        self.requests.closed().await;
    }

    /// Makes the thread panic, for tests of what follows.
    #[cfg(debug_assertions)]
    pub async fn panic(&self) {
        // A thread that is gone cannot panic.
        let _ = self.requests.send(SpawnerRequest::Panic).await;
    }
}

/// What the thread works with.
struct SpawnerThread {
    shim: Shim,
    runtime: Handle,
    children: ChildRegistry,
}

impl SpawnerThread {
    fn serve(self, mut queue: mpsc::Receiver<SpawnerRequest>) {
        while let Some(request) = queue.blocking_recv() {
            let context = self.runtime.enter();
            match request {
                // A process that nobody takes any more is killed by its drop.
                SpawnerRequest::Fork { launch, answer } => drop(answer.send(self.fork(launch))),
                SpawnerRequest::ForkCleanupProcess { answer } => {
                    drop(answer.send(self.fork_cleanup_process()));
                }
                #[cfg(debug_assertions)]
                SpawnerRequest::Panic => panic!("the spawner was told to panic"),
            }
            drop(context);
        }
    }

    fn fork(&self, launch: Launch) -> io::Result<Process> {
        let marker = InstanceMarker::new()?;
        let mut command = Command::new(&self.shim.program);
        command
            .args(&self.shim.args)
            .arg(std::process::id().to_string())
            .args(launch.sandbox.iter().flat_map(Sandbox::to_arguments))
            .arg(shim::RULES_END)
            .arg(launch.program)
            .args(launch.args)
            .env_clear()
            .envs(launch.env)
            .env(marker::MARKER_VARIABLE, marker.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let spawn = || command.spawn();
        let (child, forked) = self.children.fork(Offspring::Possible, spawn, Child::id)?;
        Process::new(child, marker, forked)
    }

    /// Forks a process that outlives this one, in a group of its own: a Ctrl-C in a terminal is not for it.
    fn fork_cleanup_process(&self) -> io::Result<CleanupProcess> {
        let mut command = Command::new(&self.shim.program);
        command
            .arg0("paddock")
            .args(&self.shim.args)
            .arg(shim::cleanup::CLEANUP_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let spawn = || command.spawn();
        let (child, forked) = self.children.fork(Offspring::None, spawn, Child::id)?;
        Ok(CleanupProcess::new(child, forked))
    }
}
