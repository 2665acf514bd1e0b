//! No web page makes the operator's browser do anything here.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::net::IpAddr;

/// Refuses requests that a page of another site sends: by its `Origin`, and, where a name was made
/// to point here for that (DNS rebinding), by the `Host` it asks for. Every browser says of itself
/// that it is one, by `Origin` or `Sec-Fetch-Site`; other clients may ask by any name.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    if is_from_here(request.headers()) {
        return next.run(request).await;
    }
    let error = json!({ "error": {
        "message": "the admin plane is not there for other sites' pages; ask for it by its address \
                    or as localhost",
        "type": "invalid_request_error",
        "code": "forbidden",
        "param": null,
    } });
    (StatusCode::FORBIDDEN, Json(error)).into_response()
}

fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(HOST).unwrap_or("localhost");
    let browser = headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site");
    if browser && !is_address(host) {
        return false;
    }
    text(ORIGIN).is_none_or(|origin| {
        origin
            .split_once("://")
            .is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
    })
}

/// An address, or the name that always is this machine's.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.is_empty() || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        is_from_here(&headers)
    }

    #[test]
    fn other_sites_are_refused() {
        assert!(asks("127.0.0.1:8081", None));
        assert!(asks("[::1]:8081", Some("http://[::1]:8081")));
        assert!(asks("localhost", Some("http://localhost")));
        assert!(!asks("127.0.0.1:8081", Some("https://evil.example")));
        assert!(!asks("127.0.0.1:8081", Some("null")));
        assert!(!asks(
            "rebound.example:8081",
            Some("http://rebound.example:8081")
        ));
        assert!(asks("box.example:8081", None), "no browser");
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "rebound.example".parse().unwrap());
        headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        assert!(!is_from_here(&headers));
    }
}
