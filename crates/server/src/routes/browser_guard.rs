//! Refuses requests that web pages other than the dashboard send to the admin plane, the routes for operators.
//!
//! A browser lets any page send requests to this server. Three header fields tell the dashboard's requests from those
//! of other pages:
//!
//! - `Origin` and `Sec-Fetch-Site` describe the page that sends the request, and pages cannot change them (Fetch §3.2,
//!   Fetch Metadata §2.3).
//! - `Host` reveals a page whose own host name was made to point to this server (DNS rebinding). The browser takes such
//!   a page for the server's own, and over plain HTTP sends neither of the other two fields with its GET requests.
//!
//! The rules are in `browser_policy.rs` of `paddock_admission`.

use super::admin_authentication;
use super::errors::admin_error;
use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use paddock_admission::browser_policy::BrowserPolicy;
use paddock_admission::catalog::Catalog;
use std::sync::Arc;
use tokio::sync::watch;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The kind of socket that the admin plane listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    /// The name in `Host` is not checked: no browser connects to a unix socket, and a reverse proxy may send any name.
    Unix,
}

/// A reason to refuse a request.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// The `Host` field is missing or repeated (RFC 9112 §3.2).
    AmbiguousHost,
    /// The host is a name that an attacker's DNS could point to this server.
    UnknownHost(String),
    /// A page other than the dashboard sent the request.
    ForeignPage,
}

/// Refuses requests of other sites' pages, including pages whose host name may have been rebound to this address.
pub(super) async fn refuse_foreign_pages(
    State((catalog, transport)): State<(watch::Receiver<Arc<Catalog>>, Transport)>,
    request: Request,
    next: Next,
) -> Response {
    let result = {
        let catalog = catalog.borrow();
        let path = request.uri().path();
        let is_probe = matches!(path, "/livez" | "/readyz");
        let checks_host = transport == Transport::Tcp
            && !is_probe
            && !admin_authentication::needs_key(&catalog, path);
        check(catalog.browser_policy(), &request, checks_host)
    };
    match result {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Checks the request's `Host`, `Origin` and `Sec-Fetch-Site`; the name in `Host` only if `checks_host`.
fn check<B>(
    policy: &BrowserPolicy,
    request: &http::Request<B>,
    checks_host: bool,
) -> Result<(), Refusal> {
    let field = single_host(request.headers(), request.version())?;
    // The host of an absolute target is the one that is asked (RFC 9112 §3.2.2).
    let authority = request.uri().authority().map(Authority::as_str);
    let host = authority.unwrap_or(field);
    if checks_host {
        for name in [field, host] {
            if !policy.is_admin_host(name) {
                return Err(Refusal::UnknownHost(name.to_owned()));
            }
        }
    }
    let mut origins = field_values(request.headers(), &ORIGIN);
    if !origins.all(|origin| policy.is_admin_origin(origin, host)) {
        return Err(Refusal::ForeignPage);
    }
    let mut sites = field_values(request.headers(), &FETCH_SITE);
    let is_own = sites.all(|site| matches!(site, "same-origin" | "none"));
    if is_own || opens_dashboard(request.method(), request.uri(), request.headers()) {
        return Ok(());
    }
    Err(Refusal::ForeignPage)
}

/// Returns the only `Host` field. An HTTP/1.0 request, which no browser sends, may have none.
fn single_host(headers: &HeaderMap, version: Version) -> Result<&str, Refusal> {
    let mut hosts = field_values(headers, &HOST);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Ok(host),
        (None, None) if version == Version::HTTP_10 => Ok(""),
        _ => Err(Refusal::AmbiguousHost),
    }
}

/// Returns whether a link or the address bar opens the dashboard, which no other page can read.
fn opens_dashboard(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut modes = field_values(headers, &FETCH_MODE);
    method == Method::GET && uri.path() == "/" && modes.any(|mode| mode == "navigate")
}

/// Returns the values of a field; `?`, which is no valid host or origin, stands for one that is not text.
fn field_values<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap_or("?"))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::AmbiguousHost => (
                StatusCode::BAD_REQUEST,
                "bad_request",
                "the request must have exactly one Host header".to_owned(),
            ),
            Self::UnknownHost(host) => (
                StatusCode::FORBIDDEN,
                "forbidden",
                format!(
                    "the admin address does not accept the host name '{}', because a malicious page could point that \
                     name at this server (DNS rebinding): use its IP address or localhost, add the name to \
                     `server.admin_hosts`, or require an API key: paddock key new NAME --allow admin",
                    host.chars().take(200).collect::<String>()
                ),
            ),
            Self::ForeignPage => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "the admin address refuses requests from pages of other sites; open it by its IP address, as localhost, \
                 or by a name in `server.admin_hosts`"
                    .to_owned(),
            ),
        };
        admin_error(status, code, &message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a request with this request line and these fields.
    fn check_request(
        line: &str,
        fields: &[(&str, &str)],
        checks_host: bool,
    ) -> Result<(), Refusal> {
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
        check(
            &BrowserPolicy::default(),
            &request.body(()).unwrap(),
            checks_host,
        )
    }

    fn is_allowed(line: &str, fields: &[(&str, &str)]) -> bool {
        check_request(line, fields, true).is_ok()
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:8081");

    #[test]
    fn a_name_that_may_have_been_made_to_point_here_is_refused() {
        let get = "GET /api/status";
        for host in ["127.0.0.1:8081", "[::1]:8081", "localhost", ""] {
            assert!(is_allowed(get, &[("host", host)]), "{host}");
        }
        let evil = ("host", "evil.test:8081");
        let refused = Err(Refusal::UnknownHost("evil.test:8081".to_owned()));
        assert_eq!(check_request(get, &[evil], true), refused);
        assert_eq!(
            check_request(get, &[evil], false),
            Ok(()),
            "with a key, or on a unix socket"
        );
        assert_eq!(
            check_request("GET http://evil.test:8081/", &[HERE], true),
            refused
        );
        assert_eq!(
            check_request("GET http://127.0.0.1:8081/", &[evil], true),
            refused
        );
        // A page of the host in the field is no page of the host that is asked.
        let page = ("origin", "http://127.0.0.1:8081");
        let elsewhere = "POST http://10.0.0.1:8081/api/reload";
        assert_eq!(
            check_request(elsewhere, &[HERE, page], true),
            Err(Refusal::ForeignPage)
        );
    }

    #[test]
    fn there_is_one_host() {
        assert_eq!(
            check_request("GET /", &[HERE, HERE], false),
            Err(Refusal::AmbiguousHost)
        );
        assert_eq!(
            check_request("GET /", &[], false),
            Err(Refusal::AmbiguousHost)
        );
        assert_eq!(check_request("GET / 1.0", &[], true), Ok(()));
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
                assert_eq!(is_allowed(method, &fields), expected, "{origin}");
            }
        }
        let two = [
            HERE,
            ("origin", "http://127.0.0.1:8081"),
            ("origin", "null"),
        ];
        assert!(!is_allowed("GET /", &two));
    }

    #[test]
    fn pages_of_other_sites_open_the_dashboard_and_nothing_else() {
        let asked = |line, site, mode| {
            let fields = [HERE, ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
            is_allowed(line, &fields)
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
