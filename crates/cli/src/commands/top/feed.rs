//! What paddock tells, over as many connections as it takes.

use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

use super::state::{Event, Order};
use crate::admin::{Client, Sse, Trouble, model_path};

/// Twice the longest silence of `GET /api/events`.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a connection that has failed is not tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells what comes, and when nothing does; until nobody listens.
pub(super) async fn follow(client: Client, tell: Sender<Event>) {
    loop {
        let Err(trouble) = connection(&client, &tell).await else {
            return;
        };
        // What to do about it is said to whoever has not begun yet.
        let why = trouble.to_string();
        let why = why.lines().next().unwrap_or_default().to_owned();
        if tell.send(Event::Lost(why)).await.is_err() {
            return;
        }
        sleep(AGAIN).await;
    }
}

/// Tells what comes on one connection. Nothing is wrong only when nobody listens any more.
async fn connection(client: &Client, tell: &Sender<Event>) -> Result<(), Trouble> {
    let mut answer = client.ask(Method::GET, "/api/events").await?;
    let mut sse = Sse::default();
    loop {
        let piece = timeout(SILENCE, answer.piece()).await;
        let piece = piece.map_err(|_| answer.gone())??;
        let piece = piece.ok_or_else(|| answer.gone())?;
        let events = sse.events(&piece).map_err(|_| answer.gone())?;
        for event in events {
            let data: Value = serde_json::from_slice(&event.data).unwrap_or_default();
            if tell.send(Event::Told(event.name, data)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Orders something, and tells what is said to it.
pub(super) async fn order(client: Client, what: Order, model: String, tell: Sender<Event>) {
    let path = model_path(&model, what.word());
    let said = match client.ask(Method::POST, &path).await {
        Ok(_) => None,
        Err(trouble) => Some(trouble.to_string()),
    };
    // Nobody listens at the end.
    let _unheard = tell.send(Event::Ordered(said)).await;
}
