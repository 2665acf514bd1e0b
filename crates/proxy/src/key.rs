//! Who asks: where API keys are configured, a request shows one that is for what it asks.

use super::client::Client;
use super::request::Request;
use super::route::{self, Route};
use super::worker::Worker;
use paddock_admission::catalog::Catalog;
use paddock_admission::error::ProxyError;
use paddock_admission::keys::{self, Key, StreamUse, Visit};
use paddock_admission::model::Model;
use paddock_admission::upstream_routes::{StreamRoute, UpstreamRoute};
use paddock_wire::field_lines;
use std::sync::Arc;

const NONE: &str = "paddock wants an API key here: send one as `Authorization: Bearer KEY` or as `x-api-key: KEY`; \
                    its operator makes it with `paddock key new NAME`";
const UNKNOWN: &str = "this API key is not known here: it is misspelt, or was revoked";

/// Decides as [`route::route`] does, for those who may ask it. What shows who they are goes no further.
///
/// Without keys anybody may, and nothing is looked at. So may the operator's chats, who has shown a key at
/// the admin address.
pub(super) fn route<'a>(
    worker: &'a Worker,
    client: &mut Client,
    request: &mut Request,
) -> Result<Route<'a>, ProxyError> {
    let catalog = worker.catalog();
    if catalog.keys().is_empty() || client.inside || asks_for_health(worker, request) {
        return route::route(worker, request);
    }
    let mut shown = take(&catalog, request)?;
    let Some(key) = shown.key.take() else {
        return Err(ProxyError::Unauthorized(NONE));
    };
    client.card.for_key(&key);
    client.record.set_visit(Visit::new(Arc::clone(&key)));
    let head = request.buffer.bytes();
    let asked = UpstreamRoute::of(request.head.method.slice(head), request.head.path(head));
    key.check(&[asked.scope])?;
    if let Some(wants) = shown.wants(asked.stream)? {
        client.record.set_stream_use(wants);
    }
    let routed = route::route(worker, request).map_err(|error| catalog.for_key(&key, error))?;
    match &routed {
        Route::Own(_) => return Ok(routed),
        Route::Upstream(model) => catalog.check(&key, model)?,
        Route::Body => {}
    }
    client.record.start_key_use(client.watchdog.now())?;
    Ok(routed)
}

/// What was found of a model later, as who asks may know it.
pub(super) fn allowed(
    catalog: &Catalog,
    client: &Client,
    found: Result<Arc<Model>, ProxyError>,
) -> Result<Arc<Model>, ProxyError> {
    let Some(key) = client.record.key() else {
        return found;
    };
    let model = found.map_err(|error| catalog.for_key(key, error))?;
    catalog.check(key, &model)?;
    Ok(model)
}

/// The facts of a head that matter where there are keys.
#[derive(Debug, Default)]
struct Shown {
    key: Option<Arc<Key>>,
    /// The values of `X-Conversation-Id`.
    conversation: Option<Box<[u8]>>,
    more_conversations: bool,
}

impl Shown {
    /// What the request wants of streams. Of several conversations the child takes one by the case of the
    /// field's name: none of them is certain.
    fn wants(self, route: StreamRoute) -> Result<Option<StreamUse>, ProxyError> {
        match (route, self.conversation) {
            (StreamRoute::Resume, _) => Ok(Some(StreamUse::Resumes)),
            (StreamRoute::Lookup, _) => Ok(Some(StreamUse::LooksUp)),
            (StreamRoute::MayOpen, Some(_)) if self.more_conversations => Err(
                ProxyError::BadStream("it has more than one X-Conversation-Id"),
            ),
            (StreamRoute::MayOpen, Some(id)) => Ok(Some(StreamUse::Opens(id))),
            (StreamRoute::MayOpen, None) | (StreamRoute::Unrelated, _) => Ok(None),
        }
    }
}

/// The key that a request shows, of several the first that is still good. The lines of all of them are taken
/// out of it.
fn take(catalog: &Catalog, request: &mut Request) -> Result<Shown, ProxyError> {
    let mut shown = Shown::default();
    let mut refusal = None;
    let head = &request.buffer.bytes()[..request.head_len];
    for field in field_lines(head) {
        if field.has_name("x-conversation-id") && !field.value.is_empty() {
            shown.more_conversations = shown.conversation.is_some();
            shown.conversation.get_or_insert_with(|| field.value.into());
        }
        let Some(secret) = keys::of_field(field.name, field.value) else {
            continue;
        };
        let Some(key) = catalog.keys().find(secret) else {
            refusal.get_or_insert(ProxyError::Unauthorized(UNKNOWN));
            continue;
        };
        request.head.cut_line(field.line)?;
        match key.check_expiry() {
            Ok(()) => drop(shown.key.get_or_insert_with(|| Arc::clone(key))),
            Err(expired) => refusal = Some(expired),
        }
    }
    match refusal {
        Some(refusal) if shown.key.is_none() => Err(refusal),
        _ => Ok(shown),
    }
}

/// Whether it asks paddock itself how it is, which everybody may.
fn asks_for_health(worker: &Worker, request: &Request) -> bool {
    let bytes = request.buffer.bytes();
    let reads = request.to_head || request.head.method.slice(bytes) == b"GET";
    let path = request.head.path(bytes);
    worker.site.own.is_some() && reads && matches!(path, b"/health" | b"/v1/health")
}
