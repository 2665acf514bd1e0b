//! Who asks: where API keys are configured, a request shows one that is for what it asks.

use super::client::Client;
use super::request::Request;
use super::route::{self, Route};
use super::worker::Worker;
use crate::catalog::Catalog;
use crate::config::Scope;
use crate::error::ProxyError;
use crate::keys::{self, Key, Visit};
use crate::model::Model;
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
    let Some(key) = take(&catalog, request)? else {
        return Err(ProxyError::Unauthorized(NONE));
    };
    client.card.for_key(&key);
    client.record.for_key(Visit::new(Arc::clone(&key)));
    key.check(&[Scope::Inference])?;
    let routed = route::route(worker, request).map_err(|error| catalog.for_key(&key, error))?;
    match &routed {
        Route::Own(_) => return Ok(routed),
        Route::Upstream(model) => catalog.check(&key, model)?,
        Route::Body => {}
    }
    client.record.begins(client.watchdog.now())?;
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

/// The key that a request shows, the first of several. The lines of all of them are taken out of it.
fn take(catalog: &Catalog, request: &mut Request) -> Result<Option<Arc<Key>>, ProxyError> {
    let mut first = None;
    let mut shown = false;
    let head = &request.buffer.bytes()[..request.head_len];
    for (field, secret) in keys::of_head(head) {
        shown = true;
        if let Some(key) = catalog.keys().find(secret) {
            request.head.cut_line(field.line)?;
            first.get_or_insert_with(|| Arc::clone(key));
        }
    }
    match (first, shown) {
        (None, true) => Err(ProxyError::Unauthorized(UNKNOWN)),
        (first, _) => Ok(first),
    }
}

/// Whether it asks paddock itself how it is, which everybody may.
fn asks_for_health(worker: &Worker, request: &Request) -> bool {
    let bytes = request.buffer.bytes();
    let reads = request.to_head || request.head.method.of(bytes) == b"GET";
    let path = request.head.path(bytes);
    worker.site.own.is_some() && reads && matches!(path, b"/health" | b"/v1/health")
}
