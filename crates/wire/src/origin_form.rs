//! Rewrites requests in absolute-form (RFC 9112 §3.2.2), which clients send to forward proxies.

use crate::request_head::has_only_host_bytes;
use crate::{InvalidRequest, RequestHead, field_lines};

/// The start of a `Host` field line.
const HOST_PREFIX: &[u8] = b"Host: ";

/// Rewrites a head in absolute-form, such as `GET http://h:1/path HTTP/1.1`, to origin-form. Returns
/// `None` if the target is not an http URL.
///
/// The URL's path and query become the target, and its authority replaces the value of `Host`, as
/// RFC 9112 §3.2.2 requires. All other bytes stay. The proxy forwards only the rewritten head, so
/// no later hop can use the original `Host`.
///
/// # Errors
/// The URL's authority is empty, malformed or contains a user name (RFC 9110 §4.2.4), or
/// [`RequestHead::parse`] refuses the rewritten request, for example because `Host` is missing or
/// repeated.
pub fn to_origin_form(head: &[u8]) -> Result<Option<Vec<u8>>, InvalidRequest> {
    let Some(line) = AbsoluteRequestLine::parse(head) else {
        return Ok(None);
    };
    let authority_len = line.url.iter().position(|byte| b"/?#".contains(byte));
    let (authority, path) = line.url.split_at(authority_len.unwrap_or(line.url.len()));
    if !is_authority(authority) {
        return Err(InvalidRequest::Target);
    }
    let root: &[u8] = match path.first() {
        Some(b'/') => b"",
        // OPTIONS with an empty path concerns the whole server (RFC 9112 §3.2.4).
        None if line.method == b"OPTIONS" => b"*",
        _ => b"/",
    };
    let mut origin = Vec::with_capacity(head.len() + HOST_PREFIX.len());
    for part in [line.method, b" ", root, path, line.rest] {
        origin.extend_from_slice(part);
    }
    // Parsed before `set_host` changes the `Host` field, so that a missing or repeated one is refused.
    RequestHead::parse(&origin)?;
    set_host(&mut origin, authority);
    Ok(Some(origin))
}

/// A request line whose target is an http URL.
struct AbsoluteRequestLine<'a> {
    method: &'a [u8],
    /// The URL without its scheme.
    url: &'a [u8],
    /// The rest of the head, after the target.
    rest: &'a [u8],
}

impl<'a> AbsoluteRequestLine<'a> {
    fn parse(head: &'a [u8]) -> Option<Self> {
        let line = head.get(..memchr::memchr(b'\r', head)?)?;
        let method = line.get(..memchr::memchr(b' ', line)?)?;
        let target = line.get(method.len() + 1..)?;
        let target = target.get(..memchr::memchr(b' ', target)?)?;
        let url = strip_scheme(target)?;
        Some(Self {
            method,
            url,
            rest: head.get(method.len() + 1 + target.len()..)?,
        })
    }
}

/// Returns the URL without its `http://` or `https://`: a proxy in front may have terminated TLS.
fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Returns true for `HOST` or `HOST:PORT` (RFC 3986 §3.2) with a non-empty host (RFC 9110 §4.2.1).
fn is_authority(authority: &[u8]) -> bool {
    let host_len = match authority.first() {
        Some(b'[') => memchr::memchr(b']', authority).map(|end| end + 1),
        _ => memchr::memchr(b':', authority),
    };
    let (host, port) = authority.split_at(host_len.unwrap_or(authority.len()));
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let inner = host
        .strip_prefix(b"[")
        .and_then(|host| host.strip_suffix(b"]"));
    let name = inner.unwrap_or(host);
    let is_name = !name.is_empty()
        && has_only_host_bytes(name)
        && !name.iter().any(|byte| b"[]".contains(byte));
    is_name && is_port
}

/// Sets the head's `Host` field to `authority`, and adds the field if it is missing.
fn set_host(head: &mut Vec<u8>, authority: &[u8]) {
    let found = field_lines(head).find(|field| field.has_name("host"));
    let range = match found {
        Some(field) if field.value == authority => return,
        Some(field) => field.line.start()..field.line.end(),
        None => {
            let line_end = memchr::memchr(b'\n', head).map_or(head.len(), |lf| lf + 1);
            line_end..line_end
        }
    };
    let line = [HOST_PREFIX, authority, b"\r\n"].concat();
    head.splice(range, line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(head: &str) -> Result<Option<String>, InvalidRequest> {
        let origin = to_origin_form(head.as_bytes())?;
        Ok(origin.map(|origin| String::from_utf8(origin).unwrap()))
    }

    #[test]
    fn a_url_becomes_its_path_and_its_host() {
        for (line, host, expected) in [
            (
                "GET http://a/x?y=z HTTP/1.1",
                "a",
                "GET /x?y=z HTTP/1.1\r\nHost: a",
            ),
            (
                "GET HTTPS://a:8080/ HTTP/1.1",
                "a:8080",
                "GET / HTTP/1.1\r\nHost: a:8080",
            ),
            ("GET http://a HTTP/1.1", "a", "GET / HTTP/1.1\r\nHost: a"),
            ("GET http://a: HTTP/1.1", "a:", "GET / HTTP/1.1\r\nHost: a:"),
            (
                "GET http://a?x HTTP/1.0",
                "a",
                "GET /?x HTTP/1.0\r\nHost: a",
            ),
            (
                "GET http://[::1]:8080//x HTTP/1.1",
                "b",
                "GET //x HTTP/1.1\r\nHost: [::1]:8080",
            ),
            (
                "GET http://a/http://c/ HTTP/1.1",
                "b",
                "GET /http://c/ HTTP/1.1\r\nHost: a",
            ),
            (
                "OPTIONS http://a HTTP/1.1",
                "a",
                "OPTIONS * HTTP/1.1\r\nHost: a",
            ),
            (
                "OPTIONS http://a/ HTTP/1.1",
                "a",
                "OPTIONS / HTTP/1.1\r\nHost: a",
            ),
            (
                "OPTIONS http://a?x HTTP/1.1",
                "a",
                "OPTIONS /?x HTTP/1.1\r\nHost: a",
            ),
        ] {
            let head = format!("{line}\r\nHost: {host}\r\nX: y\r\n\r\n");
            let expected = format!("{expected}\r\nX: y\r\n\r\n");
            assert_eq!(rewrite(&head), Ok(Some(expected)), "{line}");
        }
    }

    #[test]
    fn the_host_of_the_url_replaces_the_field_at_any_position() {
        for (fields, expected) in [
            (
                "X: y\r\nhOST:  b \r\nHostile: c",
                "X: y\r\nHost: a\r\nHostile: c",
            ),
            ("Host:", "Host: a"),
            ("X: Host: b\r\nhost: a", "X: Host: b\r\nhost: a"),
        ] {
            let head = format!("GET http://a/ HTTP/1.1\r\n{fields}\r\n\r\n");
            let expected = format!("GET / HTTP/1.1\r\n{expected}\r\n\r\n");
            assert_eq!(rewrite(&head), Ok(Some(expected)), "{fields}");
        }
        let added = "GET / HTTP/1.0\r\nHost: a\r\nX: y\r\n\r\n".to_owned();
        let bare = "GET http://a/ HTTP/1.0\r\nX: y\r\n\r\n";
        assert_eq!(rewrite(bare), Ok(Some(added)));
    }

    #[test]
    fn a_malformed_url_is_refused_and_other_targets_stay() {
        for target in [
            "http://",
            "http:///x",
            "http://:80/",
            "http://u@a/",
            "http://u:p@a/",
            "http://a:x/",
            "http://a:80:80/",
            "http://[::1/",
            "http://[]/",
            "http://[::1]x/",
            "http://a]/",
            "http://a,b/",
            "http://a\\b/",
            "http://a\u{e9}/",
            "http://a/#x",
            "http://a#x",
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(rewrite(&head), Err(InvalidRequest::Target), "{target}");
        }
        for target in ["/", "*", "a:80", "ftp://a/", "http:/a", "x", "/http://a/"] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(rewrite(&head), Ok(None), "{target}");
        }
    }

    #[test]
    fn a_head_that_is_refused_in_origin_form_is_refused() {
        for (head, refusal) in [
            (
                "GET http://a/ HTTP/1.1\r\nX: y\r\n\r\n",
                InvalidRequest::HostMissing,
            ),
            (
                "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                InvalidRequest::HostRepeated,
            ),
            (
                "GET http://a/ HTTP/1.1\r\nHost: a@b\r\n\r\n",
                InvalidRequest::HostMalformed,
            ),
            (
                "CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
                InvalidRequest::Connect,
            ),
            (
                "GET http://a/ HTTP/2.0\r\nHost: a\r\n\r\n",
                InvalidRequest::Version,
            ),
            (
                "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                InvalidRequest::TwoFramings,
            ),
        ] {
            assert_eq!(rewrite(head), Err(refusal), "{head}");
        }
    }
}
