//! Parses the address of the OpenTelemetry (OTLP) collector: `telemetry.otlp_endpoint`.

use super::HttpUrl;
use super::http_url::UrlError;
use http::HeaderMap;

/// Accepted form, for error messages.
pub(super) const EXPECTED: &str = "an address such as \"http://127.0.0.1:4318\"";

/// Collector that receives traces and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// Base URL, without `/v1/traces` and `/v1/metrics`.
    pub url: HttpUrl,
    /// Header fields that paddock adds to each request; the values may be secret.
    pub fields: HeaderMap,
}

impl Collector {
    /// Creates a collector without header fields.
    ///
    /// # Errors
    /// The text is not a valid endpoint; the error is a message.
    pub fn without_fields(text: &str) -> Result<Self, String> {
        let url = read(text)?;
        let fields = HeaderMap::new();
        Ok(Self { url, fields })
    }
}

/// Parses an address; an empty one means none.
pub(super) fn parse(text: &str) -> Result<Option<HttpUrl>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    read(text)
        .map(Some)
        .map_err(|why| format!("expected {EXPECTED}: {why}"))
}

/// Parses a base URL: without query and signal path, and with a port unless the scheme is https.
fn read(text: &str) -> Result<HttpUrl, String> {
    let url = HttpUrl::parse(text).map_err(|flaw| match flaw {
        UrlError::Scheme if text.to_ascii_lowercase().starts_with("grpc://") => {
            "paddock sends OTLP over HTTP, usually to port 4318".to_owned()
        }
        flaw => flaw.to_string(),
    })?;
    if !url.has_port() && url.tls().is_none() {
        return Err("it needs a port, usually :4318".to_owned());
    }
    if url.query().is_some() {
        return Err("it must not contain a query".to_owned());
    }
    for signal in ["/v1/traces", "/v1/metrics"] {
        if url.path().ends_with(signal) {
            return Err(format!("omit {signal}: paddock adds it"));
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read() {
        for (text, path) in [
            ("http://127.0.0.1:4318", ""),
            ("http://127.0.0.1:4318/", ""),
            ("HTTP://collector.lan:80/a/b/", "/a/b"),
            ("https://collector.lan/otlp", "/otlp"),
            ("https://collector.lan:4318", ""),
        ] {
            assert_eq!(parse(text).unwrap().unwrap().path(), path, "{text}");
        }
        assert_eq!(parse(""), Ok(None));
    }

    #[test]
    fn what_is_no_such_address_is_refused_with_a_reason() {
        for (text, reason) in [
            (
                "https://me:secret@collector:4318",
                "a user name or password",
            ),
            ("GRPC://collector:4317", "OTLP over HTTP"),
            ("http://collector", "needs a port"),
            ("http://collector:4318/?a=b", "not contain a query"),
            ("http://collector:4318/v1/traces", "omit /v1/traces"),
            ("http://collector:4318/x/v1/metrics/", "omit /v1/metrics"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
