use super::request::Request;
use super::worker::Site;
use crate::error::ProxyError;
use axum::Router;

/// Whose a request is.
#[derive(Debug)]
pub(super) enum Route<'a> {
    /// The model's.
    Upstream,
    /// paddock's own.
    Own(&'a Router),
}

/// The prefix that names a model in the path.
const UPSTREAM: &[u8] = b"/upstream/";

/// Decides whose a request is:
/// 1. where nothing is paddock's own, the model's;
/// 2. `/upstream/{model}/…` the model's, without the prefix;
/// 3. `GET` and `HEAD` of health and models, paddock's;
/// 4. anything else the model's.
pub(super) fn route<'a>(site: &'a Site, request: &mut Request) -> Result<Route<'a>, ProxyError> {
    let Some(own) = &site.own else {
        return Ok(Route::Upstream);
    };
    let bytes = request.buffer.bytes();
    let path = request.head.path(bytes);
    if let Some(rest) = path.strip_prefix(UPSTREAM) {
        let prefix = upstream_prefix(site, rest)?;
        request.head.cut_target_prefix(prefix);
        return Ok(Route::Upstream);
    }
    let reads = request.to_head || request.head.method.of(bytes) == b"GET";
    if reads && is_own(path) {
        return Ok(Route::Own(own));
    }
    Ok(Route::Upstream)
}

fn is_own(path: &[u8]) -> bool {
    matches!(
        path,
        b"/health" | b"/v1/health" | b"/models" | b"/v1/models"
    ) || path.starts_with(b"/v1/models/")
}

/// The length of `/upstream/NAME`, if NAME is a model's and a path follows.
fn upstream_prefix(site: &Site, rest: &[u8]) -> Result<usize, ProxyError> {
    let named = |name: &&String| {
        rest.strip_prefix(name.as_bytes())
            .is_some_and(|path| path.starts_with(b"/"))
    };
    match site.names.iter().find(named) {
        Some(name) => Ok(UPSTREAM.len() + name.len()),
        None => Err(ProxyError::UnknownModel {
            name: String::from_utf8_lossy(rest.split(|byte| *byte == b'/').next().unwrap_or(rest))
                .into_owned(),
            configured: site.names.join(", "),
        }),
    }
}
