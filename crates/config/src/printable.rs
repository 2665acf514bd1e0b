//! Makes untrusted text safe to show: model files, file names, clients and configuration files may contain terminal
//! control sequences, and URLs may contain credentials.

/// Replaces every character that could control a terminal or reorder text, one for one.
///
/// These are control characters except the tab, and the bidirectional formatting characters of Unicode
/// (UAX #9, table 4).
pub fn printable(text: &str) -> String {
    text.chars().map(printable_char).collect()
}

/// Applies [`printable`] to each line.
pub fn printable_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

fn printable_char(char: char) -> char {
    let reorders = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if reorders || (char.is_control() && char != '\t') {
        char::REPLACEMENT_CHARACTER
    } else {
        char
    }
}

/// Replaces the credentials of every URL in a text by asterisks, one for one: a user name and password before the host
/// (RFC 3986 §3.2.1), and the values of the query, which may be tokens.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, url) = rest.split_at(start + "://".len());
        let end = url.find(ends_url).unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        shown.push_str(before);
        mask_url(url, &mut shown);
        rest = after;
    }
    shown + rest
}

/// Returns whether a character ends a URL in a text.
fn ends_url(char: char) -> bool {
    char.is_whitespace() || "\"'`<>|".contains(char)
}

/// Appends the URL after `://` with masked credentials.
fn mask_url(url: &str, to: &mut String) {
    let user = userinfo(url);
    let (user, rest) = url.split_at(user);
    mask(user, to);
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    to.push_str(path);
    for (index, pair) in query.split('&').enumerate() {
        let (name, value) = pair.split_at(pair.find('=').map_or(pair.len(), |at| at + 1));
        to.push_str(if index > 0 { "&" } else { "" });
        to.push_str(name);
        mask(value, to);
    }
}

/// Returns the length of the part before the `@` that separates credentials from the host.
///
/// A password may contain a slash that should have been escaped, so text before a slash counts as part of a password
/// unless it is a host or a host with a port.
fn userinfo(url: &str) -> usize {
    let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
    if let Some(at) = url[..authority].rfind('@') {
        return at;
    }
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let bracketed = url.starts_with('[');
    match url[..authority].split_once(':') {
        Some((_, port)) if !bracketed && !is_port(port) => url.rfind('@').unwrap_or(0),
        _ => 0,
    }
}

fn mask(text: &str, to: &mut String) {
    to.extend(text.chars().map(|_| '*'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_steered() {
        assert_eq!(
            printable("a\tb \u{1b}[31m\r\n\u{9b}"),
            "a\tb \u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(printable("x\u{202e}fugg.exe"), "x\u{fffd}fugg.exe");
        assert_eq!(printable("Grüße 模型 🦙"), "Grüße 模型 🦙");
        assert_eq!(printable_lines("a\nb\u{7}"), "a\nb\u{fffd}");
    }

    #[test]
    fn credentials_of_urls_are_masked() {
        for (text, shown) in [
            (
                "url = \"http://me:secret@host:1/a\" # x@y",
                "url = \"http://*********@host:1/a\" # x@y",
            ),
            ("https://token@host", "https://*****@host"),
            ("http://a:p@ss@host/x", "http://******@host/x"),
            ("http://a:p/ss@host/x", "http://******@host/x"),
            ("http://h:80/a@b", "http://h:80/a@b"),
            ("http://[::1]:1/a@b", "http://[::1]:1/a@b"),
            (
                "http://h/?token=abc&x&y=1 http://u@h",
                "http://h/?token=***&x&y=* http://*@h",
            ),
            ("postgres://ü:ö@h", "postgres://***@h"),
            ("no address: a@b ://", "no address: a@b ://"),
        ] {
            assert_eq!(without_credentials(text), shown, "{text}");
            assert_eq!(shown.chars().count(), text.chars().count(), "columns stay");
        }
    }
}
