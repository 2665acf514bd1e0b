//! Parses `server.admin_hosts`: host names under which browsers may use the admin address (the dashboard and
//! the admin API), in addition to its IP addresses and `localhost`.

use std::fmt;
use std::str::FromStr;

/// A host name in lower case, without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// Returns whether `host`, without a port, is this name.
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        host.eq_ignore_ascii_case(&self.0)
    }
}

/// Returns whether a text is a valid host name: dot-separated labels of letters, digits, `-` and `_`.
pub(super) fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown = text.escape_debug();
        let name = text.strip_suffix('.').unwrap_or(text);
        if is_name(name) {
            return Ok(Self(name.to_ascii_lowercase()));
        }
        let alone = text.split_once("://").map_or(text, |(_, rest)| rest);
        let alone = alone.split(['/', ':']).next().unwrap_or_default();
        Err(match () {
            () if !text.is_ascii() => {
                format!("`{shown}`: write the name as browsers send it, in Punycode (`xn--…`)")
            }
            () if text.contains(['/', ':']) && is_name(alone) => {
                format!(
                    "`{shown}`: write only the host name, without scheme, port or path: \"{alone}\""
                )
            }
            () if text.contains('*') => {
                format!("`{shown}`: `*` is not supported here; list each name")
            }
            () => format!("expected a host name such as \"paddock.example\", found `{shown}`"),
        })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_any_case_and_with_the_roots_dot() {
        let name: HostName = "Dash.Example.".parse().unwrap();
        assert_eq!(name.to_string(), "dash.example");
        assert!(name.matches("dash.example") && name.matches("DASH.example."));
        assert!(
            !name.matches("x.dash.example")
                && !name.matches("dash.example.evil.test")
                && !name.matches("")
        );
    }

    #[test]
    fn mistakes_are_told() {
        for (text, part) in [
            (
                "https://dash.example/",
                "without scheme, port or path: \"dash.example\"",
            ),
            ("dash.example:8081", "\"dash.example\""),
            ("*.example", "`*` is not supported"),
            ("bücher.example", "Punycode"),
            ("", "expected a host name"),
            ("a..b", "expected a host name"),
            ("a b", "expected a host name"),
        ] {
            let error = text.parse::<HostName>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
