//! Authenticates requests: if API keys are configured, requires one whose scope allows the request.

use super::client::Client;
use super::exchange::Exchange;
use super::request::Request;
use super::route::{self, RouteTarget};
use super::worker::Worker;
use paddock_admission::catalog::Catalog;
use paddock_admission::error::ProxyError;
use paddock_admission::keys::{self, Key, KeyUse, StreamUse};
use paddock_admission::model::Model;
use paddock_admission::upstream_routes::{StreamRoute, UpstreamRoute};
use paddock_wire::field_lines;
use std::sync::Arc;

const MISSING_KEY_MESSAGE: &str = "an API key is required: send it as `Authorization: Bearer KEY` or as \
                                   `x-api-key: KEY`; the operator creates keys with `paddock key new NAME`";
const UNKNOWN_KEY_MESSAGE: &str = "unknown API key: it may be mistyped or revoked";

/// Checks the request's API key, then routes as [`route::route`] does. Cuts the field lines with the key out of
/// the head, so that no child (a model's llama-server) sees the key.
///
/// Without configured keys nothing is checked. Health checks need no key. Connections made in this process need
/// none either: they carry chats of the operator, whom the admin address has authenticated.
pub(super) fn authenticate_and_route<'a>(
    exchange: &mut Exchange<'a>,
) -> Result<RouteTarget<'a>, ProxyError> {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    let worker = *worker;
    let catalog = worker.catalog();
    if catalog.keys().is_empty() || client.is_in_process || is_health_check(worker, request) {
        return route::route(worker, request);
    }
    let mut credentials = take_credentials(&catalog, request)?;
    let Some(key) = credentials.key.take() else {
        return Err(ProxyError::Unauthorized(MISSING_KEY_MESSAGE));
    };
    client.status.set_key(&key);
    client.record.set_visit(KeyUse::new(Arc::clone(&key)));
    let head = request.buffer.bytes();
    let asked = UpstreamRoute::find(request.head.method.slice(head), request.head.path(head));
    key.check(&[asked.scope])?;
    if let Some(wants) = credentials.stream_use(asked.stream)? {
        client.record.set_stream_use(wants);
    }
    let routed =
        route::route(worker, request).map_err(|error| catalog.hide_other_models(&key, error))?;
    match &routed {
        RouteTarget::OwnRoutes(_) => return Ok(routed),
        RouteTarget::Model(model) => catalog.check(&key, model)?,
        RouteTarget::NamedInBody => {}
    }
    client.record.start_key_use(client.timer.now())?;
    Ok(routed)
}

/// Checks that the request's key allows the model that was found later. Removes models the key may not use
/// from an error that lists models.
pub(super) fn authorize_model(
    catalog: &Catalog,
    client: &Client,
    found: Result<Arc<Model>, ProxyError>,
) -> Result<Arc<Model>, ProxyError> {
    let Some(key) = client.record.key() else {
        return found;
    };
    let model = found.map_err(|error| catalog.hide_other_models(key, error))?;
    catalog.check(key, &model)?;
    Ok(model)
}

/// Credentials and conversation in a request's head.
#[derive(Debug, Default)]
struct Credentials {
    key: Option<Arc<Key>>,
    /// First value of `X-Conversation-Id`.
    conversation: Option<Box<[u8]>>,
    has_several_conversations: bool,
}

impl Credentials {
    /// Returns how the request uses resumable streams. A request with several conversation ids is refused: the
    /// child picks one by the case of the field's name.
    fn stream_use(self, route: StreamRoute) -> Result<Option<StreamUse>, ProxyError> {
        match (route, self.conversation) {
            (StreamRoute::Resume, _) => Ok(Some(StreamUse::Resume)),
            (StreamRoute::Lookup, _) => Ok(Some(StreamUse::Lookup)),
            (StreamRoute::MayOpen, Some(_)) if self.has_several_conversations => Err(
                ProxyError::BadStream("the request has more than one X-Conversation-Id"),
            ),
            (StreamRoute::MayOpen, Some(id)) => Ok(Some(StreamUse::Open(id))),
            (StreamRoute::MayOpen, None) | (StreamRoute::Unrelated, _) => Ok(None),
        }
    }
}

/// Finds the request's API key, the first valid one if there are several, and cuts the lines of all known keys
/// out of the head.
fn take_credentials(catalog: &Catalog, request: &mut Request) -> Result<Credentials, ProxyError> {
    let mut credentials = Credentials::default();
    let mut refusal = None;
    let head = &request.buffer.bytes()[..request.head_len];
    for field in field_lines(head) {
        if field.has_name("x-conversation-id") && !field.value.is_empty() {
            credentials.has_several_conversations = credentials.conversation.is_some();
            credentials
                .conversation
                .get_or_insert_with(|| field.value.into());
        }
        let Some(secret) = keys::credential_in_field(field.name, field.value) else {
            continue;
        };
        let Some(key) = catalog.keys().find(secret) else {
            refusal.get_or_insert(ProxyError::Unauthorized(UNKNOWN_KEY_MESSAGE));
            continue;
        };
        request.head.cut_line(field.line)?;
        match key.check_expiry() {
            Ok(()) => drop(credentials.key.get_or_insert_with(|| Arc::clone(key))),
            Err(expired) => refusal = Some(expired),
        }
    }
    match refusal {
        Some(refusal) if credentials.key.is_none() => Err(refusal),
        _ => Ok(credentials),
    }
}

/// Returns true for a request to paddock's health route, which needs no key.
fn is_health_check(worker: &Worker, request: &Request) -> bool {
    let bytes = request.buffer.bytes();
    let reads = request.is_head || request.head.method.slice(bytes) == b"GET";
    let path = request.head.path(bytes);
    worker.context.own_routes.is_some() && reads && matches!(path, b"/health" | b"/v1/health")
}
