//! What a browser asks before a request with an API key, answered as llama-server does (llama.cpp b11434,
//! tools/server/server-http.cpp): any page may ask, for who has no key gets nothing.
//!
//! It shows no key itself, and what shows none never reaches a child: it could have models loaded.

use super::client::{After, Client};
use super::reply;
use super::request::Request;
use super::worker::Worker;
use crate::runtime::Phase;
use paddock_wire::field_lines;

/// Answers it. The names of fields are repeated: a `*` would not mean `Authorization` (Fetch §4.9).
pub(super) async fn answer(worker: &Worker, client: &mut Client, request: &mut Request) -> After {
    let closes = request.head.close || worker.phase() != Phase::Serving;
    let mut head = reply::head_of(200);
    let asked = &request.buffer.bytes()[..request.head_len];
    for field in field_lines(asked) {
        let name = match () {
            () if field.is("origin") => "Access-Control-Allow-Origin",
            () if field.is("access-control-request-headers") => "Access-Control-Allow-Headers",
            () => continue,
        };
        head.push_str(name);
        head.push_str(": ");
        head.push_str(&String::from_utf8_lossy(field.value));
        head.push_str("\r\n");
    }
    head.push_str("Access-Control-Allow-Credentials: true\r\n");
    head.push_str("Access-Control-Allow-Methods: GET, POST\r\n");
    head.push_str("Vary: Origin, Access-Control-Request-Headers\r\n");
    request.give_back(worker);
    client.record.own(200, 0);
    reply::write(worker, client, head, b"", false, closes).await
}
