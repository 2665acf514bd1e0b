//! What a client sees of its request.

use std::io;
use std::time::Duration;

use paddock_e2e::harness::{Connection, Head};
use serde_json::Value;

/// The longest a client is let wait: a child that hangs is given up after 40 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// A client that has sent its request, and may have read the head of the answer.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) head: Option<Head>,
}

/// Reads what comes, and says what it is in a few words.
pub(crate) fn outcome(client: Client) -> String {
    let Client {
        connection: mut client,
        head,
    } = client;
    client.limit(PATIENCE);
    let head = match head.map_or_else(|| client.try_head(), Ok) {
        Ok(head) => head,
        Err(error) if is_silence(&error) => return "nothing".to_owned(),
        Err(_) => return "the connection closes without an answer".to_owned(),
    };
    let kind = head.field("x-paddock-error").map(str::to_owned);
    if let Some(kind) = kind {
        let again = head.field("retry-after").map_or("", |_| ", `Retry-After`");
        return format!("{} `{kind}`{again}", head.status);
    }
    let streamed = head.field("content-type") == Some("text/event-stream");
    let rest = if streamed {
        events(&mut client)
    } else {
        body(&mut client)
    };
    format!("{}, {rest}", head.status)
}

fn events(client: &mut Connection) -> String {
    let mut last = String::new();
    loop {
        match client.try_event() {
            Ok(Some(event)) => last = event.data(),
            Ok(None) if last == "[DONE]" => return "the whole stream".to_owned(),
            Ok(None) => return format!("a clean end after {last:?}"),
            Err(error) if is_silence(&error) => return "then nothing".to_owned(),
            Err(_) => {
                let error: Value = serde_json::from_str(&last).unwrap_or_default();
                return match error["error"]["code"].as_str() {
                    Some(code) => format!("then an error event `{code}`"),
                    None => "then the connection breaks off".to_owned(),
                };
            }
        }
    }
}

fn body(client: &mut Connection) -> String {
    loop {
        match client.try_piece() {
            Ok(Some(_)) => {}
            Ok(None) => return "the whole answer".to_owned(),
            Err(error) if is_silence(&error) => return "then nothing".to_owned(),
            Err(_) => return "then the connection breaks off".to_owned(),
        }
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
