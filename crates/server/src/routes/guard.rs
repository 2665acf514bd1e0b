//! Keeps web pages away from the admin plane, except the dashboard's own.
//!
//! A browser lets any page send requests here. Three checks tell the dashboard's requests from those of other
//! pages: `Origin` and `Sec-Fetch-Site`, which pages cannot change (Fetch §3.2, Fetch Metadata §2.3), and `Host`,
//! for a page whose own host name was made to point here (DNS rebinding): on a plain-http host name a browser
//! sends neither of the other two with a same-origin GET. The rules are in `browser_policy.rs`.

use super::keyed;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use paddock_admission::browser_policy::BrowserPolicy;
use paddock_admission::catalog::Catalog;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::watch;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The kind of socket that carries requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    /// No browser connects to a unix socket, so the name in `Host` is its proxy's choice.
    Unix,
}

/// Reason to refuse a request.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// `Host` is missing or repeated (RFC 9112 §3.2).
    Hosts,
    /// The host is a name that could have been made to point here.
    Host(String),
    /// The page is not the dashboard.
    Page,
}

/// Refuses requests of other pages, and of pages that may be others under this machine's address.
pub(super) async fn guard(
    State((catalog, transport)): State<(watch::Receiver<Arc<Catalog>>, Transport)>,
    request: Request,
    next: Next,
) -> Response {
    let judged = {
        let catalog = catalog.borrow();
        let path = request.uri().path();
        let is_probe = matches!(path, "/livez" | "/readyz");
        let checks_host =
            transport == Transport::Tcp && !is_probe && !keyed::needs_key(&catalog, path);
        judge(catalog.browser_policy(), &request, checks_host)
    };
    match judged {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn judge<B>(
    policy: &BrowserPolicy,
    request: &http::Request<B>,
    checks_host: bool,
) -> Result<(), Refusal> {
    let field = the_host(request.headers(), request.version())?;
    // The host of an absolute target is the one that is asked (RFC 9112 §3.2.2).
    let authority = request.uri().authority().map(Authority::as_str);
    let host = authority.unwrap_or(field);
    if checks_host {
        for name in [field, host] {
            if !policy.is_admin_host(name) {
                return Err(Refusal::Host(name.to_owned()));
            }
        }
    }
    let mut origins = texts(request.headers(), &ORIGIN);
    if !origins.all(|origin| policy.is_admin_origin(origin, host)) {
        return Err(Refusal::Page);
    }
    let mut sites = texts(request.headers(), &FETCH_SITE);
    let is_own = sites.all(|site| matches!(site, "same-origin" | "none"));
    if is_own || opens_dashboard(request.method(), request.uri(), request.headers()) {
        return Ok(());
    }
    Err(Refusal::Page)
}

/// The host that a request asks; empty where an HTTP/1.0 client states none, which is no browser.
fn the_host(headers: &HeaderMap, version: Version) -> Result<&str, Refusal> {
    let mut hosts = texts(headers, &HOST);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Ok(host),
        (None, None) if version == Version::HTTP_10 => Ok(""),
        _ => Err(Refusal::Hosts),
    }
}

/// Returns whether a link or the address bar opens the dashboard, which no other page can read.
fn opens_dashboard(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut modes = texts(headers, &FETCH_MODE);
    method == Method::GET && uri.path() == "/" && modes.any(|mode| mode == "navigate")
}

/// The values of a field; of one that is not text, a text that is no host, origin or word.
fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap_or("?"))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Hosts => (
                StatusCode::BAD_REQUEST,
                "bad_request",
                "the request needs one Host header field".to_owned(),
            ),
            Self::Host(host) => (
                StatusCode::FORBIDDEN,
                "forbidden",
                format!(
                    "the admin address does not go by the name '{}', which somebody may have made point here for a \
                     web page (DNS rebinding): ask for it by its address or as localhost, add the name to \
                     `server.admin_hosts`, or have operators show a key: paddock key new NAME --allow admin",
                    host.chars().take(200).collect::<String>()
                ),
            ),
            Self::Page => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "the admin address answers no pages of other sites; open it by its address, as localhost, or under \
                 a name in `server.admin_hosts`"
                    .to_owned(),
            ),
        };
        let error = json!({ "error": {
            "message": message,
            "type": "invalid_request_error",
            "code": code,
            "param": null,
        } });
        (status, Json(error)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The refusal of a request line with these fields, where the host is checked or not.
    fn judged(line: &str, fields: &[(&str, &str)], checks_host: bool) -> Result<(), Refusal> {
        let (method, target) = line.split_once(' ').unwrap();
        let (target, version) = match target.strip_suffix(" 1.0") {
            Some(target) => (target, Version::HTTP_10),
            None => (target, Version::HTTP_11),
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(target)
            .version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        judge(
            &BrowserPolicy::default(),
            &request.body(()).unwrap(),
            checks_host,
        )
    }

    fn is_let_in(line: &str, fields: &[(&str, &str)]) -> bool {
        judged(line, fields, true).is_ok()
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:8081");

    #[test]
    fn a_name_that_may_have_been_made_to_point_here_is_refused() {
        let get = "GET /api/status";
        for host in ["127.0.0.1:8081", "[::1]:8081", "localhost", ""] {
            assert!(is_let_in(get, &[("host", host)]), "{host}");
        }
        let evil = ("host", "evil.test:8081");
        let refused = Err(Refusal::Host("evil.test:8081".to_owned()));
        assert_eq!(judged(get, &[evil], true), refused);
        assert_eq!(
            judged(get, &[evil], false),
            Ok(()),
            "with a key, or on a unix socket"
        );
        assert_eq!(judged("GET http://evil.test:8081/", &[HERE], true), refused);
        assert_eq!(judged("GET http://127.0.0.1:8081/", &[evil], true), refused);
        // A page of the host in the field is no page of the host that is asked.
        let page = ("origin", "http://127.0.0.1:8081");
        let elsewhere = "POST http://10.0.0.1:8081/api/reload";
        assert_eq!(judged(elsewhere, &[HERE, page], true), Err(Refusal::Page));
    }

    #[test]
    fn there_is_one_host() {
        assert_eq!(judged("GET /", &[HERE, HERE], false), Err(Refusal::Hosts));
        assert_eq!(judged("GET /", &[], false), Err(Refusal::Hosts));
        assert_eq!(judged("GET / 1.0", &[], true), Ok(()));
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        for method in ["GET /api/status", "POST /api/reload"] {
            for (origin, expected) in [
                ("http://127.0.0.1:8081", true),
                ("https://127.0.0.1:8081", true),
                ("http://127.0.0.1:3000", false),
                ("http://localhost:8081", false),
                ("https://evil.example", false),
                ("null", false),
            ] {
                let fields = [HERE, ("origin", origin)];
                assert_eq!(is_let_in(method, &fields), expected, "{origin}");
            }
        }
        let two = [
            HERE,
            ("origin", "http://127.0.0.1:8081"),
            ("origin", "null"),
        ];
        assert!(!is_let_in("GET /", &two));
    }

    #[test]
    fn pages_of_other_sites_open_the_dashboard_and_nothing_else() {
        let asked = |line, site, mode| {
            let fields = [HERE, ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
            is_let_in(line, &fields)
        };
        for site in ["cross-site", "same-site", "a-new-word"] {
            assert!(asked("GET /", site, "navigate"));
            assert!(asked("GET /?x=y", site, "navigate"));
            assert!(!asked("GET /", site, "no-cors"));
            assert!(!asked("POST /", site, "navigate"));
            assert!(!asked("GET /api/status", site, "navigate"));
            assert!(!asked("GET /metrics", site, "no-cors"));
        }
        for site in ["same-origin", "none"] {
            assert!(asked("GET /api/status", site, "cors"));
        }
    }
}
