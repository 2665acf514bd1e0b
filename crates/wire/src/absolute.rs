//! Requests in absolute-form (RFC 9112 §3.2.2), which clients send to what they take for a proxy.

use crate::request::is_host;
use crate::{Refusal, RequestHead, field_lines};

/// Rewrites a head in absolute-form, such as `GET http://h:1/path HTTP/1.1`, to origin-form. Returns `None` for
/// a target that is no http URL.
///
/// The result is what a server reads in the request: the URL's path and query become the target, and its
/// authority replaces the value of `Host`, which counts no longer. All other bytes stay. Only the rewritten head
/// goes on, so nobody behind can take the other host for the request's.
///
/// # Errors
/// The URL's authority is empty, malformed, or holds a user name (RFC 9110 §4.2.4); or the rewritten request is
/// one that [`RequestHead::parse`] refuses, as without a `Host` field or with two.
pub fn to_origin_form(head: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(line) = RequestLine::split(head) else {
        return Ok(None);
    };
    let authority_len = line.url.iter().position(|byte| b"/?#".contains(byte));
    let (authority, path) = line.url.split_at(authority_len.unwrap_or(line.url.len()));
    if !is_authority(authority) {
        return Err(Refusal::Target);
    }
    let root: &[u8] = match path.first() {
        Some(b'/') => b"",
        // RFC 9112 §3.2.4
        None if line.method == b"OPTIONS" => b"*",
        _ => b"/",
    };
    let mut origin = Vec::with_capacity(head.len() + HOST.len());
    for part in [line.method, b" ", root, path, line.rest] {
        origin.extend_from_slice(part);
    }
    // Judged while its own Host still stands there: one that is missing or repeated is refused.
    RequestHead::parse(&origin)?;
    set_host(&mut origin, authority);
    Ok(Some(origin))
}

const HOST: &[u8] = b"Host: ";

/// A request line with an http URL for its target.
struct RequestLine<'a> {
    method: &'a [u8],
    /// The URL behind its scheme.
    url: &'a [u8],
    /// The head behind the target.
    rest: &'a [u8],
}

impl<'a> RequestLine<'a> {
    fn split(head: &'a [u8]) -> Option<Self> {
        let line = head.get(..memchr::memchr(b'\r', head)?)?;
        let method = line.get(..memchr::memchr(b' ', line)?)?;
        let target = line.get(method.len() + 1..)?;
        let target = target.get(..memchr::memchr(b' ', target)?)?;
        let url = without_scheme(target)?;
        Some(Self {
            method,
            url,
            rest: head.get(method.len() + 1 + target.len()..)?,
        })
    }
}

/// Returns the URL behind `http://` or `https://`: a proxy in front may have taken TLS off.
fn without_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Returns whether this is `HOST` or `HOST:PORT` (RFC 3986 §3.2), with a host that is not empty (RFC 9110 §4.2.1).
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
    let is_name =
        !name.is_empty() && is_host(name) && !name.iter().any(|byte| b"[]".contains(byte));
    is_name && is_port
}

/// Makes `authority` the value of the head's Host field, which is added where there is none.
fn set_host(head: &mut Vec<u8>, authority: &[u8]) {
    let found = field_lines(head).find(|field| field.is("host"));
    let place = match found {
        Some(field) if field.value == authority => return,
        Some(field) => field.line.start()..field.line.end(),
        None => {
            let line_end = memchr::memchr(b'\n', head).map_or(head.len(), |lf| lf + 1);
            line_end..line_end
        }
    };
    let line = [HOST, authority, b"\r\n"].concat();
    head.splice(place, line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(head: &str) -> Result<Option<String>, Refusal> {
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
            assert_eq!(rewritten(&head), Ok(Some(expected)), "{line}");
        }
    }

    #[test]
    fn the_host_of_the_url_counts_wherever_the_field_stands() {
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
            assert_eq!(rewritten(&head), Ok(Some(expected)), "{fields}");
        }
        let added = "GET / HTTP/1.0\r\nHost: a\r\nX: y\r\n\r\n".to_owned();
        let bare = "GET http://a/ HTTP/1.0\r\nX: y\r\n\r\n";
        assert_eq!(rewritten(bare), Ok(Some(added)));
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
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
            assert_eq!(rewritten(&head), Err(Refusal::Target), "{target}");
        }
        for target in ["/", "*", "a:80", "ftp://a/", "http:/a", "x", "/http://a/"] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(rewritten(&head), Ok(None), "{target}");
        }
    }

    #[test]
    fn a_head_that_is_refused_in_origin_form_is_refused() {
        for (head, refusal) in [
            (
                "GET http://a/ HTTP/1.1\r\nX: y\r\n\r\n",
                Refusal::HostMissing,
            ),
            (
                "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                Refusal::HostRepeated,
            ),
            (
                "GET http://a/ HTTP/1.1\r\nHost: a@b\r\n\r\n",
                Refusal::HostMalformed,
            ),
            (
                "CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
                Refusal::Connect,
            ),
            (
                "GET http://a/ HTTP/2.0\r\nHost: a\r\n\r\n",
                Refusal::Version,
            ),
            (
                "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Refusal::TwoFramings,
            ),
        ] {
            assert_eq!(rewritten(head), Err(refusal), "{head}");
        }
    }
}
