//! `telemetry.events_url` and `telemetry.events_token_file`.

use http::Uri;
use http::uri::Authority;
use std::fmt;
use std::path::PathBuf;

pub(super) const EXPECTED: &str = "an address such as \"http://collector:8090/paddock\"";

/// Where events are posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Events {
    /// The receiver.
    pub url: EventsUrl,
    /// The file that holds the token to show there.
    pub token_file: Option<PathBuf>,
}

/// A receiver's address, such as `http://collector:8090/paddock?from=a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsUrl(Uri);

impl EventsUrl {
    /// Host and, where it is written, port.
    pub(crate) fn authority(&self) -> &str {
        self.0.authority().map_or("", Authority::as_str)
    }

    /// The host, without the brackets of an IPv6 address, and the port.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        let host = self.0.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        (bare.unwrap_or(host), self.0.port_u16().unwrap_or(80))
    }

    /// What is asked for there: path and query.
    pub(crate) fn target(&self) -> &str {
        self.0
            .path_and_query()
            .map_or("/", |target| target.as_str())
    }
}

impl fmt::Display for EventsUrl {
    /// Writes it without the query, which may hold what is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.0.path())
    }
}

/// Reads an address; an empty one stands for none.
pub(super) fn parse(text: &str) -> Result<Option<EventsUrl>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    // It may hold a secret, which is not repeated.
    let wrong = |why: &str| Err(format!("expected {EXPECTED}: {why}"));
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http") => {}
        Some("https") => {
            return wrong(
                "https is not supported in this version; post to a collector on this machine or in a \
                 private network, and let that one send on by https",
            );
        }
        _ => return wrong("it does not begin with http://"),
    }
    let Ok(uri) = text.parse::<Uri>() else {
        return wrong("it is no address");
    };
    let Some(authority) = uri.authority() else {
        return wrong("the host is missing");
    };
    if authority.as_str().contains('@') {
        return wrong(
            "a name and a password cannot be part of it; `events_token_file` names a file with a token",
        );
    }
    if authority.host().is_empty() {
        return wrong("the host is missing");
    }
    let port = authority.as_str().strip_prefix(authority.host());
    if port != Some("") && authority.port_u16().is_none_or(|port| port == 0) {
        return wrong("the port is not a number from 1 to 65535");
    }
    if text.contains('#') {
        return wrong("what stands behind a # is for browsers");
    }
    Ok(Some(EventsUrl(uri)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read() {
        for (text, host, target) in [
            ("http://127.0.0.1:8090", ("127.0.0.1", 8090), "/"),
            ("http://[::1]:1/a?from=b", ("::1", 1), "/a?from=b"),
            ("HTTP://collector/a/b/", ("collector", 80), "/a/b/"),
        ] {
            let url = parse(text).unwrap().unwrap();
            assert_eq!(url.host_and_port(), host, "{text}");
            assert_eq!(url.target(), target, "{text}");
        }
        let url = parse("http://[::1]:1/a?from=b").unwrap().unwrap();
        assert_eq!(url.authority(), "[::1]:1");
        assert_eq!(url.to_string(), "http://[::1]:1/a");
        assert_eq!(parse(""), Ok(None));
    }

    #[test]
    fn what_is_no_such_address_is_refused_with_a_reason() {
        for (text, reason) in [
            ("collector:8090", "does not begin with http://"),
            ("unix:/run/events.sock", "does not begin with http://"),
            ("HTTPS://collector", "https is not supported"),
            ("http://", "no address"),
            ("http:///events", "no address"),
            ("http://:8090", "host is missing"),
            ("http://collector:", "not a number"),
            ("http://collector:0", "not a number"),
            ("http://collector:99999", "no"),
            ("http://col lector", "no address"),
            ("http://collector/#a", "#"),
            ("http://me:secret@collector", "events_token_file"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
