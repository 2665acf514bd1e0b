//! Runs the thread that forks all children.
//!
//! A parent-death signal follows the *thread* that forked, not the process (prctl(2), `PR_SET_PDEATHSIG`). A
//! worker thread of the runtime may end at any time and would take the children with it, so one thread does
//! nothing but fork, and lives as long as any child may.

use std::{ffi::OsString, fmt, io, path::PathBuf, process::Stdio, thread};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    Adoption, Failpoint, Sandbox, Shim, blocking,
    cleanup_process::CleanupProcess,
    leftovers,
    marker::{self, InstanceMarker},
    orphans::{ChildRegistry, Offspring},
    process::Process,
    shim,
};

/// The maximum number of spawns waiting for the thread; further callers wait.
const MAX_QUEUED_SPAWNS: usize = 16;

/// Starts children from one long-lived thread, through the exec shim: a small program that enters the sandbox and
/// then executes the child's program.
///
/// Clones share the thread. It ends when the last clone is dropped; each running instance holds one.
#[derive(Clone, Debug)]
pub struct Spawner {
    requests: mpsc::Sender<SpawnerRequest>,
    children: ChildRegistry,
}

/// A program to run, with its arguments, environment and sandbox.
#[derive(Clone)]
pub struct Launch {
    /// The program's sandbox; `None` to allow everything that its user may do.
    pub sandbox: Option<Sandbox>,
    /// The program; without a slash it is looked up in the `PATH` of `env`.
    pub program: PathBuf,
    /// The arguments.
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
}

/// Shows only the number of arguments and environment variables, which may hold secrets.
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

/// A request to the thread that forks.
#[derive(Debug)]
enum SpawnerRequest {
    Fork {
        launch: Launch,
        answer: oneshot::Sender<io::Result<Process>>,
    },
    ForkCleanupProcess {
        answer: oneshot::Sender<io::Result<CleanupProcess>>,
    },
}

impl Spawner {
    /// Starts the thread. The tokio runtime of the caller drives the children. If this process adopts orphans,
    /// [`Self::reap_orphans`] must be run.
    ///
    /// # Errors
    ///
    /// There is no tokio runtime, or the system grants no thread.
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

    /// Starts a process that waits for the end of this one, however it ends, and then kills every process whose
    /// environment gives `variable` this value. Dropping the handle has the same effect.
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

    /// Reaps orphans of children as they end, if this process adopts them. Wakes only when a child ends. Does
    /// not complete, and does not keep the thread alive.
    pub fn reap_orphans(&self) -> impl Future<Output = ()> + Send + 'static {
        self.children.clone().reap_orphans()
    }

    /// Kills the leftovers of all children: every process whose environment gives `variable` this value, and
    /// orphans that have emptied theirs. Returns their process ids.
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

    /// Waits until the thread has ended. While a clone exists it ends only by a panic, and then the kernel ends
    /// every child.
    pub async fn wait_closed(&self) {
        self.requests.closed().await;
    }
}

/// The state of the thread.
struct SpawnerThread {
    shim: Shim,
    runtime: Handle,
    children: ChildRegistry,
}

impl SpawnerThread {
    fn serve(self, mut queue: mpsc::Receiver<SpawnerRequest>) {
        while let Some(request) = queue.blocking_recv() {
            Failpoint::Spawner.check();
            let context = self.runtime.enter();
            match request {
                // A process without a receiver is killed by its drop.
                SpawnerRequest::Fork { launch, answer } => drop(answer.send(self.fork(launch))),
                SpawnerRequest::ForkCleanupProcess { answer } => {
                    drop(answer.send(self.fork_cleanup_process()));
                }
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

    /// Forks a process that outlives this one, in a group of its own: a Ctrl-C in a terminal must not reach it.
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
