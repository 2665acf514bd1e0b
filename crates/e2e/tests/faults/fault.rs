use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use paddock_e2e::harness::{
    Connection, LIMIT, Paddock, PaddockBuilder, Pid, Signal, get, post, wait_for, wait_until,
};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::moment::Moment;

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ChildSignal(Signal),
    ChildExits(i32),
    ChildHangs,
    ChildOutOfMemory,
    Terminated,
    InterruptedTwice,
    Killed,
    Panics,
    DiskFull,
    NoDescriptors,
    ClockJumps,
    LogFlood,
}

/// What is to be done when it is over.
#[derive(Debug)]
pub(crate) enum Repair {
    Nothing,
    /// Give paddock its descriptors back, the ones included that these connections have taken.
    Descriptors(Rlimit, Vec<Connection>),
    /// Remove this file, which fills the disk.
    Remove(PathBuf),
}

/// The library that shows a process another time than there is (Debian's package `faketime`).
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// How a day passes in a moment, in that library's words.
const TOMORROW: &str = "+1d\n";

impl Fault {
    pub(crate) const ALL: [Self; 15] = [
        Self::ChildSignal(Signal::KILL),
        Self::ChildSignal(Signal::SEGV),
        Self::ChildSignal(Signal::STOP),
        Self::ChildExits(0),
        Self::ChildExits(1),
        Self::ChildHangs,
        Self::ChildOutOfMemory,
        Self::Terminated,
        Self::InterruptedTwice,
        Self::Killed,
        Self::Panics,
        Self::DiskFull,
        Self::NoDescriptors,
        Self::ClockJumps,
        Self::LogFlood,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ChildSignal(Signal::KILL) => "child: SIGKILL",
            Self::ChildSignal(Signal::SEGV) => "child: SIGSEGV",
            Self::ChildSignal(_) => "child: SIGSTOP",
            Self::ChildExits(0) => "child: exits with 0",
            Self::ChildExits(_) => "child: exits with 1",
            Self::ChildHangs => "child: hangs",
            Self::ChildOutOfMemory => "child: out of memory",
            Self::Terminated => "paddock: SIGTERM",
            Self::InterruptedTwice => "paddock: SIGINT twice",
            Self::Killed => "paddock: SIGKILL",
            Self::Panics => "paddock: panic",
            Self::DiskFull => "disk full",
            Self::NoDescriptors => "no file descriptors",
            Self::ClockJumps => "clock jumps a day",
            Self::LogFlood => "child: 100 MB/s of log",
        }
    }

    /// Whether it can happen at this moment.
    pub(crate) fn happens(self, moment: Moment) -> bool {
        let needs_child = matches!(
            self,
            Self::ChildSignal(_) | Self::ChildExits(_) | Self::ChildHangs | Self::ChildOutOfMemory
        );
        moment.has_child() || !needs_child
    }

    /// Whether the child is not seen to have ended, only to do nothing.
    pub(crate) fn is_silent(self) -> bool {
        matches!(self, Self::ChildHangs | Self::ChildSignal(Signal::STOP))
    }

    /// Whether everything else on the machine feels it.
    pub(crate) fn is_loud(self) -> bool {
        self == Self::LogFlood
    }

    /// What follows has to follow within this time.
    pub(crate) fn limit(self, moment: Moment) -> Duration {
        let seconds = match self {
            // It is tried again when another model may have made room.
            Self::ChildOutOfMemory if moment == Moment::Loading => 30,
            Self::Killed | Self::InterruptedTwice => 5,
            // A child that loads is given up when it has been silent for its `startup_timeout`, one
            // that serves when a request has waited 10 s and three questions of 10 s were not answered.
            _ if self.is_silent() && moment == Moment::Loading => 10,
            // Nobody waits for it until somebody asks.
            _ if self.is_silent() => 60,
            _ => 10,
        };
        Duration::from_secs(seconds)
    }

    /// Starts paddock so that this can happen.
    pub(crate) fn start(self, builder: PaddockBuilder) -> Paddock {
        match self {
            Self::DiskFull => start_on_a_small_disk(builder),
            Self::ClockJumps => start_with_a_clock(builder),
            Self::LogFlood => builder
                .engine_args(["--fake-log-flood", "100000000"])
                .start(),
            _ => builder.start(),
        }
    }

    /// Makes it happen, and waits until it has.
    pub(crate) fn strike(self, paddock: &mut Paddock) -> Repair {
        match self {
            // One that comes from outside the runtime of a Rust program takes for its own.
            Self::ChildSignal(Signal::SEGV) => tell_to_die(paddock, "segv"),
            Self::ChildSignal(signal) => {
                let child = paddock.child();
                child.signal(signal);
                if signal == Signal::STOP {
                    await_standstill(child);
                } else {
                    await_death(child);
                }
            }
            Self::ChildExits(code) => tell_to_die(paddock, &format!("exit{code}")),
            Self::ChildOutOfMemory => tell_to_die(paddock, "out-of-memory"),
            Self::ChildHangs => {
                let answer = to_the_child(paddock).ask(get("/__fake/hang"));
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            Self::Terminated => {
                paddock.signal(Signal::TERM);
                paddock.stderr().wait_for(LIMIT, "draining");
            }
            Self::InterruptedTwice => {
                paddock.signal(Signal::INT);
                paddock.stderr().wait_for(LIMIT, "draining");
                paddock.signal(Signal::INT);
            }
            Self::Killed => paddock.kill9(),
            Self::Panics => {
                let panic = post("/api/panic/runtime", "");
                // The answer may be lost with who gives it.
                let _ = Connection::connect(paddock.admin()).try_ask(panic);
            }
            Self::DiskFull => return fill_the_disk(paddock),
            Self::NoDescriptors => return take_descriptors(paddock),
            Self::ClockJumps => {
                fs::write(clock_file(paddock.directory()), TOMORROW).expect("a file");
            }
            Self::LogFlood => {}
        }
        Repair::Nothing
    }
}

impl Repair {
    /// Whether nobody new is served before.
    pub(crate) fn ends_service(&self) -> bool {
        matches!(self, Self::Descriptors(..))
    }

    /// Puts an end to what lasts.
    pub(crate) fn carry_out(self, paddock: &Paddock) {
        match self {
            Self::Nothing => {}
            Self::Descriptors(limit, taken) => {
                drop(taken);
                prlimit(pid(paddock), Resource::Nofile, limit).expect("a limit");
            }
            Self::Remove(file) => fs::remove_file(file).expect("a file to remove"),
        }
    }
}

fn pid(paddock: &Paddock) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(paddock.id()).expect("a process id"))
}

pub(crate) fn await_death(child: Pid) {
    wait_until(LIMIT, "its death", || !child.is_alive());
}

/// Waits until every thread of it has been stopped (proc(5), state `T`).
fn await_standstill(child: Pid) {
    wait_until(LIMIT, "its standstill", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", child.number())).expect("threads");
        tasks.flatten().all(|task| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
            state.is_some_and(|state| state.starts_with('T'))
        })
    });
}

/// A connection past paddock, as soon as the child listens.
fn to_the_child(paddock: &Paddock) -> Connection {
    wait_for(LIMIT, "a child that listens", || {
        Connection::try_connect(&paddock.child_address()).ok()
    })
}

fn tell_to_die(paddock: &Paddock, how: &str) {
    let child = paddock.child();
    to_the_child(paddock).send(get(&format!("/__fake/die/{how}")));
    await_death(child);
}

/// Leaves paddock the descriptors it has, and not one more.
fn take_descriptors(paddock: &Paddock) -> Repair {
    let most = descriptors(paddock).max().expect("a descriptor") + 1;
    let limit = Rlimit {
        current: Some(most),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    let before = prlimit(pid(paddock), Resource::Nofile, limit).expect("a limit");
    // Numbers below the limit can be free.
    let mut taken = Vec::new();
    let full = || descriptors(paddock).count() as u64 == most;
    wait_until(LIMIT, "the last descriptor to be taken", || {
        taken.push(paddock.connect());
        full()
    });
    Repair::Descriptors(before, taken)
}

/// The numbers of paddock's open descriptors.
pub(crate) fn descriptors(paddock: &Paddock) -> impl Iterator<Item = u64> {
    let open = fs::read_dir(format!("/proc/{}/fd", paddock.id())).expect("descriptors");
    let names = open.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok())
}

/// Where a disk of its own is mounted.
fn small_disk(directory: &Path) -> PathBuf {
    directory.join("disk")
}

/// Starts paddock in a mount namespace of its own, where its state and its runtime directory are on a
/// disk of 1 MiB.
fn start_on_a_small_disk(builder: PaddockBuilder) -> Paddock {
    let disk = small_disk(builder.directory());
    fs::create_dir(&disk).expect("a directory");
    let builder = builder.config(&format!(
        "server.state_dir = '{0}/state'\nserver.runtime_dir = '{0}'",
        disk.display()
    ));
    builder.start_as(|serve| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
            .arg(format!(
                "mount -t tmpfs -o size=1m none '{}' && exec \"$0\" \"$@\"",
                disk.display()
            ))
            .arg(serve.get_program())
            .args(serve.get_args())
            .current_dir(serve.get_current_dir().expect("a directory"))
            .env_clear()
            .envs(
                serve
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        command
    })
}

/// Writes into paddock's disk until nothing more goes in.
fn fill_the_disk(paddock: &Paddock) -> Repair {
    let inside = small_disk(paddock.directory());
    let inside = inside.strip_prefix("/").expect("an absolute path");
    // Through the process into its mount namespace (proc(5), /proc/pid/root).
    let path = Path::new(&format!("/proc/{}/root", paddock.id()))
        .join(inside)
        .join("ballast");
    let mut file = File::create(&path).expect("a file");
    let full = (0..4096).any(|_| file.write_all(&[0; 1024]).is_err());
    assert!(full, "a disk of 1 MiB takes 4 MiB");
    Repair::Remove(path)
}

fn clock_file(directory: &Path) -> PathBuf {
    directory.join("clock")
}

/// Starts paddock with a clock that the test sets. The clock that measures times is the machine's, as it
/// is when an operator sets a clock.
fn start_with_a_clock(builder: PaddockBuilder) -> Paddock {
    assert!(
        Path::new(FAKETIME).exists(),
        "Debian's package faketime is missing; scripts/test installs it"
    );
    let file = clock_file(builder.directory());
    fs::write(&file, "+0\n").expect("a file");
    builder
        .env("LD_PRELOAD", FAKETIME)
        .env("FAKETIME_TIMESTAMP_FILE", &file.display().to_string())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start()
}
