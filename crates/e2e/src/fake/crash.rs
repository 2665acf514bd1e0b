//! Implements `--fake-die POINT:HOW`, which crashes or exits at a chosen point.

use rustix::process::Signal;

use super::{exit, failures};

/// The points at which a crash can be requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// Before everything, including the listener.
    Start,
    /// Halfway through the load.
    Loading,
    /// After reporting readiness.
    Ready,
    /// After reading the head of the first request that is not a probe.
    FirstRequest,
    /// After a generation gets its slot, before the first byte of its response.
    Head,
    /// After this many token events of one stream.
    MidStream(u64),
    /// After this many milliseconds without a request, ready.
    IdleMs(u64),
}

/// The way in which the process ends.
#[derive(Debug, Clone, Copy)]
enum How {
    Exit(i32),
    Signal(Signal),
    Abort,
    OutOfMemory,
}

/// A crash that `--fake-die` requests.
#[derive(Debug, Clone, Copy)]
pub struct OrderedCrash {
    /// The point of the crash.
    pub point: CrashPoint,
    how: How,
}

impl OrderedCrash {
    /// Parses `POINT:HOW`, such as `ready:kill` or `mid-stream:3:exit1`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("no such death: {text}");
        let (point, how) = text.rsplit_once(':').ok_or_else(wrong)?;
        Ok(Self {
            point: parse_point(point).ok_or_else(wrong)?,
            how: parse_how(how).ok_or_else(wrong)?,
        })
    }

    /// Ends the process.
    pub fn happen(self) -> ! {
        self.how.happen()
    }
}

impl How {
    /// Ends the process in this way.
    fn happen(self) -> ! {
        match self {
            Self::Exit(code) => exit::leave(code),
            Self::Signal(signal) => exit::by_signal(signal),
            Self::Abort => exit::abort(),
            Self::OutOfMemory => failures::no_memory_left(),
        }
    }
}

/// Ends the process in this way; returns if the way is unknown.
pub(super) fn now(how: &str) {
    if let Some(how) = parse_how(how) {
        how.happen();
    }
}

fn parse_point(text: &str) -> Option<CrashPoint> {
    let (name, number) = text.split_once(':').unzip();
    let number = || number?.parse().ok();
    Some(match name.unwrap_or(text) {
        "start" => CrashPoint::Start,
        "loading" => CrashPoint::Loading,
        "ready" => CrashPoint::Ready,
        "first-request" => CrashPoint::FirstRequest,
        "head" => CrashPoint::Head,
        "mid-stream" => CrashPoint::MidStream(number()?),
        "idle-ms" => CrashPoint::IdleMs(number()?),
        _ => return None,
    })
}

fn parse_how(text: &str) -> Option<How> {
    Some(match text {
        "exit0" => How::Exit(0),
        "exit1" => How::Exit(1),
        "kill" => How::Signal(Signal::KILL),
        "segv" => How::Signal(Signal::SEGV),
        "abort" => How::Abort,
        "out-of-memory" => How::OutOfMemory,
        _ => return None,
    })
}
