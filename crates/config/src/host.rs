//! Host names in requests and origins, and the test for names that DNS rebinding cannot abuse.
//!
//! A web page reaches this machine by any name of its own site once that name's DNS entry points here (DNS
//! rebinding): for the browser, the page and paddock are then one origin. Addresses, and names that public DNS
//! cannot resolve, cannot be abused like this.

use std::net::IpAddr;

/// Suffixes that are reserved for local use: RFC 6761 §6.3, RFC 6762 §3, ICANN resolution
/// 2024.07.29.06, RFC 8375.
const LOCAL_SUFFIXES: [&str; 4] = [".localhost", ".local", ".internal", ".home.arpa"];

/// Returns the host of `HOST:PORT`, without the port, the brackets and zone of an IPv6 address, and a trailing dot.
pub fn strip_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        let address = rest.split(']').next().unwrap_or(rest);
        return address.split('%').next().unwrap_or(address);
    }
    let name = authority.split(':').next().unwrap_or(authority);
    name.strip_suffix('.').unwrap_or(name)
}

/// Returns whether a host is an IP address, `localhost` or below `localhost`, which browsers never look up
/// (RFC 6761 §6.3).
pub fn is_address_or_localhost(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || has_suffix(name, ".localhost")
}

/// Returns whether only this machine and its network can resolve a host: an address, a name without a dot, or a name
/// with a suffix that is reserved for local use.
pub fn is_local(name: &str) -> bool {
    is_address_or_localhost(name)
        || !name.contains(['.', ':'])
        || LOCAL_SUFFIXES.iter().any(|end| has_suffix(name, end))
}

/// Returns whether a name ends in `end`, ignoring case, and has text before it.
fn has_suffix(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    start.is_some_and(|start| {
        start > 0 && name.as_bytes()[start..].eq_ignore_ascii_case(end.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found_without_what_stands_around_it() {
        for (authority, name) in [
            ("127.0.0.1:8081", "127.0.0.1"),
            ("[::1]:8081", "::1"),
            ("[fe80::1%25eth0]:1", "fe80::1"),
            ("Dash.Example.:80", "Dash.Example"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(strip_port(authority), name, "{authority}");
        }
    }

    #[test]
    fn hosts_are_told_apart() {
        for host in [
            "127.0.0.1",
            "192.168.1.5",
            "::1",
            "::ffff:127.0.0.1",
            "localhost",
            "LocalHost",
            "a.localhost",
        ] {
            assert!(is_address_or_localhost(host) && is_local(host), "{host}");
        }
        for host in ["box", "box.local", "host.docker.internal", "nas.home.arpa"] {
            assert!(!is_address_or_localhost(host) && is_local(host), "{host}");
        }
        for host in [
            "evil.test",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "notlocalhost.com",
            "evil.test.localhost.com",
            ".localhost.",
            "1.2.3",
            "127.0.0.1.",
        ] {
            assert!(!is_address_or_localhost(host), "{host}");
        }
        for host in ["evil.test", "a.example", "xlocal.com"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
