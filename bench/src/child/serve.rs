//! One connection of the child.

use std::io;
use std::rc::Rc;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::http::Requests;
use super::listen::Stream;
use super::{BURST, Server, answers};
use crate::clock;

/// Answers requests until the client leaves.
pub(super) async fn serve(server: Rc<Server>, stream: impl Stream) {
    let mut requests = Requests::new(stream);
    while let Ok(Some(target)) = requests.next().await {
        if let Some(phase) = target.strip_prefix("/paced?phase_us=") {
            let phase_us = phase.parse().unwrap_or(0);
            // A client that has left needs no events.
            let _ = pace(&server, requests.into_stream(), phase_us).await;
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

/// Begins a stream, and leaves it to the pacer.
async fn pace(server: &Server, mut stream: impl Stream, phase_us: u64) -> io::Result<()> {
    stream.write_all(&server.answers.stream_head).await?;
    server.pacer.take(stream.into_blocking()?, phase_us);
    Ok(())
}
