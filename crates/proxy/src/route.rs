//! Decides where a request goes: to a model, or to paddock's own routes.

use super::observation::{RequestMethod, is_observation};
use super::own_routes::OwnRoutes;
use super::request::Request;
use super::worker::Worker;
use super::{ollama, unnamed_model};
use paddock_admission::catalog::Catalog;
use paddock_admission::error::{ProxyError, Unroutable};
use paddock_admission::model::Model;
use paddock_wire::{Framing, UpstreamTarget, find_model_in_query, parse_model_header};
use std::sync::Arc;

/// Destination of a request.
#[derive(Debug)]
pub(crate) enum RouteTarget<'a> {
    /// This model.
    Model(Arc<Model>),
    /// The model that the body names.
    NamedInBody,
    /// paddock's own routes.
    OwnRoutes(&'a OwnRoutes),
}

/// Decides where a request goes:
/// 1. without routes of paddock's own: to the one model;
/// 2. `/upstream/{model}/…`: to that model, without the prefix;
/// 3. `GET` and `HEAD` of health, models and metrics: to paddock;
/// 4. with `?model=` or `x-paddock-model`: to that model;
/// 5. a route of Ollama's API: refused;
/// 6. if one model answers to any name: to that model;
/// 7. with a body: to the model that the body names;
/// 8. else: to the only or the default model.
///
/// Notes in the request whether it only observes its model, which neither loads the model nor counts as use.
pub(super) fn route<'a>(
    worker: &'a Worker,
    request: &mut Request,
) -> Result<RouteTarget<'a>, ProxyError> {
    let catalog = worker.catalog();
    // 1.
    let Some(own) = &worker.context.own_routes else {
        return catalog.default_model().map(RouteTarget::Model);
    };
    let bytes = request.buffer.bytes();
    let target = request.head.target.slice(bytes);
    let method = match request.head.method.slice(bytes) {
        b"GET" => RequestMethod::Get,
        b"HEAD" => RequestMethod::Head,
        _ => RequestMethod::Other,
    };
    let path = request.head.path(bytes);
    let head = bytes.get(..request.head_len).unwrap_or_default();
    // 2.
    if let Some(upstream) = UpstreamTarget::parse(target) {
        let (model, cut) = find_by_prefix(&catalog, upstream)?;
        let rest = path.get(cut.end()..).unwrap_or_default();
        request.is_observation = is_observation(method, rest, head);
        request.head.cut_from_target(cut);
        return Ok(RouteTarget::Model(model));
    }
    // 3.
    if method != RequestMethod::Other && is_own_path(path) {
        return Ok(RouteTarget::OwnRoutes(own));
    }
    let rest = path.strip_prefix(b"/");
    request.is_observation = rest.is_some_and(|rest| is_observation(method, rest, head));
    // 4.
    if let Some(name) = find_model_in_query(target)? {
        return catalog.find(&name).map(RouteTarget::Model);
    }
    if let Some(value) = request.head.model
        && let Some(name) = parse_model_header(value.slice(bytes))?
    {
        return catalog.find(name).map(RouteTarget::Model);
    }
    // 5.
    if ollama::is_ollama_path(path) {
        return Err(ProxyError::Unroutable(Unroutable::OllamaApi));
    }
    // 6.
    if let Some(only) = catalog.answers_to_any_name() {
        return Ok(RouteTarget::Model(Arc::clone(only)));
    }
    // 7. and 8.
    match request.head.framing {
        Framing::Length(0) => unnamed_model::resolve(&catalog, request).map(RouteTarget::Model),
        _ => Ok(RouteTarget::NamedInBody),
    }
}

fn is_own_path(path: &[u8]) -> bool {
    matches!(
        path,
        b"/health" | b"/v1/health" | b"/models" | b"/v1/models" | b"/metrics"
    ) || path.starts_with(b"/v1/models/")
}

/// Returns the model that the path names, and the part of the target that the child does not get.
fn find_by_prefix(
    catalog: &Catalog,
    upstream: UpstreamTarget<'_>,
) -> Result<(Arc<Model>, paddock_wire::ByteSpan), ProxyError> {
    for candidate in upstream.candidates() {
        if let Some(model) = catalog.get(&candidate.name) {
            return Ok((Arc::clone(model), candidate.cut));
        }
    }
    let name = upstream.shortest()?;
    let name = name.as_ref().map_or("", |candidate| &candidate.name);
    Err(catalog.unknown_model(name))
}
