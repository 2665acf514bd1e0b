//! Parses the receiver to which paddock posts events (finished requests, loads and exits of models):
//! `telemetry.events_url` and `telemetry.events_token_file`.

use super::HttpUrl;
use super::http_url::UrlError;
use std::path::PathBuf;

/// Accepted form, for error messages.
pub(super) const EXPECTED: &str = "an address such as \"http://collector:8090/paddock\"";

/// Receiver to which paddock posts events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReceiver {
    /// Address of the receiver.
    pub url: HttpUrl,
    /// File with the bearer token for the receiver.
    pub token_file: Option<PathBuf>,
}

/// Parses an address; an empty one means none.
pub(super) fn parse(text: &str) -> Result<Option<HttpUrl>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    HttpUrl::parse(text).map(Some).map_err(|flaw| {
        let help = match flaw {
            UrlError::User => "; put the token into the file that `events_token_file` names",
            _ => "",
        };
        format!("expected {EXPECTED}: {flaw}{help}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_in_a_file() {
        let message = parse("http://me:secret@collector").unwrap_err();
        assert!(message.contains("events_token_file"), "{message}");
        assert!(!message.contains("secret"), "{message}");
        assert_eq!(parse(""), Ok(None));
    }
}
