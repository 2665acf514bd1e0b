//! The harness of all tests: a directory, a spawner, children, and waiting.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use paddock_supervisor::{
    Failure, InferenceErrors, InferencePolicy, Instance, InstanceSpec, LivenessPolicy, Logs,
    OomCounters, RestartPolicy, Shim, Spawner, StallTracker, State, StopPolicy, Transport, env,
};
use rustix::process::{Pid, Signal};
use tokio::{sync::watch, time};
use tokio_util::task::TaskTracker;

/// The limit of all waiting: far beyond what a loaded machine needs.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A duration that does not pass within a test.
pub(crate) const NEVER: Duration = Duration::from_hours(1);

pub(crate) struct Harness {
    pub(crate) dir: TempDir,
    spawner: Spawner,
    tasks: TaskTracker,
}

impl Harness {
    pub(crate) fn new() -> Self {
        let program = env!("CARGO_BIN_EXE_paddock-shim").into();
        let shim = Shim {
            program,
            args: Vec::new(),
        };
        let spawner = Spawner::start(shim, None).unwrap();
        Self {
            dir: TempDir::new(),
            spawner,
            tasks: TaskTracker::new(),
        }
    }

    pub(crate) fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// Makes a spec of any program.
    pub(crate) fn spec(&self, program: impl Into<PathBuf>, args: &[&str]) -> InstanceSpec {
        InstanceSpec {
            name: "model".to_owned(),
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            env: env::build_child_env(std::env::vars_os(), &std::collections::BTreeMap::new()),
            runtime_dir: self.dir.path().to_owned(),
            sandbox: None,
            transport: Transport::Unix,
            address_variable: false,
            ready_event: true,
            startup_timeout: LIMIT,
            restart: RestartPolicy {
                first_delay: Duration::from_millis(10),
                ..RestartPolicy::default()
            },
            restarts_used: 0,
            generations: 0,
            stop: StopPolicy {
                first_grace: LIMIT,
                second_grace: LIMIT,
            },
            liveness: LivenessPolicy {
                probe_timeout: Duration::from_millis(150),
                max_missed_probes: 3,
            },
            stalls: StallTracker::default(),
            inference: InferencePolicy::default(),
            inference_errors: InferenceErrors::default(),
            oom: OomCounters::default(),
            logs: Logs::default(),
        }
    }

    /// Makes a spec of `child.py` with these options.
    pub(crate) fn child(&self, options: &[&str]) -> InstanceSpec {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/instance/child.py");
        let mut args = vec!["-S", "-E", script];
        args.extend(options);
        self.spec("/usr/bin/python3", &args)
    }

    /// Makes a spec of a shell script.
    pub(crate) fn script(&self, text: &str) -> InstanceSpec {
        self.spec("/bin/sh", &["-c", text, "script"])
    }

    pub(crate) fn start(&self, spec: InstanceSpec) -> Instance {
        Instance::start(spec, &self.spawner, &self.tasks)
    }

    /// Waits until each task has ended: a stop must leave none running.
    pub(crate) async fn no_task_remains(&self) {
        self.tasks.close();
        time::timeout(LIMIT, self.tasks.wait())
            .await
            .expect("a task remains");
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Counts the private directories of children.
    pub(crate) fn directories(&self) -> usize {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        entries
            .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir())
            .count()
    }
}

/// Stops an instance and checks that it has stopped.
pub(crate) async fn stop(instance: &Instance) {
    time::timeout(LIMIT, instance.stop())
        .await
        .expect("does not stop");
    assert!(matches!(*instance.watch().borrow(), State::Stopped));
}

/// Waits for a state.
pub(crate) async fn until(instance: &Instance, wanted: impl FnMut(&State) -> bool) -> State {
    reach(&mut instance.watch(), wanted).await
}

pub(crate) async fn reach(
    states: &mut watch::Receiver<State>,
    wanted: impl FnMut(&State) -> bool,
) -> State {
    let reached = time::timeout(LIMIT, states.wait_for(wanted)).await;
    let reached = reached.map(|state| state.expect("the actor is gone").clone());
    reached.unwrap_or_else(|_| panic!("the state is still {:?}", *states.borrow()))
}

pub(crate) async fn until_ready(instance: &Instance) -> u32 {
    pid(&until(instance, |state| matches!(state, State::Ready { .. })).await)
}

/// Waits until the child runs as itself instead of the shim, with its handlers set.
pub(crate) async fn until_loading(instance: &Instance) -> u32 {
    until_line(instance, "loading").await;
    pid(&until(instance, |state| state.pid().is_some()).await)
}

pub(crate) async fn until_line(instance: &Instance, line: &str) {
    let logs = instance.logs();
    let seen = || logs.snapshot(usize::MAX).iter().any(|other| other == line);
    let mut written = logs.watch();
    time::timeout(LIMIT, written.wait_for(|_| seen()))
        .await
        .expect("no such line")
        .unwrap();
}

/// Waits for the first failure.
pub(crate) async fn first_failure(instance: &Instance) -> Failure {
    let state = until(instance, |state| state.failure().is_some()).await;
    (**state.failure().unwrap()).clone()
}

pub(crate) fn pid(state: &State) -> u32 {
    state.pid().expect("a state with a process")
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    rustix::process::kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// Returns true if a process runs; a zombie does not.
pub(crate) fn alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

/// Polls a condition.
pub(crate) async fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let poll = async {
        while !condition() {
            time::sleep(Duration::from_millis(2)).await;
        }
    };
    time::timeout(limit, poll).await.is_ok()
}

/// Waits for a file that holds a process id.
pub(crate) async fn pid_in(file: &str) -> u32 {
    assert!(
        eventually(LIMIT, || Path::new(file).exists()).await,
        "{file} does not appear"
    );
    fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

/// A directory that is removed when dropped.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (me, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("paddock-supervisor-{me}-{next}"));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
