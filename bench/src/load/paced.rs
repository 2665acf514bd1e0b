//! Streams of paced events: how late is each?

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use memchr::memmem;

use super::{Client, Notes, post};
use crate::clock;

/// Before the time at which an event left.
const SENT: &[u8] = b"\"sent\":";

/// The digits of that time.
const DIGITS: usize = 20;

/// Between two events of a stream, in microseconds.
const PACE: usize = 10_000;

/// Listens to one stream of several, whose events are spread evenly over the pace.
pub(super) async fn listen(
    address: SocketAddr,
    number: usize,
    of: usize,
    notes: &Notes,
) -> Result<()> {
    let phase = PACE * number / of;
    let mut client = Client::connect(address).await?;
    client
        .send(&post(&format!("/paced?phase_us={phase}"), b"{}"))
        .await?;
    loop {
        let bytes = client.receive().await.context("a stream broke off")?;
        let came = clock::now();
        let mut seen = 0;
        while let Some((sent, end)) = next(&bytes[seen..]) {
            notes.add(came.saturating_sub(sent));
            seen += end;
        }
        bytes.drain(..seen);
    }
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
