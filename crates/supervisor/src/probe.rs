//! Asks a child whether it answers and whether it serves.
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
const TIMEOUT: Duration = Duration::from_secs(1);

/// The shortest delay between two probes.
const MIN_DELAY: Duration = Duration::from_millis(5);

/// The longest delay between two probes.
const MAX_DELAY: Duration = Duration::from_millis(100);

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Bytes of an answer that are read: `HTTP/1.1 200`.
const STATUS_END: usize = 12;

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nobody answered in time.
    Nothing,
    /// Somebody answered, and does not serve yet: status 503, or no HTTP at all.
    Busy,
    /// Somebody answered with a status that is not 503.
    Serving,
}

/// Returns the delay before the next probe of a child that was begun so long ago: a fiftieth of
/// that, so that readiness is noticed within a fiftieth of the time it took.
pub(crate) fn delay(age: Duration) -> Duration {
    (age / 50).clamp(MIN_DELAY, MAX_DELAY)
}

/// Probes a child after `delay`. A process that is not the child's counts as nobody.
pub(crate) async fn after(delay: Duration, listener: &Listener) -> Answer {
    time::sleep(delay).await;
    match time::timeout(TIMEOUT, ask(listener)).await {
        Ok(Ok(head)) => read(&head),
        Ok(Err(_)) | Err(_) => Answer::Nothing,
    }
}

/// Probes the `/health` of a child that serves, after `delay`. Tells whether anything answered within
/// `limit`; a refusal is no quicker than silence.
pub(crate) async fn health(delay: Duration, limit: Duration, listener: Listener) -> bool {
    time::sleep(delay).await;
    let asking = async {
        match ask(&listener).await {
            Ok(head) if !head.is_empty() => {}
            Ok(_) | Err(_) => future::pending().await,
        }
    };
    time::timeout(limit, asking).await.is_ok()
}

/// Sends a request of paddock's own to a child that serves, after `delay`. Returns the status of the answer, or
/// nothing without one within `limit`.
pub(crate) async fn status(
    delay: Duration,
    limit: Duration,
    listener: Listener,
    request: &[u8],
) -> Option<u16> {
    time::sleep(delay).await;
    let head = time::timeout(limit, send(&listener, request)).await.ok()?;
    let head = head.ok()?;
    std::str::from_utf8(head.get(9..)?).ok()?.parse().ok()
}

async fn ask(listener: &Listener) -> io::Result<Vec<u8>> {
    send(listener, REQUEST).await
}

async fn send(listener: &Listener, request: &[u8]) -> io::Result<Vec<u8>> {
    match &listener.address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await?;
            listener.processes.verify(&stream)?;
            exchange(stream, request).await
        }
        Address::Tcp(address) => exchange(TcpStream::connect(address).await?, request).await,
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    let mut head = Vec::with_capacity(STATUS_END);
    stream
        .take(STATUS_END as u64)
        .read_to_end(&mut head)
        .await?;
    Ok(head)
}

/// Judges the first bytes of an answer.
fn read(head: &[u8]) -> Answer {
    match head {
        [] => Answer::Nothing,
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
            Answer::Serving
        }
        _ => Answer::Busy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChildProcesses, marker::Marker};

    #[test]
    fn only_a_status_other_than_503_is_serving() {
        assert_eq!(read(b"HTTP/1.1 200"), Answer::Serving);
        assert_eq!(read(b"HTTP/1.0 404"), Answer::Serving);
        assert_eq!(read(b"HTTP/1.1 503"), Answer::Busy);
        assert_eq!(read(b"HTTP/1.1 2"), Answer::Busy);
        assert_eq!(read(b"SSH-2.0-Open"), Answer::Busy);
        assert_eq!(read(b""), Answer::Nothing);
    }

    #[test]
    fn the_delay_is_a_fiftieth_of_the_age_within_limits() {
        let delays = [0, 200, 500, 2_000, 60_000]
            .map(Duration::from_millis)
            .map(|age| delay(age).as_millis());
        assert_eq!(delays, [5, 5, 10, 40, 100]);
    }

    #[tokio::test]
    async fn nobody_there_is_an_answer_too() {
        let nowhere = Listener {
            address: Address::Unix("/proc/nonexistent/x.sock".into()),
            processes: ChildProcesses::new("m".into(), 1, Marker::new().unwrap()),
        };
        assert_eq!(after(Duration::ZERO, &nowhere).await, Answer::Nothing);
    }
}
