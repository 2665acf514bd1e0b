//! Parses and matches the origins of web pages that may use the public address: `server.allowed_origins`.
//!
//! An origin is a scheme, a host and a port, as browsers send it in `Origin` (RFC 6454 §7).

use std::fmt;
use std::net::Ipv6Addr;

/// Origins that are allowed without API keys: those of this machine and of desktop programs, whose schemes no web site
/// can have. The list is Ollama's default (envconfig/config.go, `AllowedOrigins`).
const LOCAL_ORIGINS: [&str; 10] = [
    "http://localhost:*",
    "https://localhost:*",
    "http://127.0.0.1:*",
    "https://127.0.0.1:*",
    "http://[::1]:*",
    "https://[::1]:*",
    "app://*",
    "file://*",
    "tauri://*",
    "vscode-webview://*",
];

/// An entry of `server.allowed_origins`: a single origin or a pattern of origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// `*`
    Any,
    /// `null`: the origin of pages without one, such as local files and sandboxed frames.
    Null,
    /// `http://HOST:PORT` or `https://HOST:PORT`
    Site {
        secure: bool,
        host: Host,
        port: Port,
    },
    /// Any other scheme: the text after `://`, or `None` for any text.
    Other {
        scheme: String,
        rest: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    /// A host in lower case; IPv6 addresses are in brackets.
    Is(String),
    /// Every host below this domain.
    Below(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Any,
    /// The scheme's default port, which browsers omit.
    Default,
    Is(u16),
}

/// The pages that may use the public address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<AllowedOrigin>);

impl AllowedOrigins {
    /// Creates a list of entries.
    pub fn new(entries: Vec<AllowedOrigin>) -> Self {
        Self(entries)
    }

    /// Allows the pages of every site.
    pub fn any() -> Self {
        Self(vec![AllowedOrigin(Pattern::Any)])
    }

    /// Allows the pages of this machine and of desktop programs.
    pub fn local() -> Self {
        Self(
            LOCAL_ORIGINS
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
        )
    }

    /// Returns whether pages of every site are allowed.
    pub fn is_any(&self) -> bool {
        self.0.iter().any(|entry| entry.0 == Pattern::Any)
    }

    /// Returns an entry that allows pages of arbitrary web sites, if there is one.
    pub(crate) fn any_site_entry(&self) -> Option<&AllowedOrigin> {
        self.0.iter().find(|entry| {
            matches!(
                &entry.0,
                Pattern::Any
                    | Pattern::Site {
                        host: Host::Any,
                        ..
                    }
            )
        })
    }

    /// Returns whether pages without an origin of their own are allowed by name.
    pub(crate) fn has_null(&self) -> bool {
        self.0.iter().any(|entry| entry.0 == Pattern::Null)
    }

    /// Returns whether an origin is allowed, given as the value of `Origin`.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.0.iter().any(|entry| entry.0.matches(origin))
    }

    /// Returns whether an entry allows web pages of this host, on any port.
    pub fn has_host(&self, host: &str) -> bool {
        self.0.iter().any(|entry| match &entry.0 {
            Pattern::Any => true,
            Pattern::Site { host: pattern, .. } => pattern.matches(host.as_bytes()),
            Pattern::Null | Pattern::Other { .. } => false,
        })
    }
}

impl Pattern {
    fn matches(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Null => origin == b"null",
            Self::Site { secure, host, port } => {
                let Some((scheme, authority)) = split(origin) else {
                    return false;
                };
                let (name, number) = split_port(authority);
                let same: &[u8] = if *secure { b"https" } else { b"http" };
                scheme.eq_ignore_ascii_case(same) && host.matches(name) && port.matches(number)
            }
            Self::Other { scheme, rest } => split(origin).is_some_and(|(found, behind)| {
                found.eq_ignore_ascii_case(scheme.as_bytes())
                    && rest.as_ref().is_none_or(|rest| rest.as_bytes() == behind)
            }),
        }
    }
}

impl Host {
    fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Any => !name.is_empty(),
            Self::Is(host) => name.eq_ignore_ascii_case(host.as_bytes()),
            Self::Below(domain) => {
                let dot = name.len().checked_sub(domain.len() + 1);
                dot.is_some_and(|dot| {
                    dot > 0
                        && name[dot] == b'.'
                        && name[dot + 1..].eq_ignore_ascii_case(domain.as_bytes())
                })
            }
        }
    }
}

impl Port {
    fn matches(self, port: Option<&[u8]>) -> bool {
        match self {
            Self::Any => true,
            Self::Default => port.is_none(),
            Self::Is(number) => port == Some(number.to_string().as_bytes()),
        }
    }
}

/// Splits an origin into its scheme and the text after `://`.
pub fn split(origin: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = position(origin, b':')?;
    let rest = origin[colon..].strip_prefix(b"://")?;
    Some((&origin[..colon], rest))
}

/// Splits `HOST:PORT`; the port is `None` without a colon after the host.
fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let host = match authority {
        [b'[', ..] => position(authority, b']').map_or(authority.len(), |end| end + 1),
        _ => position(authority, b':').unwrap_or(authority.len()),
    };
    match authority.get(host..) {
        Some([b':', port @ ..]) => (&authority[..host], Some(port)),
        // Text after `]` that is no port stays in the host, which no pattern matches.
        _ => (authority, None),
    }
}

fn position(bytes: &[u8], byte: u8) -> Option<usize> {
    bytes.iter().position(|found| *found == byte)
}

impl std::str::FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "*" => return Ok(Self(Pattern::Any)),
            "null" => return Ok(Self(Pattern::Null)),
            "" => return Err(format!("expected {EXPECTED}, found nothing")),
            _ => {}
        }
        let shown = text.escape_debug();
        if let Some(odd) = text.chars().find(|char| !char.is_ascii_graphic()) {
            let help = match odd.is_alphabetic() {
                true => "; write the host as browsers send it, in Punycode (`xn--…`)",
                false => "",
            };
            return Err(format!("`{shown}` contains {odd:?}{help}"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("expected {EXPECTED}, found `{shown}`"));
        };
        let mut letters = scheme.bytes();
        if !letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic())
            || !letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return Err(format!("`{scheme}` is not a scheme: expected {EXPECTED}"));
        }
        let scheme = scheme.to_ascii_lowercase();
        let pattern = match scheme.as_str() {
            "http" => parse_site(false, rest)?,
            "https" => parse_site(true, rest)?,
            _ => parse_other(scheme, rest)?,
        };
        Ok(Self(pattern))
    }
}

const EXPECTED: &str = "an origin such as \"https://notes.example\", or \"*\" for every page";

/// Parses the host and port of a web site.
fn parse_site(secure: bool, rest: &str) -> Result<Pattern, String> {
    let scheme = if secure { "https" } else { "http" };
    if rest.contains('@') {
        return Err("an origin must not contain a user name or password".to_owned());
    }
    if let Some((authority, _)) = rest.split_once(['/', '?', '#']) {
        return Err(format!(
            "an origin has no path: write \"{scheme}://{authority}\""
        ));
    }
    let (host, port) = split_port(rest.as_bytes());
    let host = host_pattern(&String::from_utf8_lossy(host))?;
    let port = port.map(String::from_utf8_lossy);
    let port = match port.as_deref() {
        None => Port::Default,
        Some("*") => Port::Any,
        Some(digits) => {
            let number = digits.parse().ok().filter(|number| *number > 0);
            let number = number.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
            match (number, secure) {
                // Browsers omit the default port (RFC 6454 §6.2).
                (Some(80), false) | (Some(443), true) => Port::Default,
                (Some(number), _) => Port::Is(number),
                (None, _) => {
                    return Err(format!(
                        "`{digits}` is not a port; ports range from 1 to 65535, and `*` matches every port"
                    ));
                }
            }
        }
    };
    Ok(Pattern::Site { secure, host, port })
}

fn host_pattern(host: &str) -> Result<Host, String> {
    let host = host.to_ascii_lowercase();
    if host == "*" {
        return Ok(Host::Any);
    }
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|text| text.parse().ok());
        let address: Ipv6Addr =
            address.ok_or_else(|| format!("`{host}` is not an IPv6 address"))?;
        return Ok(Host::Is(format!("[{address}]")));
    }
    let (below, name) = match host.strip_prefix("*.") {
        Some(domain) => (true, domain),
        None => (false, host.as_str()),
    };
    if name.contains('*') {
        return Err(format!(
            "`{host}`: `*` matches a whole host, as in \"http://*:8080\", or subdomains, as in \
             \"https://*.notes.example\""
        ));
    }
    if !super::admin_hosts::is_name(name) {
        return Err(format!("`{host}` is not a host name"));
    }
    Ok(match below {
        true => Host::Below(name.to_owned()),
        false => Host::Is(name.to_owned()),
    })
}

/// Parses an origin of a desktop program; the text after the scheme has no common form.
fn parse_other(scheme: String, rest: &str) -> Result<Pattern, String> {
    if rest == "*" {
        return Ok(Pattern::Other { scheme, rest: None });
    }
    if rest.contains(['*', '/', '?', '#', '@']) {
        return Err(format!(
            "expected \"{scheme}://*\", or the origin that the program sends, such as \"{scheme}://notes\""
        ));
    }
    let rest = Some(rest.to_owned());
    Ok(Pattern::Other { scheme, rest })
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Any => f.write_str("*"),
            Pattern::Null => f.write_str("null"),
            Pattern::Site { secure, host, port } => {
                f.write_str(if *secure { "https://" } else { "http://" })?;
                match host {
                    Host::Any => f.write_str("*")?,
                    Host::Is(host) => f.write_str(host)?,
                    Host::Below(domain) => write!(f, "*.{domain}")?,
                }
                match port {
                    Port::Any => f.write_str(":*"),
                    Port::Default => Ok(()),
                    Port::Is(number) => write!(f, ":{number}"),
                }
            }
            Pattern::Other { scheme, rest } => {
                write!(f, "{scheme}://{}", rest.as_deref().unwrap_or("*"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
