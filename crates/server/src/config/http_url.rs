use http::Uri;
use http::uri::Authority;
use std::fmt;

/// An address such as `http://collector:8090/paddock?from=a`: with a host, and neither a name nor a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(Uri);

/// Why a text is no such address. It may hold a secret, so nothing of it is repeated.
#[derive(Debug, thiserror::Error)]
pub(super) enum Flaw {
    #[error("it does not begin with http://")]
    Scheme,
    #[error(
        "https is not supported in this version; send to a collector on this machine or in a private \
         network, and let that one send on by https"
    )]
    Https,
    #[error("it is no address")]
    Address,
    #[error("the host is missing")]
    Host,
    #[error("a name and a password cannot be part of it")]
    User,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("what stands behind a # is for browsers")]
    Fragment,
}

impl HttpUrl {
    pub(super) fn parse(text: &str) -> Result<Self, Flaw> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        match scheme.map(str::to_ascii_lowercase).as_deref() {
            Some("http") => {}
            Some("https") => return Err(Flaw::Https),
            _ => return Err(Flaw::Scheme),
        }
        let uri: Uri = text.parse().map_err(|_| Flaw::Address)?;
        let authority = uri.authority().ok_or(Flaw::Host)?;
        if authority.as_str().contains('@') {
            return Err(Flaw::User);
        }
        if authority.host().is_empty() {
            return Err(Flaw::Host);
        }
        let port = authority.as_str().strip_prefix(authority.host());
        if port != Some("") && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(Flaw::Port);
        }
        if text.contains('#') {
            return Err(Flaw::Fragment);
        }
        Ok(Self(uri))
    }

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

    /// Whether a port is written.
    pub(super) fn names_port(&self) -> bool {
        self.0.port().is_some()
    }

    /// What is asked for there: path and query.
    pub(crate) fn target(&self) -> &str {
        self.0.path_and_query().map_or("/", |it| it.as_str())
    }

    /// The path, without slashes at its end.
    pub(crate) fn path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.0.query()
    }
}

impl fmt::Display for HttpUrl {
    /// Writes it without the query, which may hold what is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path())
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
        ] {
            let url = HttpUrl::parse(text).unwrap();
            assert_eq!(url.host_and_port(), host, "{text}");
            assert_eq!(url.target(), target, "{text}");
        }
        let url = HttpUrl::parse("http://[::1]:1/a/?from=b").unwrap();
        assert_eq!((url.authority(), url.path()), ("[::1]:1", "/a"));
        assert_eq!(url.to_string(), "http://[::1]:1/a");
    }

    #[test]
    fn what_is_no_such_address_is_refused_with_a_reason() {
        for (text, reason) in [
            ("collector:8090", "does not begin with http://"),
            ("unix:/run/events.sock", "does not begin with http://"),
            ("https://collector", "https is not supported"),
            ("HTTPS://me:secret@collector", "https is not supported"),
            ("http://", "no address"),
            ("http:///events", "no address"),
            ("http://:8090", "host is missing"),
            ("http://collector:", "not a number"),
            ("http://collector:0", "not a number"),
            ("http://collector:99999", "not a number"),
            ("http://col lector", "no address"),
            ("http://collector/#a", "#"),
            ("http://me:secret@collector", "a name and a password"),
        ] {
            let message = HttpUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
