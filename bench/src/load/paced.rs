//! Streams of paced events: how late is each?

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use memchr::memmem;

use super::bodies::{self, CHATS};
use super::{Client, Notes, post};
use crate::clock;

/// Before the time at which an event left.
const SENT: &[u8] = b"\"sent\":";

/// The digits of that time.
const DIGITS: usize = 20;

/// One stream of several, whose events are spread evenly over the pace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listener {
    pub(super) number: usize,
    pub(super) of: usize,
    /// Between two events of a stream, in microseconds.
    pub(super) every_us: usize,
}

impl Listener {
    fn request(self) -> Vec<u8> {
        let (every, phase) = (self.every_us, self.every_us * self.number / self.of);
        let path = format!("/paced?every_us={every}&phase_us={phase}");
        post(CHATS, &bodies::wish("instant", &path))
    }

    /// Listens for as long as events come.
    pub(super) async fn listen(self, address: SocketAddr, notes: &Notes) -> Result<()> {
        let mut client = self.open(address, notes).await?;
        loop {
            take(&mut client, notes).await?;
        }
    }

    /// Begins the stream, a few at a time: more would not be taken from the queue of a listener that
    /// is as short as most are.
    async fn open(self, address: SocketAddr, notes: &Notes) -> Result<Client> {
        let _turn = notes.opening.acquire().await?;
        let mut client = Client::connect(address).await?;
        client.send(&self.request()).await?;
        let answer = client.receive().await?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            bail!("answered {}", String::from_utf8_lossy(answer));
        }
        notes.begun.set(notes.begun.get() + 1);
        Ok(client)
    }
}

/// Takes what has come, which may be the head, or an event and a half.
async fn take(client: &mut Client, notes: &Notes) -> Result<()> {
    let bytes = client.receive().await.context("a stream broke off")?;
    let came = clock::now();
    let mut seen = 0;
    while let Some((sent, end)) = next(&bytes[seen..]) {
        notes.add(came.saturating_sub(sent));
        seen += end;
    }
    bytes.drain(..seen);
    Ok(())
}

/// When the next event left, and where its time ends.
fn next(bytes: &[u8]) -> Option<(u64, usize)> {
    let start = memmem::find(bytes, SENT)? + SENT.len();
    let digits = bytes.get(start..start + DIGITS)?;
    let sent = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((sent, start + DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_once_it_is_whole() {
        let event = b"data: {\"sent\":00000000000000000042,\"x\":1}\n\n";
        assert_eq!(next(event), Some((42, 34)));
        assert_eq!(next(&event[..33]), None);
        assert_eq!(next(&event[34..]), None);
    }
}
