//! Requires an API key on the admin plane, the routes for operators, if the configuration has a key whose scope allows
//! the route.

use super::errors::refusal;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paddock_admission::catalog::Catalog;
use paddock_admission::error::ProxyError;
use paddock_admission::keys;
use paddock_config::Scope;
use std::sync::Arc;
use tokio::sync::watch;

/// Longest `Basic` credentials to decode, in bytes.
const MAX_CREDENTIALS_BYTES: usize = 1024;

/// Start of an `Authorization` field with a user name and password, as browsers send it; compared ignoring case.
const BASIC_SCHEME: &str = "basic ";

const MISSING_KEY_MESSAGE: &str = "the admin address requires an API key that allows `admin` (for /metrics, `metrics` is enough): \
                    send it as `Authorization: Bearer KEY`; in a browser, enter it as the password, with any user name";
const UNKNOWN_KEY_MESSAGE: &str = "unknown API key: it may be mistyped or revoked";

/// Refuses requests without a key that allows them.
pub(super) async fn require_api_key(
    State(catalog): State<watch::Receiver<Arc<Catalog>>>,
    request: Request,
    next: Next,
) -> Response {
    let result = {
        let catalog = catalog.borrow();
        authorize(&catalog, request.uri().path(), request.headers())
    };
    match result {
        Ok(()) => next.run(request).await,
        Err(error) => refuse(&error),
    }
}

/// Returns the scopes that allow a path; none for a path that needs no key.
fn scopes_for(path: &str) -> &'static [Scope] {
    match path {
        "/livez" | "/readyz" => &[],
        "/metrics" => &[Scope::Metrics, Scope::Admin],
        _ => &[Scope::Admin],
    }
}

/// Returns whether a path needs a key.
pub(super) fn needs_key(catalog: &Catalog, path: &str) -> bool {
    catalog.keys().has_key_for(scopes_for(path))
}

/// Checks that the request has a key that allows the path, if the path needs one.
fn authorize(catalog: &Catalog, path: &str, headers: &HeaderMap) -> Result<(), ProxyError> {
    if !needs_key(catalog, path) {
        return Ok(());
    }
    let (keys, scopes) = (catalog.keys(), scopes_for(path));
    let fields = headers.iter();
    let secrets = fields
        .filter_map(|(name, value)| {
            keys::credential_in_field(name.as_str().as_bytes(), value.as_bytes())
        })
        .map(<[u8]>::to_vec);
    let credentials: Vec<Vec<u8>> = secrets.chain(basic_password(headers)).collect();
    let mut found = credentials.iter().filter_map(|secret| keys.find(secret));
    let Some(first) = found.next() else {
        return Err(ProxyError::Unauthorized(match credentials.is_empty() {
            true => MISSING_KEY_MESSAGE,
            false => UNKNOWN_KEY_MESSAGE,
        }));
    };
    match first.check_expiry() {
        Ok(()) => first.check(scopes),
        // A request may have several keys, of which one is enough.
        Err(expired) => match found.find(|key| key.check_expiry().is_ok()) {
            Some(key) => key.check(scopes),
            None => Err(expired),
        },
    }
}

/// Returns the password of `Basic` credentials (RFC 7617 §2), which browsers send.
fn basic_password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_at_checked(BASIC_SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(BASIC_SCHEME) || encoded.len() > MAX_CREDENTIALS_BYTES {
        return None;
    }
    let pair = STANDARD.decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair.get(colon + 1..)?.to_vec())
}

fn refuse(error: &ProxyError) -> Response {
    let mut response = refusal(error);
    if error.status() == 401 {
        let headers = response.headers_mut();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        let basic = HeaderValue::from_static("Basic realm=\"paddock\", charset=\"UTF-8\"");
        headers.append(WWW_AUTHENTICATE, basic);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;
    use paddock_admission::keys::Keys;
    use paddock_config::{ApiKey, KeyHash};

    fn catalog(keys: &[(&str, &[Scope])]) -> Catalog {
        let keys = keys.iter().map(|(secret, allow)| ApiKey {
            name: (*secret).to_owned(),
            hash: KeyHash::from_secret(secret.as_bytes()),
            allow: allow.to_vec(),
            models: None,
            expires: None,
            max_concurrent: 0,
            requests_per_minute: 0,
            tokens_per_minute: 0,
        });
        let keys: Vec<_> = keys.collect();
        Catalog::default().with_keys(Keys::new(&keys, |_| None, &Keys::default()))
    }

    fn status(catalog: &Catalog, path: &str, shown: Option<(&str, &str)>) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = shown {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        authorize(catalog, path, &headers).map_or_else(|error| error.status(), |()| 200)
    }

    #[test]
    fn who_may_ask_for_what() {
        use Scope::{Admin, Inference, Metrics};
        let none = catalog(&[("i", &[Inference])]);
        let all = catalog(&[("i", &[Inference]), ("a", &[Admin]), ("m", &[Metrics])]);
        let bearer = |secret: &str| format!("Bearer {secret}");
        for path in ["/", "/api/status", "/metrics", "/gone", "/livez", "/readyz"] {
            assert_eq!(status(&none, path, None), 200, "{path}: no key is for it");
            let open = ["/livez", "/readyz"].contains(&path);
            let or = |status: u16| if open { 200 } else { status };
            assert_eq!(status(&all, path, None), or(401), "{path}");
            let shown = |secret: &str| status(&all, path, Some(("authorization", &bearer(secret))));
            assert_eq!(shown("x"), or(401), "{path}");
            assert_eq!(shown("i"), or(403), "{path}");
            assert_eq!(shown("a"), 200, "{path}");
            let metrics = if path == "/metrics" { 200 } else { or(403) };
            assert_eq!(shown("m"), metrics, "{path}");
        }
        let metrics = catalog(&[("m", &[Metrics])]);
        assert_eq!(status(&metrics, "/metrics", None), 401);
        assert_eq!(status(&metrics, "/api/status", None), 200);
    }

    #[test]
    fn a_key_that_has_expired_says_so_and_guards_on() {
        let config = |secret: &str, expires: &str| ApiKey {
            name: secret.to_owned(),
            hash: KeyHash::from_secret(secret.as_bytes()),
            allow: vec![Scope::Admin],
            models: None,
            expires: expires.parse().ok(),
            max_concurrent: 0,
            requests_per_minute: 0,
            tokens_per_minute: 0,
        };
        let old = config("old", "2020-01-01");
        let good = config("good", "9999-01-01");
        let catalog_with = |keys: &[ApiKey]| {
            Catalog::default().with_keys(Keys::new(keys, |_| None, &Keys::default()))
        };
        let result = |keys: &[ApiKey], shown: &[&str]| {
            let mut headers = HeaderMap::new();
            for secret in shown {
                headers.append("x-api-key", secret.parse().unwrap());
            }
            authorize(&catalog_with(keys), "/api/status", &headers)
        };
        let only = std::slice::from_ref(&old);
        let error = result(only, &["old"]).unwrap_err();
        assert_eq!(error.status(), 401);
        let words = "the API key 'old' expired at 2020-01-01T00:00:00Z";
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(
            result(only, &[]).unwrap_err().status(),
            401,
            "it is not open now"
        );
        let both = [old, good];
        assert!(result(&both, &["old"]).is_err());
        assert!(result(&both, &["good"]).is_ok());
        assert!(result(&both, &["old", "good"]).is_ok());
    }

    #[test]
    fn a_browser_shows_a_key_as_a_password() {
        let all = catalog(&[("a", &[Scope::Admin])]);
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (name, value, expected) in [
            ("authorization", basic(":a"), 200),
            ("authorization", basic("me:a"), 200),
            (
                "authorization",
                basic("me:a").to_lowercase().replace("bwu6yq==", "bWU6YQ=="),
                200,
            ),
            ("authorization", basic("a:me"), 401),
            ("authorization", basic("a"), 401),
            ("authorization", "Basic ???".to_owned(), 401),
            (
                "authorization",
                format!("Basic {}", "A".repeat(MAX_CREDENTIALS_BYTES + 4)),
                401,
            ),
            ("authorization", "a".to_owned(), 401),
            ("x-api-key", "a".to_owned(), 200),
        ] {
            assert_eq!(status(&all, "/", Some((name, &value))), expected, "{value}");
        }
    }

    #[test]
    fn a_refusal_says_how_to_show_one() {
        let response = refuse(&ProxyError::Unauthorized(MISSING_KEY_MESSAGE));
        let ways = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let ways: Vec<_> = ways.map(|value| value.to_str().unwrap()).collect();
        assert_eq!(
            ways,
            ["Bearer", "Basic realm=\"paddock\", charset=\"UTF-8\""]
        );
        assert_eq!(response.headers()["x-paddock-error"], "unauthorized");
    }
}
