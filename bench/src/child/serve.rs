//! One connection of the child.

use std::io;
use std::rc::Rc;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::http::Requests;
use super::listen::Stream;
use super::pacer::Pace;
use super::{BURST, Server, answers};
use crate::clock;

/// Answers requests until the client leaves.
pub(super) async fn serve(server: Rc<Server>, stream: impl Stream) {
    let mut requests = Requests::new(stream);
    while let Ok(Some(target)) = requests.next().await {
        if let Some(pace) = paced(&target) {
            // A client that has left needs no events.
            let _ = begin(&server, requests.into_stream(), pace).await;
            return;
        }
        if answer(&server, &target, requests.stream()).await.is_err() {
            return;
        }
    }
}

async fn answer(
    server: &Server,
    target: &str,
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let answers = &server.answers;
    let ready = server.ready.get();
    if ready == 0 {
        return to.write_all(&answers.loading).await;
    }
    match target {
        "/health" => to.write_all(&answers.healthy).await,
        "/stamp" => {
            to.write_all(&answers::stamp(server.began, ready, clock::now()))
                .await
        }
        "/burst" => burst(server, to).await,
        _ => to.write_all(&answers.message).await,
    }
}

async fn burst(server: &Server, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    to.write_all(&server.answers.stream_head).await?;
    for _ in 0..BURST {
        to.write_all(&server.answers.event).await?;
    }
    to.write_all(server.answers.stream_end).await
}

/// The pace that a target asks for.
fn paced(target: &str) -> Option<Pace> {
    let query = target.strip_prefix("/paced?every_us=")?;
    let (every, phase) = query.split_once("&phase_us=")?;
    Some(Pace {
        every_us: every.parse().ok()?,
        phase_us: phase.parse().ok()?,
    })
}

/// Begins a stream, and leaves it to the pacer.
async fn begin(server: &Server, mut stream: impl Stream, pace: Pace) -> io::Result<()> {
    stream.write_all(&server.answers.stream_head).await?;
    server.pacer.take(stream.into_blocking()?, pace);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_read_from_the_query() {
        let pace = paced("/paced?every_us=10000&phase_us=70").unwrap();
        assert_eq!((pace.every_us, pace.phase_us), (10_000, 70));
        assert_eq!(paced("/burst"), None);
        assert_eq!(paced("/paced?every_us=10000"), None);
    }
}
