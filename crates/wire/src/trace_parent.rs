//! The trace that a request belongs to, as its `traceparent` field says it (W3C Trace Context).

/// The name of the field.
const NAME: &[u8] = b"traceparent";

/// Version, trace, parent and flags, with a dash between each two.
const LEN: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// The flag that says that somebody keeps the trace.
const SAMPLED: u8 = 1;

/// Where a request stands in a trace that others have begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never all zeros.
    pub trace: [u8; 16],
    /// The span that the request is a part of; never all zeros.
    pub parent: [u8; 8],
    /// Whoever began the trace keeps it.
    pub sampled: bool,
}

/// What a head says of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traced {
    /// Nothing.
    Not,
    /// Something that does not count: it is malformed, or said twice.
    Unreadable,
    /// The request belongs to a trace.
    In(TraceParent),
}

impl Traced {
    /// Looks through a whole head that has been judged.
    pub fn of(head: &[u8]) -> Self {
        let mut found = Self::Not;
        let mut rest = head;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(end + 1);
            rest = behind;
            if let Some(value) = value(line) {
                found = match (found, TraceParent::parse(value)) {
                    (Self::Not, Some(parent)) => Self::In(parent),
                    _ => Self::Unreadable,
                };
            }
        }
        found
    }
}

/// The value of a line that is this field's.
fn value(line: &[u8]) -> Option<&[u8]> {
    let (name, rest) = line.split_at_checked(NAME.len())?;
    let value = rest.strip_prefix(b":")?;
    name.eq_ignore_ascii_case(NAME)
        .then_some(value.trim_ascii())
}

impl TraceParent {
    /// Reads the field's value. A version of the future may say more behind what this one says.
    fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(LEN)?;
        let [version] = hex(&known[..2])?;
        let fits = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more.starts_with(b"-"),
        };
        let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let [flags] = hex(&known[53..])?;
        let it = Self {
            trace: hex(&known[3..35])?,
            parent: hex(&known[36..52])?,
            sampled: flags & SAMPLED != 0,
        };
        (fits && dashes && it.trace != [0; 16] && it.parent != [0; 8]).then_some(it)
    }
}

/// Reads digits, of which only small ones count.
fn hex<const BYTES: usize>(digits: &[u8]) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn valid(sampled: bool) -> Traced {
        Traced::In(TraceParent {
            trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes(),
            parent: 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes(),
            sampled,
        })
    }

    fn of(lines: &str) -> Traced {
        Traced::of(format!("POST /v1/x HTTP/1.1\r\nHost: h\r\n{lines}\r\n").as_bytes())
    }

    #[test]
    fn a_field_that_counts_is_read() {
        let known = format!("{TRACE}-{PARENT}");
        for (line, expected) in [
            (format!("traceparent: 00-{known}-01\r\n"), valid(true)),
            (format!("TraceParent:00-{known}-00\r\n"), valid(false)),
            (format!("Traceparent:  00-{known}-ff \t\r\n"), valid(true)),
            (format!("traceparent: 00-{known}-02\r\n"), valid(false)),
            (format!("traceparent: 00-{known}-01\n"), valid(true)),
            // A later version, alone and with more behind.
            (format!("traceparent: cc-{known}-01\r\n"), valid(true)),
            (format!("traceparent: 01-{known}-01-what\r\n"), valid(true)),
        ] {
            assert_eq!(of(&line), expected, "{line}");
        }
    }

    #[test]
    fn other_fields_say_nothing() {
        let known = format!("00-{TRACE}-{PARENT}-01");
        for line in [
            String::new(),
            format!("tracestate: {known}\r\n"),
            format!("x-traceparent: {known}\r\n"),
            format!("traceparents: {known}\r\n"),
            format!("x: traceparent: {known}\r\n"),
        ] {
            assert_eq!(of(&line), Traced::Not, "{line}");
        }
        assert_eq!(Traced::of(b""), Traced::Not);
        assert_eq!(Traced::of(b"traceparent"), Traced::Not);
    }

    #[test]
    fn what_does_not_count_is_told_from_nothing() {
        let (zeros, ones) = ("0".repeat(32), "1".repeat(16));
        for value in [
            String::new(),
            "00".to_owned(),
            "-".repeat(LEN),
            "é".repeat(LEN / 2) + "-",
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("0g-{TRACE}-{PARENT}-01"),
            format!("00-{zeros}-{PARENT}-01"),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", PARENT.to_uppercase()),
            format!("00-{TRACE}-{PARENT}-0G"),
            format!("00-{TRACE}-{PARENT}-1"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("00-{TRACE}-{PARENT}-01."),
            format!("01-{TRACE}-{PARENT}-01.more"),
            format!("00_{TRACE}-{PARENT}-01"),
            format!("00-{TRACE}_{PARENT}-01"),
            format!("00-{TRACE}-{PARENT}_01"),
            format!("00-{TRACE}{ones}-{PARENT}-01"),
            format!("00 -{TRACE}-{PARENT}-01"),
            format!("00-{TRACE}-{PARENT}-\u{0}1"),
            "0".repeat(60_000),
        ] {
            assert_eq!(
                of(&format!("traceparent: {value}\r\n")),
                Traced::Unreadable,
                "{value}"
            );
        }
        let line = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
        assert_eq!(of(&line.repeat(2)), Traced::Unreadable, "said twice");
        let behind = format!("{line}TRACEPARENT: nonsense\r\n");
        assert_eq!(of(&behind), Traced::Unreadable);
    }
}
