//! Parses URLs of receivers to which paddock sends telemetry: `http://` or `https://`, with a host and without
//! credentials.

use http::Uri;
use http::uri::Authority;
use std::fmt;
use tokio_rustls::rustls::pki_types::ServerName;

/// A URL such as `https://collector:8090/paddock?from=a`, with a host and without user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    uri: Uri,
    /// With https, the name that the server's certificate must have.
    tls: Option<ServerName<'static>>,
}

/// Reason why a text is not a valid [`HttpUrl`]. The text may contain a secret, so messages do not quote it.
#[derive(Debug, thiserror::Error)]
pub(super) enum UrlError {
    #[error("it does not begin with http:// or https://")]
    Scheme,
    #[error("it is not a valid URL")]
    Address,
    #[error("the host is missing")]
    Host,
    #[error("the host is neither a DNS name nor an IP address")]
    Name,
    #[error("it must not contain a user name or password")]
    User,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("it must not contain a # fragment")]
    Fragment,
}

impl HttpUrl {
    /// Parses and checks a URL.
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let https = match scheme.map(str::to_ascii_lowercase).as_deref() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(UrlError::Scheme),
        };
        let uri: Uri = text.parse().map_err(|_| UrlError::Address)?;
        let authority = uri.authority().ok_or(UrlError::Host)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::User);
        }
        if authority.host().is_empty() {
            return Err(UrlError::Host);
        }
        let port = authority.as_str().strip_prefix(authority.host());
        if port != Some("") && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(UrlError::Port);
        }
        if text.contains('#') {
            return Err(UrlError::Fragment);
        }
        let name =
            https.then(|| ServerName::try_from(without_brackets(authority.host()).to_owned()));
        let tls = name.transpose().map_err(|_| UrlError::Name)?;
        Ok(Self { uri, tls })
    }

    /// Returns the host with the port, if one is written.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", Authority::as_str)
    }

    /// Returns the host, without the brackets of an IPv6 address, and the port.
    pub fn host_and_port(&self) -> (&str, u16) {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let host = without_brackets(self.uri.host().unwrap_or_default());
        (host, self.uri.port_u16().unwrap_or(usual))
    }

    /// Returns the name that the server's certificate must have, if the scheme is https.
    pub fn tls(&self) -> Option<&ServerName<'static>> {
        self.tls.as_ref()
    }

    /// Returns whether a port is written.
    pub(super) fn has_port(&self) -> bool {
        self.uri.port().is_some()
    }

    /// Returns the request target: path and query.
    pub fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |it| it.as_str())
    }

    /// Returns the path without trailing slashes.
    pub fn path(&self) -> &str {
        self.uri.path().trim_end_matches('/')
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.uri.query()
    }
}

/// Removes the brackets of an IPv6 address.
fn without_brackets(host: &str) -> &str {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    bare.unwrap_or(host)
}

impl fmt::Display for HttpUrl {
    /// Formats the URL without its query, which may contain a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path())
    }
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
            ("HTTPS://collector/a", ("collector", 443), "/a"),
            ("https://[::1]:1", ("::1", 1), "/"),
        ] {
            let url = HttpUrl::parse(text).unwrap();
            assert_eq!(url.host_and_port(), host, "{text}");
            assert_eq!(url.target(), target, "{text}");
        }
        let url = HttpUrl::parse("http://[::1]:1/a/?from=b").unwrap();
        assert_eq!((url.authority(), url.path()), ("[::1]:1", "/a"));
        assert_eq!(url.to_string(), "http://[::1]:1/a");
        let url = HttpUrl::parse("https://collector/a?token=b").unwrap();
        assert_eq!(url.to_string(), "https://collector/a");
    }

    #[test]
    fn with_https_it_says_whom_the_certificate_is_for() {
        for (text, name) in [
            ("https://Collector.lan:4318/a", Some("Collector.lan")),
            ("https://192.0.2.7", Some("192.0.2.7")),
            ("https://[::1]:1", Some("::1")),
            ("http://collector", None),
        ] {
            let url = HttpUrl::parse(text).unwrap();
            let expected = name.map(|name| ServerName::try_from(name).unwrap());
            assert_eq!(url.tls(), expected.as_ref(), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_address_is_refused_with_a_reason() {
        for (text, reason) in [
            ("collector:8090", "does not begin with http://"),
            ("unix:/run/events.sock", "does not begin with http://"),
            ("https://", "not a valid URL"),
            ("https://a..b/", "neither a DNS name nor an IP address"),
            ("HTTPS://me:secret@collector", "a user name or password"),
            ("http://", "not a valid URL"),
            ("http:///events", "not a valid URL"),
            ("http://:8090", "host is missing"),
            ("http://collector:", "not a number"),
            ("http://collector:0", "not a number"),
            ("http://collector:99999", "not a number"),
            ("http://col lector", "not a valid URL"),
            ("http://collector/#a", "#"),
            ("http://me:secret@collector", "a user name or password"),
        ] {
            let message = HttpUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
