//! The question of a browser whether a page may send its request, answered in the children's place.
//!
//! A preflight has no body and no key, so with several models nobody can tell which child it is for, and a child
//! that it reached would have been loaded for nothing. The answer is that of llama-server (llama.cpp b11434,
//! tools/server/server-http.cpp), with the `--cors-*` flags of the model if the target names one.

use super::client::{After, Client};
use super::reply::{self, Payload};
use super::request::Request;
use super::worker::Worker;
use paddock_admission::catalog::Catalog;
use paddock_admission::phase::ServicePhase;
use paddock_scheduler::ModelId;
use paddock_wire::{UpstreamTarget, field_lines, find_model_in_query};

/// Answers a preflight of a page that may ask.
pub(super) async fn answer(worker: &Worker, client: &mut Client, request: &mut Request) -> After {
    let closes = request.head.close || worker.phase() != ServicePhase::Serving;
    let head = head(worker, client, request);
    request.give_back(worker);
    client.record.set_own_answer(200, 0);
    reply::write(worker, client, head, Payload::Body(b""), closes).await
}

fn head(worker: &Worker, client: &mut Client, request: &Request) -> String {
    let bytes = request.buffer.bytes().get(..request.head_len);
    let bytes = bytes.unwrap_or_default();
    let catalog = worker.catalog();
    let engine = catalog
        .browsers()
        .engine(model(&catalog, request.head.target.slice(bytes)));
    let origin = request.head.origin.map(|span| span.slice(bytes));
    let asked = field_lines(bytes).find(|field| field.has_name("access-control-request-headers"));
    let mut head = reply::head_of(200);
    let mut push = |name: &str, value: &[u8]| {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(&String::from_utf8_lossy(value));
        head.push_str("\r\n");
    };
    // The child's own flags may allow fewer pages.
    client.cors_lines.clear();
    if let Some(value) = origin.and_then(|origin| engine.allow_origin(origin)) {
        push("Access-Control-Allow-Origin", value);
    }
    push(
        "Access-Control-Allow-Credentials",
        if engine.credentials {
            b"true"
        } else {
            b"false"
        },
    );
    push("Access-Control-Allow-Methods", engine.methods.as_bytes());
    // `*` stands for every field but `Authorization` (Fetch §4.9), so the names are repeated.
    let headers = match (engine.headers.as_str(), &asked) {
        ("*", Some(asked)) if !asked.value.is_empty() => asked.value,
        (headers, _) => headers.as_bytes(),
    };
    push("Access-Control-Allow-Headers", headers);
    push("Vary", b"Origin, Access-Control-Request-Headers");
    head
}

/// The model that a target names.
fn model(catalog: &Catalog, target: &[u8]) -> Option<ModelId> {
    if let Some(upstream) = UpstreamTarget::parse(target) {
        let mut names = upstream.candidates();
        return names.find_map(|candidate| catalog.named(&candidate.name).map(|model| model.id));
    }
    let name = find_model_in_query(target).ok().flatten()?;
    catalog.named(&name).map(|model| model.id)
}
