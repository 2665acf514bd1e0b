//! Follows the server-sent events of `GET /api/events` for `paddock top`, reconnecting after errors, and sends the
//! user's actions: load, unload, pin and unpin.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

use super::state::TopEvent;
use crate::admin::{AdminClient, CommandError, ModelAction};

/// Longest silence before the connection counts as lost: twice the interval of the comments that paddock sends.
const EVENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Wait before reconnecting.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Forwards events, and the reason for each lost connection, until the receiver is dropped.
pub(super) async fn follow_events(client: AdminClient, sender: Sender<TopEvent>) {
    loop {
        let Err(error) = follow_connection(&client, &sender).await else {
            return;
        };
        // Shows only the first line of the error, the cause. The other lines advise how to start paddock.
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
