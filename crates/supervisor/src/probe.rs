//! Probes a child over HTTP: whether it answers, and whether it serves.
//!
//! llama-server listens within milliseconds and answers 503 on every path until its model is loaded
//! (llama.cpp b11434, tools/server/server-http.cpp).

use std::{future, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time,
};

use crate::{Address, Listener};

/// The longest time one probe takes.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The shortest delay between two probes.
const MIN_DELAY: Duration = Duration::from_millis(5);

/// The longest delay between two probes.
const MAX_DELAY: Duration = Duration::from_millis(100);

/// The request that a probe sends.
const HEALTH_REQUEST: &[u8] =
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The number of bytes read of an answer: `HTTP/1.1 200`.
const STATUS_LINE_BYTES: usize = 12;

/// The answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// No answer in time.
    NoAnswer,
    /// An answer that does not show a serving child: status 503, or no HTTP at all.
    Busy,
    /// An answer with a status other than 503.
    Serving,
}

/// The result of one probe: the answer, and the process that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) answer: ProbeResult,
    /// The process that answered, if the kernel shows it.
    pub(crate) server: Option<i32>,
}

/// Returns the delay before the next probe of a child that was started `age` ago: a fiftieth of `age`, so that
/// readiness is noticed within a fiftieth of the time it took.
pub(crate) fn delay_after(age: Duration) -> Duration {
    (age / 50).clamp(MIN_DELAY, MAX_DELAY)
}

/// Probes a child after `delay`. A process that is not the child's counts as no answer.
pub(crate) async fn probe_after(delay: Duration, listener: &Listener) -> Probed {
    time::sleep(delay).await;
    match time::timeout(PROBE_TIMEOUT, request_health(listener)).await {
        Ok(Ok((server, head))) => Probed {
            answer: judge_answer(&head),
            server,
        },
        Ok(Err(_)) | Err(_) => Probed {
            answer: ProbeResult::NoAnswer,
            server: None,
        },
    }
}

/// Probes the `/health` of a child that serves, after `delay`. Returns true if it answered within `limit`; a
/// refused connection is reported no sooner than silence.
pub(crate) async fn answers_within(delay: Duration, limit: Duration, listener: Listener) -> bool {
    time::sleep(delay).await;
    let asking = async {
        match request_health(&listener).await {
            Ok((_, head)) if !head.is_empty() => {}
            Ok(_) | Err(_) => future::pending().await,
        }
    };
    time::timeout(limit, asking).await.is_ok()
}

/// Sends a request of paddock's own to a child that serves, after `delay`. Returns the status of the answer, or
/// `None` without an answer within `limit`.
pub(crate) async fn status(
    delay: Duration,
    limit: Duration,
    listener: Listener,
    request: &[u8],
) -> Option<u16> {
    time::sleep(delay).await;
    let sent = time::timeout(limit, send(&listener, request)).await.ok()?;
    let (_, head) = sent.ok()?;
    std::str::from_utf8(head.get(9..)?).ok()?.parse().ok()
}

async fn request_health(listener: &Listener) -> io::Result<(Option<i32>, Vec<u8>)> {
    send(listener, HEALTH_REQUEST).await
}

/// Returns the process that answered, and the first bytes of its answer.
async fn send(listener: &Listener, request: &[u8]) -> io::Result<(Option<i32>, Vec<u8>)> {
    match &listener.address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await?;
            let server = listener.processes.identify(&stream)?;
            Ok((server, exchange(stream, request).await?))
        }
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            Ok((None, exchange(stream, request).await?))
        }
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    let mut head = Vec::with_capacity(STATUS_LINE_BYTES);
    stream
        .take(STATUS_LINE_BYTES as u64)
        .read_to_end(&mut head)
        .await?;
    Ok(head)
}

/// Classifies the first bytes of an answer.
fn judge_answer(head: &[u8]) -> ProbeResult {
    match head {
        [] => ProbeResult::NoAnswer,
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            b'0' | b'1',
            b' ',
            status @ ..,
        ] if status.len() == 3 && status.iter().all(u8::is_ascii_digit) && status != b"503" => {
            ProbeResult::Serving
        }
        _ => ProbeResult::Busy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChildProcesses, marker::InstanceMarker};

    #[test]
    fn only_a_status_other_than_503_is_serving() {
        assert_eq!(judge_answer(b"HTTP/1.1 200"), ProbeResult::Serving);
        assert_eq!(judge_answer(b"HTTP/1.0 404"), ProbeResult::Serving);
        assert_eq!(judge_answer(b"HTTP/1.1 503"), ProbeResult::Busy);
        assert_eq!(judge_answer(b"HTTP/1.1 2"), ProbeResult::Busy);
        assert_eq!(judge_answer(b"SSH-2.0-Open"), ProbeResult::Busy);
        assert_eq!(judge_answer(b""), ProbeResult::NoAnswer);
    }

    #[test]
    fn the_delay_is_a_fiftieth_of_the_age_within_limits() {
        let delays = [0, 200, 500, 2_000, 60_000]
            .map(Duration::from_millis)
            .map(|age| delay_after(age).as_millis());
        assert_eq!(delays, [5, 5, 10, 40, 100]);
    }

    #[tokio::test]
    async fn nobody_there_is_an_answer_too() {
        let nowhere = Listener {
            address: Address::Unix("/proc/nonexistent/x.sock".into()),
            processes: ChildProcesses::new("m".into(), 1, InstanceMarker::new().unwrap()),
        };
        let nobody = Probed {
            answer: ProbeResult::NoAnswer,
            server: None,
        };
        assert_eq!(probe_after(Duration::ZERO, &nowhere).await, nobody);
    }
}
