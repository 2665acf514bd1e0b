//! `telemetry.otlp_endpoint`.

use http::Uri;
use http::uri::Authority;
use std::fmt;

pub(super) const EXPECTED: &str = "an address such as \"http://127.0.0.1:4318\"";

/// Where traces and metrics are sent by OTLP over HTTP, such as `http://127.0.0.1:4318`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpEndpoint {
    /// Host and port.
    authority: Authority,
    /// What stands before `/v1/traces` and `/v1/metrics`: without a slash at its end.
    path: String,
}

impl OtlpEndpoint {
    /// Host and port, with brackets around an IPv6 address.
    pub(crate) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The path of a signal, `traces` or `metrics`.
    pub(crate) fn path_of(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.path)
    }
}

impl fmt::Display for OtlpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

/// Reads an address; an empty one stands for none.
pub(super) fn parse(text: &str) -> Result<Option<OtlpEndpoint>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |why: &str| Err(format!("expected {EXPECTED}, found `{text}`: {why}"));
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http") => {}
        Some("https") => {
            return wrong(
                "https is not supported in this version; send to a collector on this machine or in \
                 a private network, and let that one send on by https",
            );
        }
        Some("grpc") => return wrong("OTLP goes over HTTP here, customarily to port 4318"),
        _ => return wrong("it does not begin with http://"),
    }
    let Ok(uri) = text.parse::<Uri>() else {
        return wrong("it is no address");
    };
    let Some(authority) = uri.authority() else {
        return wrong("the host is missing");
    };
    if authority.as_str().contains('@') {
        return Err(format!(
            "expected {EXPECTED}: a name and a password cannot be part of it"
        ));
    }
    if authority.host().is_empty() {
        return wrong("the host is missing");
    }
    match authority.port_u16() {
        Some(0) | None => return wrong("it needs a port from 1 to 65535, customarily :4318"),
        Some(_) => {}
    }
    if uri.query().is_some() || text.contains('#') {
        return wrong("a path may follow, but no query");
    }
    let path = uri.path().trim_end_matches('/');
    for signal in ["/v1/traces", "/v1/metrics"] {
        if path.ends_with(signal) {
            return wrong(&format!("leave {signal} out: paddock adds it"));
        }
    }
    Ok(Some(OtlpEndpoint {
        authority: authority.clone(),
        path: path.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_signals_are_added_to_its_path() {
        for (text, authority, traces) in [
            ("http://127.0.0.1:4318", "127.0.0.1:4318", "/v1/traces"),
            ("http://127.0.0.1:4318/", "127.0.0.1:4318", "/v1/traces"),
            ("http://[::1]:4318/otlp", "[::1]:4318", "/otlp/v1/traces"),
            (
                "HTTP://collector.lan:80/a/b/",
                "collector.lan:80",
                "/a/b/v1/traces",
            ),
        ] {
            let endpoint = parse(text).unwrap().unwrap();
            assert_eq!(endpoint.authority(), authority, "{text}");
            assert_eq!(endpoint.path_of("traces"), traces, "{text}");
            let shown = endpoint.to_string();
            assert_eq!(parse(&shown), Ok(Some(endpoint)), "{shown}");
        }
        assert_eq!(parse(""), Ok(None));
    }

    #[test]
    fn what_is_no_such_address_is_refused_with_a_reason() {
        for (text, reason) in [
            ("localhost:4318", "does not begin with http://"),
            ("https://collector:4318", "https is not supported"),
            ("HTTPS://collector:4318", "https is not supported"),
            ("grpc://collector:4317", "OTLP goes over HTTP"),
            ("unix:///run/otlp.sock", "does not begin with http://"),
            ("http://", "no address"),
            ("http://:4318", "host is missing"),
            ("http://collector", "needs a port"),
            ("http://collector:", "needs a port"),
            ("http://collector:0", "needs a port"),
            ("http://collector:99999", "needs a port"),
            ("http://col lector:4318", "no address"),
            ("http://collector:4318/?a=b", "no query"),
            ("http://collector:4318/#a", "no query"),
            ("http://collector:4318/v1/traces", "leave /v1/traces out"),
            (
                "http://collector:4318/x/v1/metrics/",
                "leave /v1/metrics out",
            ),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
        }
        let secret = parse("http://me:secret@collector:4318").unwrap_err();
        assert!(!secret.contains("secret"), "{secret}");
    }
}
