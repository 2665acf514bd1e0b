//! What others keep with a trace, as its `tracestate` fields say it (W3C Trace Context).

use crate::field_lines;

/// The name of the field.
const NAME: &str = "tracestate";

/// The most bytes that are kept of all members, with a comma between each two.
const MOST: usize = 512;

/// The most members.
const MEMBERS: usize = 32;

/// The longest key, and the longest value.
const LONGEST: usize = 256;

/// Looks through a whole head that has been judged. The members of all its fields, in their order, or
/// none of them: if one is malformed, there are more than 32, or they are longer than 512 bytes.
pub fn trace_state(head: &[u8]) -> Option<Box<str>> {
    let mut kept = String::new();
    let mut count = 0;
    let fields = field_lines(head).filter(|field| field.is(NAME));
    for member in fields.flat_map(|field| field.value.split(|byte| *byte == b',')) {
        let member = member.trim_ascii();
        // An empty one is allowed and says nothing.
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
        if count > MEMBERS || kept.len() + member.len() > MOST {
            return None;
        }
        kept.push_str(member);
    }
    (count > 0).then(|| kept.into())
}

/// A key, which has no capitals, and a value.
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
        && key.len() <= LONGEST
        && value.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &str) -> Option<String> {
        let head = format!("POST /v1/x HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        trace_state(head.as_bytes()).map(String::from)
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
            assert_eq!(of(lines).as_deref(), Some(expected), "{lines}");
        }
        let most = members(32);
        assert_eq!(of(&format!("tracestate: {most}\r\n")), Some(most));
        let long = format!("a={0},b={1}", "x".repeat(256), "y".repeat(251));
        assert_eq!(long.len(), MOST);
        assert_eq!(of(&format!("tracestate: {long}\r\n")), Some(long));
    }

    #[test]
    fn what_is_too_much_or_malformed_is_left_out_whole() {
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
            assert_eq!(of(&format!("tracestate: {value}\r\n")), None, "{value}");
        }
        assert_eq!(of(""), None);
        assert_eq!(of("tracestates: a=1\r\n"), None);
        assert_eq!(trace_state(b""), None);
    }
}
