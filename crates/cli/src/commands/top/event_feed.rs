//! Follows `/api/events`, reconnecting as necessary, and sends actions.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

use super::state::TopEvent;
use crate::admin::{AdminClient, CommandError, ModelAction};

/// Twice the longest silence of `GET /api/events`.
const EVENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Wait before reconnecting.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Forwards events and lost connections until the receiver is dropped.
pub(super) async fn follow_events(client: AdminClient, sender: Sender<TopEvent>) {
    loop {
        let Err(error) = follow_connection(&client, &sender).await else {
            return;
        };
        // The other lines are advice for the first start.
        let why = error.to_string();
        let why = why.lines().next().unwrap_or_default().to_owned();
        if sender.send(TopEvent::Disconnected(why)).await.is_err() {
            return;
        }
        sleep(RECONNECT_DELAY).await;
    }
}

/// Forwards events of one connection. Returns `Ok` only when the receiver is dropped.
async fn follow_connection(
    client: &AdminClient,
    sender: &Sender<TopEvent>,
) -> Result<(), CommandError> {
    let mut events = client.events().await?;
    loop {
        let received = timeout(EVENT_TIMEOUT, events.next()).await;
        let received = received.map_err(|_| events.connection_lost())??;
        for event in received {
            if sender.send(TopEvent::Server(event)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Runs an action on a model and reports its error, if any.
pub(super) async fn run_action(
    client: AdminClient,
    action: ModelAction,
    model: String,
    sender: Sender<TopEvent>,
) {
    let result = client.begin(action, &model).await;
    let error = result.err().map(|error| error.to_string());
    // Fails when the user has quit.
    let _unheard = sender.send(TopEvent::ActionDone(error)).await;
}
