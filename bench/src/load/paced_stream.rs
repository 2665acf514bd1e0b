//! Streams of paced events, and the delay of each event.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use memchr::memmem;

use super::request_bodies::{self, CHAT_PATH};
use super::{Client, Recorder, post};
use crate::clock;

/// The key before the time at which an event was sent.
const SENT_KEY: &[u8] = b"\"sent\":";

/// Number of digits of that time.
const SENT_DIGITS: usize = 20;

/// A client of one of several streams whose events are spread evenly over the interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacedClient {
    pub(super) number: usize,
    pub(super) count: usize,
    /// Interval between two events of a stream, in microseconds.
    pub(super) every_us: usize,
}

impl PacedClient {
    fn request(self) -> Vec<u8> {
        let (every, phase) = (self.every_us, self.every_us * self.number / self.count);
        let path = format!("/paced?every_us={every}&phase_us={phase}");
        post(CHAT_PATH, &request_bodies::chat_for_route("instant", &path))
    }

    /// Reads events until the stream fails.
    pub(super) async fn listen(self, address: SocketAddr, recorder: &Recorder) -> Result<()> {
        let mut client = self.open(address, recorder).await?;
        loop {
            read_events(&mut client, recorder).await?;
        }
    }

    /// Opens the stream. Only a few streams are opened at once, because a listener's queue is
    /// usually short.
    async fn open(self, address: SocketAddr, recorder: &Recorder) -> Result<Client> {
        let _turn = recorder.open_permits.acquire().await?;
        let mut client = Client::connect(address).await?;
        client.send(&self.request()).await?;
        let answer = client.receive().await?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            bail!("answered {}", String::from_utf8_lossy(answer));
        }
        recorder.open_streams.set(recorder.open_streams.get() + 1);
        Ok(client)
    }
}

/// Reads the available bytes, which may contain the head, or one and a half events.
async fn read_events(client: &mut Client, recorder: &Recorder) -> Result<()> {
    let bytes = client.receive().await.context("a stream ended early")?;
    let received = clock::now();
    let mut seen = 0;
    while let Some((sent, end)) = next_event(&bytes[seen..]) {
        recorder.add(received.saturating_sub(sent));
        seen += end;
    }
    bytes.drain(..seen);
    Ok(())
}

/// Returns the sending time of the next event, and the index after that time.
fn next_event(bytes: &[u8]) -> Option<(u64, usize)> {
    let start = memmem::find(bytes, SENT_KEY)? + SENT_KEY.len();
    let digits = bytes.get(start..start + SENT_DIGITS)?;
    let sent = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((sent, start + SENT_DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sending_time_is_read_once_complete() {
        let event = b"data: {\"sent\":00000000000000000042,\"x\":1}\n\n";
        assert_eq!(next_event(event), Some((42, 34)));
        assert_eq!(next_event(&event[..33]), None);
        assert_eq!(next_event(&event[34..]), None);
    }
}
