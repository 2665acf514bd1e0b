//! `--fake-die POINT:HOW`: a death at a chosen moment of the process's life.

use rustix::process::Signal;

use super::{exit, failures};

/// The moments at which a death can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before anything is done, the listener included.
    Start,
    /// Half-way through the load.
    Loading,
    /// As soon as the model is ready and said so.
    Ready,
    /// When the head of the first request other than a probe has been read.
    FirstRequest,
    /// When a generation has its slot, before the first byte of its answer.
    Head,
    /// After this many token events of one stream.
    MidStream(u64),
    /// After this many milliseconds without a request, ready.
    IdleMs(u64),
}

#[derive(Debug, Clone, Copy)]
enum How {
    Exit(i32),
    Signal(Signal),
    Abort,
    OutOfMemory,
}

/// A death that has been ordered.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    /// When it happens.
    pub point: Point,
    how: How,
}

impl Death {
    /// Reads `POINT:HOW`, such as `ready:kill` or `mid-stream:3:exit1`.
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
    fn happen(self) -> ! {
        match self {
            Self::Exit(code) => exit::leave(code),
            Self::Signal(signal) => exit::by_signal(signal),
            Self::Abort => exit::abort(),
            Self::OutOfMemory => failures::no_memory_left(),
        }
    }
}

/// Ends the process in this way, at once; returns if there is no such way.
pub(super) fn now(how: &str) {
    if let Some(how) = parse_how(how) {
        how.happen();
    }
}

fn parse_point(text: &str) -> Option<Point> {
    let (name, number) = text.split_once(':').unzip();
    let number = || number?.parse().ok();
    Some(match name.unwrap_or(text) {
        "start" => Point::Start,
        "loading" => Point::Loading,
        "ready" => Point::Ready,
        "first-request" => Point::FirstRequest,
        "head" => Point::Head,
        "mid-stream" => Point::MidStream(number()?),
        "idle-ms" => Point::IdleMs(number()?),
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
