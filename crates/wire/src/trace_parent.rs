//! Parses the `traceparent` field (W3C Trace Context), which states the trace that a request
//! belongs to.

const FIELD_NAME: &[u8] = b"traceparent";

/// Length of version, trace ID, parent ID and flags, separated by dashes.
const VALUE_LEN: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// The position of a request in a trace that a caller has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace ID; never all zeros.
    pub trace: [u8; 16],
    /// The ID of the caller's span; never all zeros.
    pub parent: [u8; 8],
    /// The caller records the trace.
    pub sampled: bool,
}

/// The `traceparent` fields of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceParentField {
    /// The head has no `traceparent`.
    Absent,
    /// The field is malformed or repeated.
    Malformed,
    /// The head has one valid field.
    Valid(TraceParent),
}

impl TraceParentField {
    /// Finds `traceparent` in a complete, accepted head.
    pub fn from_head(head: &[u8]) -> Self {
        let mut found = Self::Absent;
        let mut rest = head;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(end + 1);
            rest = behind;
            if let Some(value) = field_value(line) {
                found = match (found, TraceParent::parse(value)) {
                    (Self::Absent, Some(parent)) => Self::Valid(parent),
                    _ => Self::Malformed,
                };
            }
        }
        found
    }
}

/// Returns the value if `line` is a `traceparent` field.
fn field_value(line: &[u8]) -> Option<&[u8]> {
    let (name, rest) = line.split_at_checked(FIELD_NAME.len())?;
    let value = rest.strip_prefix(b":")?;
    name.eq_ignore_ascii_case(FIELD_NAME)
        .then_some(value.trim_ascii())
}

impl TraceParent {
    /// Parses the field's value. Future versions may append to the format of this version.
    fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(VALUE_LEN)?;
        let [version] = parse_hex(&known[..2])?;
        let fits = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more.starts_with(b"-"),
        };
        let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let [flags] = parse_hex(&known[53..])?;
        let parsed = Self {
            trace: parse_hex(&known[3..35])?,
            parent: parse_hex(&known[36..52])?,
            sampled: flags & SAMPLED != 0,
        };
        (fits && dashes && parsed.trace != [0; 16] && parsed.parent != [0; 8]).then_some(parsed)
    }
}

/// Parses lower-case hexadecimal digits; upper case is invalid here.
fn parse_hex<const BYTES: usize>(digits: &[u8]) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

fn hex_digit(byte: u8) -> Option<u8> {
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

    fn valid(sampled: bool) -> TraceParentField {
        TraceParentField::Valid(TraceParent {
            trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes(),
            parent: 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes(),
            sampled,
        })
    }

    fn parse_lines(lines: &str) -> TraceParentField {
        TraceParentField::from_head(
            format!("POST /v1/x HTTP/1.1\r\nHost: h\r\n{lines}\r\n").as_bytes(),
        )
    }

    #[test]
    fn a_valid_field_is_parsed() {
        let known = format!("{TRACE}-{PARENT}");
        for (line, expected) in [
            (format!("traceparent: 00-{known}-01\r\n"), valid(true)),
            (format!("TraceParent:00-{known}-00\r\n"), valid(false)),
            (format!("Traceparent:  00-{known}-ff \t\r\n"), valid(true)),
            (format!("traceparent: 00-{known}-02\r\n"), valid(false)),
            (format!("traceparent: 00-{known}-01\n"), valid(true)),
            // A later version, alone and with more fields.
            (format!("traceparent: cc-{known}-01\r\n"), valid(true)),
            (format!("traceparent: 01-{known}-01-what\r\n"), valid(true)),
        ] {
            assert_eq!(parse_lines(&line), expected, "{line}");
        }
    }

    #[test]
    fn other_fields_are_ignored() {
        let known = format!("00-{TRACE}-{PARENT}-01");
        for line in [
            String::new(),
            format!("tracestate: {known}\r\n"),
            format!("x-traceparent: {known}\r\n"),
            format!("traceparents: {known}\r\n"),
            format!("x: traceparent: {known}\r\n"),
        ] {
            assert_eq!(parse_lines(&line), TraceParentField::Absent, "{line}");
        }
        assert_eq!(TraceParentField::from_head(b""), TraceParentField::Absent);
        assert_eq!(
            TraceParentField::from_head(b"traceparent"),
            TraceParentField::Absent
        );
    }

    #[test]
    fn a_malformed_field_is_distinguished_from_an_absent_one() {
        let (zeros, ones) = ("0".repeat(32), "1".repeat(16));
        for value in [
            String::new(),
            "00".to_owned(),
            "-".repeat(VALUE_LEN),
            "é".repeat(VALUE_LEN / 2) + "-",
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
                parse_lines(&format!("traceparent: {value}\r\n")),
                TraceParentField::Malformed,
                "{value}"
            );
        }
        let line = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
        assert_eq!(
            parse_lines(&line.repeat(2)),
            TraceParentField::Malformed,
            "repeated"
        );
        let behind = format!("{line}TRACEPARENT: nonsense\r\n");
        assert_eq!(parse_lines(&behind), TraceParentField::Malformed);
    }
}
