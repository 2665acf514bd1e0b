//! Serves a connection of the child.

use std::io;
use std::rc::Rc;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::listener::ChildConnection;
use super::pacer::Pace;
use super::request_reader::RequestReader;
use super::{BURST_EVENTS, ChildServer, canned_responses};
use crate::clock;

/// Answers requests until the client leaves.
pub(super) async fn serve(server: Rc<ChildServer>, stream: impl ChildConnection) {
    let mut requests = RequestReader::new(stream);
    while let Ok(Some(target)) = requests.next().await {
        if let Some(pace) = parse_pace(&target) {
            // A client that has left needs no events.
            let _ = start_paced(&server, requests.into_stream(), pace).await;
            return;
        }
        if respond(&server, &target, requests.stream()).await.is_err() {
            return;
        }
    }
}

async fn respond(
    server: &ChildServer,
    target: &str,
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let responses = &server.responses;
    let ready = server.ready_at.get();
    if ready == 0 {
        return to.write_all(&responses.loading).await;
    }
    match target {
        "/health" => to.write_all(&responses.healthy).await,
        "/stamp" => {
            to.write_all(&canned_responses::stamp(
                server.started_at,
                ready,
                clock::now(),
            ))
            .await
        }
        "/burst" => write_burst(server, to).await,
        "/joined-burst" => to.write_all(&responses.joined_burst).await,
        _ => to.write_all(&responses.message).await,
    }
}

async fn write_burst(server: &ChildServer, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    to.write_all(&server.responses.stream_head).await?;
    for _ in 0..BURST_EVENTS {
        to.write_all(&server.responses.event).await?;
    }
    to.write_all(server.responses.stream_end).await
}

/// Parses the pace in a target.
fn parse_pace(target: &str) -> Option<Pace> {
    let query = target.strip_prefix("/paced?every_us=")?;
    let (every, phase) = query.split_once("&phase_us=")?;
    Some(Pace {
        every_us: every.parse().ok()?,
        phase_us: phase.parse().ok()?,
    })
}

/// Starts a stream and hands it to the pacer.
async fn start_paced(
    server: &ChildServer,
    mut stream: impl ChildConnection,
    pace: Pace,
) -> io::Result<()> {
    stream.write_all(&server.responses.stream_head).await?;
    server.pacer.add(stream.into_blocking()?, pace);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_read_from_the_query() {
        let pace = parse_pace("/paced?every_us=10000&phase_us=70").unwrap();
        assert_eq!((pace.every_us, pace.phase_us), (10_000, 70));
        assert_eq!(parse_pace("/burst"), None);
        assert_eq!(parse_pace("/paced?every_us=10000"), None);
    }
}
