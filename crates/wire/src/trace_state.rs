//! Collects the `tracestate` fields (W3C Trace Context), which carry vendors' data of a trace.

use crate::field_lines;

const FIELD_NAME: &str = "tracestate";

/// Limit on the combined members in bytes, including the commas between them.
const MAX_LEN: usize = 512;

/// Limit on the number of members.
const MAX_MEMBERS: usize = 32;

/// Limit on the length of a key, and on the length of a value.
const MAX_KEY_OR_VALUE_LEN: usize = 256;

/// Returns the members of all `tracestate` fields of a complete, accepted head, in order. Returns
/// `None` if a member is malformed, or if there are more than 32 members or 512 bytes.
pub fn parse_trace_state(head: &[u8]) -> Option<Box<str>> {
    let mut kept = String::new();
    let mut count = 0;
    let fields = field_lines(head).filter(|field| field.has_name(FIELD_NAME));
    for member in fields.flat_map(|field| field.value.split(|byte| *byte == b',')) {
        let member = member.trim_ascii();
        // Empty members are allowed and carry no data.
        if member.is_empty() {
            continue;
        }
        let member = str::from_utf8(member)
            .ok()
            .filter(|member| is_member(member))?;
        count += 1;
        if count > 1 {
            kept.push(',');
        }
        if count > MAX_MEMBERS || kept.len() + member.len() > MAX_LEN {
            return None;
        }
        kept.push_str(member);
    }
    (count > 0).then(|| kept.into())
}

/// Returns true for a lower-case key and a value, joined by `=`.
fn is_member(text: &str) -> bool {
    let Some((key, value)) = text.split_once('=') else {
        return false;
    };
    let begins = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let goes_on = |byte: u8| begins(&byte) || b"_-*/@".contains(&byte);
    let stands = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    key.as_bytes().first().is_some_and(begins)
        && key.bytes().all(goes_on)
        && !value.is_empty()
        && value.bytes().all(stands)
        && key.len() <= MAX_KEY_OR_VALUE_LEN
        && value.len() <= MAX_KEY_OR_VALUE_LEN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_lines(lines: &str) -> Option<String> {
        let head = format!("POST /v1/x HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        parse_trace_state(head.as_bytes()).map(String::from)
    }

    fn members(count: usize) -> String {
        let members: Vec<String> = (0..count).map(|at| format!("k{at}=v")).collect();
        members.join(",")
    }

    #[test]
    fn members_are_kept_in_their_order() {
        for (lines, expected) in [
            ("tracestate: a=1\r\n", "a=1"),
            ("TraceState:b=2,a=1 \r\n", "b=2,a=1"),
            ("tracestate: a=1\r\nx: y\r\ntracestate: b=2\r\n", "a=1,b=2"),
            (
                "tracestate: , a=1 ,\t,b=x y;z:!\r\ntracestate:\r\n",
                "a=1,b=x y;z:!",
            ),
            ("tracestate: 0t@v-*/_=~\r\n", "0t@v-*/_=~"),
        ] {
            assert_eq!(parse_lines(lines).as_deref(), Some(expected), "{lines}");
        }
        let maximum = members(32);
        assert_eq!(
            parse_lines(&format!("tracestate: {maximum}\r\n")),
            Some(maximum)
        );
        let long = format!("a={0},b={1}", "x".repeat(256), "y".repeat(251));
        assert_eq!(long.len(), MAX_LEN);
        assert_eq!(parse_lines(&format!("tracestate: {long}\r\n")), Some(long));
    }

    #[test]
    fn invalid_or_excessive_members_discard_the_whole_field() {
        for value in [
            String::new(),
            " , ,".to_owned(),
            members(33),
            format!("a={0},b={1}", "x".repeat(256), "y".repeat(252)),
            format!("a={}", "x".repeat(257)),
            format!("{}=x", "a".repeat(257)),
            "a=1,b".to_owned(),
            "a=1,=2".to_owned(),
            "a=".to_owned(),
            "A=1".to_owned(),
            "-a=1".to_owned(),
            "a b=1".to_owned(),
            "a=1=2".to_owned(),
            "a=é".to_owned(),
            "a=x\ty".to_owned(),
            "a=\u{0}".to_owned(),
        ] {
            assert_eq!(
                parse_lines(&format!("tracestate: {value}\r\n")),
                None,
                "{value}"
            );
        }
        assert_eq!(parse_lines(""), None);
        assert_eq!(parse_lines("tracestates: a=1\r\n"), None);
        assert_eq!(parse_trace_state(b""), None);
    }
}
