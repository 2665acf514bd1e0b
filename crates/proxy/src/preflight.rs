//! Answers CORS preflights in place of the children.
//!
//! A preflight has neither body nor key, so with several models it names no child, and forwarding it would
//! load a model for nothing. The response is llama-server's (llama.cpp b11434, tools/server/server-http.cpp),
//! with the `--cors-*` flags of the model if the target names one.

use super::client::NextStep;
use super::exchange::Exchange;
use super::local_reply::{self, Payload};
use paddock_admission::catalog::Catalog;
use paddock_admission::phase::ServicePhase;
use paddock_scheduler::ModelId;
use paddock_wire::{UpstreamTarget, field_lines, find_model_in_query};

/// Answers a preflight of a page that is allowed.
pub(super) async fn answer(exchange: &mut Exchange<'_>) -> NextStep {
    let head = head(exchange);
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    let closes = request.head.close || worker.phase() != ServicePhase::Serving;
    request.release_buffers();
    client.record.set_own_answer(200, 0);
    local_reply::write(worker, client, head, Payload::Body(b""), closes).await
}

/// Returns the head of the response, with the fields that llama-server would send.
fn head(exchange: &mut Exchange<'_>) -> String {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    let bytes = request.buffer.bytes().get(..request.head_len);
    let bytes = bytes.unwrap_or_default();
    let catalog = worker.catalog();
    let engine = catalog
        .browser_policy()
        .engine_cors(model(&catalog, request.head.target.slice(bytes)));
    let origin = request.head.origin.map(|span| span.slice(bytes));
    let asked = field_lines(bytes).find(|field| field.has_name("access-control-request-headers"));
    let mut head = local_reply::status_line(200);
    let mut push = |name: &str, value: &[u8]| {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(&String::from_utf8_lossy(value));
        head.push_str("\r\n");
    };
    // llama-server's own `--cors-*` flags may allow fewer pages than paddock's configuration does.
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
    // `*` covers every field except `Authorization` (Fetch §4.9), so the names are echoed.
    let headers = match (engine.headers.as_str(), &asked) {
        ("*", Some(asked)) if !asked.value.is_empty() => asked.value,
        (headers, _) => headers.as_bytes(),
    };
    push("Access-Control-Allow-Headers", headers);
    push("Vary", b"Origin, Access-Control-Request-Headers");
    head
}

/// Returns the model that a target names.
fn model(catalog: &Catalog, target: &[u8]) -> Option<ModelId> {
    if let Some(upstream) = UpstreamTarget::parse(target) {
        let mut names = upstream.candidates();
        return names.find_map(|candidate| catalog.get(&candidate.name).map(|model| model.id));
    }
    let name = find_model_in_query(target).ok().flatten()?;
    catalog.get(&name).map(|model| model.id)
}
