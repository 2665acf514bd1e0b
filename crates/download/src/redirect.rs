//! Decides which redirects are followed.

use std::net::IpAddr;

use reqwest::Url;

/// Redirects that one request follows.
pub(crate) const MAX_REDIRECTS: usize = 10;

/// The reason a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// The target is not a URL of http or https.
    #[error("it redirects to an address that is not http or https")]
    NotHttp,
    /// The target gives up encryption.
    #[error("it redirects from https to http, to {0}; that connection could be read and altered")]
    Downgrade(String),
    /// More than [`MAX_REDIRECTS`] redirects followed each other.
    #[error("it redirects more than {MAX_REDIRECTS} times")]
    TooMany,
}

/// Returns the URL that a `Location` refers to, or the reason not to go there.
///
/// User names and passwords in it are dropped.
pub(crate) fn resolve_redirect(from: &Url, location: &str) -> Result<Url, RedirectError> {
    let mut target = from.join(location).map_err(|_| RedirectError::NotHttp)?;
    if !is_http(&target) {
        return Err(RedirectError::NotHttp);
    }
    if from.scheme() == "https" && target.scheme() == "http" && !is_loopback(&target) {
        return Err(RedirectError::Downgrade(display_url(&target)));
    }
    // Both fail only for URLs without a host.
    let _always = target.set_username("");
    let _always = target.set_password(None);
    Ok(target)
}

/// Returns true for http and https with a host.
pub(crate) fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// Returns true if scheme, host and port are the same.
pub(crate) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

/// Returns a URL for messages: without the query, which may hold a signature, and without credentials.
pub(crate) fn display_url(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    let (scheme, port, path) = (url.scheme(), port.unwrap_or_default(), url.path());
    format!("{scheme}://{host}{port}{path}")
}

/// Returns true if the host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_followed_unless_they_give_up_encryption() {
        let https = "https://hub.example/a/b?token=1";
        for (from, location, expected) in [
            (https, "c", Some("https://hub.example/a/c")),
            (https, "/d?x=1", Some("https://hub.example/d?x=1")),
            (
                https,
                "https://cdn.example/e",
                Some("https://cdn.example/e"),
            ),
            (
                https,
                "https://me:secret@cdn.example/e",
                Some("https://cdn.example/e"),
            ),
            (https, "//cdn.example/e", Some("https://cdn.example/e")),
            (https, "http://cdn.example/e", None),
            (https, "http://127.0.0.1:80/e", Some("http://127.0.0.1/e")),
            (https, "http://[::1]/e", Some("http://[::1]/e")),
            (https, "http://localhost/e", Some("http://localhost/e")),
            (https, "http://127.0.0.1.example/e", None),
            (https, "file:///etc/passwd", None),
            (https, "data:,a", None),
            (
                "http://hub.example/",
                "https://hub.example/",
                Some("https://hub.example/"),
            ),
            (
                "http://hub.example/",
                "http://cdn.example/",
                Some("http://cdn.example/"),
            ),
        ] {
            let target = resolve_redirect(&Url::parse(from).unwrap(), location);
            let target = target.as_ref().ok().map(Url::as_str);
            assert_eq!(target, expected, "{from} -> {location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = Url::parse("https://hub.example/a").unwrap();
        for (other, expected) in [
            ("https://hub.example:443/b", true),
            ("https://hub.example:444/a", false),
            ("http://hub.example/a", false),
            ("https://sub.hub.example/a", false),
        ] {
            let other = Url::parse(other).unwrap();
            assert_eq!(is_same_origin(&origin, &other), expected, "{other}");
        }
    }

    #[test]
    fn messages_show_no_query_and_no_credentials() {
        let url = Url::parse("https://me:secret@cdn.example:8443/a.gguf?Signature=abc#d").unwrap();
        assert_eq!(display_url(&url), "https://cdn.example:8443/a.gguf");
    }
}
