//! The thread that forks.
//!
//! A parent-death signal follows the *thread* that forked, not the process (prctl(2),
//! `PR_SET_PDEATHSIG`). A worker thread of the runtime may end at any time and would take the children
//! with it, so one thread does nothing but fork and lives as long as anybody may have a child.

use std::{ffi::OsString, fmt, io, path::PathBuf, process::Stdio, thread};

use tokio::{
    process::Command,
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{Sandbox, Shim, process::Process, shim};

/// Spawns waiting for the thread; a caller waits when there are more.
const QUEUE: usize = 16;

/// Starts children from one long-lived thread, through the exec shim.
///
/// Clones share the thread. It ends when the last clone is dropped; each running instance holds one.
#[derive(Clone, Debug)]
pub struct Spawner {
    requests: mpsc::Sender<Request>,
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
enum Request {
    Fork {
        launch: Launch,
        answer: oneshot::Sender<io::Result<Process>>,
    },
    #[cfg(debug_assertions)]
    Panic,
}

impl Spawner {
    /// Starts the thread. Children are driven by the tokio runtime this is called in.
    ///
    /// # Errors
    ///
    /// There is no tokio runtime here, or the system grants no thread.
    pub fn start(shim: Shim) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let (requests, queue) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("paddock-spawner".to_owned())
            .spawn(move || serve(&shim, &runtime, queue))?;
        Ok(Self { requests })
    }

    /// Forks one child, which leads a process group of its own and has all three streams piped.
    ///
    /// If the caller is gone before the answer, the child is killed.
    pub(crate) async fn spawn(&self, launch: Launch) -> io::Result<Process> {
        let gone = || io::Error::other("the spawner thread is gone");
        let (answer, answered) = oneshot::channel();
        self.requests
            .send(Request::Fork { launch, answer })
            .await
            .map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Waits until the thread has ended. While there is a clone it ends by a panic alone, and then the
    /// kernel ends every child.
    pub async fn closed(&self) {
        self.requests.closed().await;
    }

    /// Makes the thread panic, for tests of what follows.
    #[cfg(debug_assertions)]
    pub async fn panic(&self) {
        // A thread that is gone cannot panic.
        let _ = self.requests.send(Request::Panic).await;
    }
}

fn serve(shim: &Shim, runtime: &Handle, mut queue: mpsc::Receiver<Request>) {
    while let Some(request) = queue.blocking_recv() {
        match request {
            Request::Fork { launch, answer } => {
                let context = runtime.enter();
                // A process that nobody takes any more is killed by its drop.
                let _ = answer.send(fork(shim, launch));
                drop(context);
            }
            #[cfg(debug_assertions)]
            Request::Panic => panic!("the spawner was told to panic"),
        }
    }
}

fn fork(shim: &Shim, launch: Launch) -> io::Result<Process> {
    let child = Command::new(&shim.program)
        .args(&shim.args)
        .arg(std::process::id().to_string())
        .args(launch.sandbox.iter().flat_map(Sandbox::words))
        .arg(shim::END)
        .arg(launch.program)
        .args(launch.args)
        .env_clear()
        .envs(launch.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Process::new(child)
}
