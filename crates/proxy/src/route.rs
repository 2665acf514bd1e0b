use super::observation::{Method, is_observation};
use super::own::OwnRoutes;
use super::request::Request;
use super::worker::Worker;
use super::{nameless, ollama};
use paddock_admission::catalog::Catalog;
use paddock_admission::error::{ProxyError, Unroutable};
use paddock_admission::model::Model;
use paddock_wire::{Framing, UpstreamTarget, find_model_in_query, parse_model_header};
use std::sync::Arc;

/// Whose a request is.
#[derive(Debug)]
pub(crate) enum Route<'a> {
    /// A model's.
    Upstream(Arc<Model>),
    /// That of the model its body names.
    Body,
    /// paddock's own.
    Own(&'a OwnRoutes),
}

/// Decides whose a request is:
/// 1. where nothing is paddock's own, the one model's;
/// 2. `/upstream/{model}/…` that model's, without the prefix;
/// 3. `GET` and `HEAD` of health, models and metrics, paddock's;
/// 4. with `?model=` or `x-paddock-model`, that model's;
/// 5. of a route of Ollama's API, nobody's;
/// 6. with one model that answers to any name, its;
/// 7. with a body, the model's that it names;
/// 8. else that of the only or the default model.
///
/// Notes in the request whether it only observes its model.
pub(super) fn route<'a>(
    worker: &'a Worker,
    request: &mut Request,
) -> Result<Route<'a>, ProxyError> {
    let catalog = worker.catalog();
    // 1.
    let Some(own) = &worker.site.own else {
        return catalog.unnamed().map(Route::Upstream);
    };
    let bytes = request.buffer.bytes();
    let target = request.head.target.slice(bytes);
    let method = match request.head.method.slice(bytes) {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        _ => Method::Other,
    };
    let path = request.head.path(bytes);
    let head = bytes.get(..request.head_len).unwrap_or_default();
    // 2.
    if let Some(upstream) = UpstreamTarget::parse(target) {
        let (model, cut) = prefixed(&catalog, upstream)?;
        let rest = path.get(cut.end()..).unwrap_or_default();
        request.observes = is_observation(method, rest, head);
        request.head.cut_from_target(cut);
        return Ok(Route::Upstream(model));
    }
    // 3.
    if method != Method::Other && is_own(path) {
        return Ok(Route::Own(own));
    }
    let rest = path.strip_prefix(b"/");
    request.observes = rest.is_some_and(|rest| is_observation(method, rest, head));
    // 4.
    if let Some(name) = find_model_in_query(target)? {
        return catalog.find(&name).map(Route::Upstream);
    }
    if let Some(value) = request.head.model
        && let Some(name) = parse_model_header(value.slice(bytes))?
    {
        return catalog.find(name).map(Route::Upstream);
    }
    // 5.
    if ollama::has_route(path) {
        return Err(ProxyError::Unroutable(Unroutable::OllamaApi));
    }
    // 6.
    if let Some(only) = catalog.answers_to_any_name() {
        return Ok(Route::Upstream(Arc::clone(only)));
    }
    // 7. and 8.
    match request.head.framing {
        Framing::Length(0) => nameless::model(&catalog, request).map(Route::Upstream),
        _ => Ok(Route::Body),
    }
}

fn is_own(path: &[u8]) -> bool {
    matches!(
        path,
        b"/health" | b"/v1/health" | b"/models" | b"/v1/models" | b"/metrics"
    ) || path.starts_with(b"/v1/models/")
}

/// The model that the path names, and what of the target it does not see.
fn prefixed(
    catalog: &Catalog,
    upstream: UpstreamTarget<'_>,
) -> Result<(Arc<Model>, paddock_wire::ByteSpan), ProxyError> {
    for candidate in upstream.candidates() {
        if let Some(model) = catalog.named(&candidate.name) {
            return Ok((Arc::clone(model), candidate.cut));
        }
    }
    let name = upstream.shortest()?;
    let name = name.as_ref().map_or("", |candidate| &candidate.name);
    Err(catalog.unknown(name))
}
