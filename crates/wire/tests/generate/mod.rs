//! Strategies for legal heads and bodies, with the expected result of forwarding.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The hop-by-hop fields.
const HOP_BY_HOP_FIELDS: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "upgrade",
];

/// Fields significant to the parser, which tests add on purpose and never by chance.
const RESERVED: [&str; 7] = [
    "host",
    "connection",
    "content-length",
    "content_length",
    "transfer-encoding",
    "transfer_encoding",
    "close",
];

/// Common fields and hop-by-hop fields.
const KNOWN: &[&str] = &[
    "Accept",
    "ACCEPT",
    "Cookie",
    "X-A",
    "x-a",
    "X-B",
    "X-Request-Id",
    "Expect",
    "Trailer",
    "Content-Type",
    "Keep-Alive",
    "TE",
    "te",
    "Upgrade",
    "Proxy-Connection",
];

/// Fields that `Connection` must not name.
const FORBIDDEN_OPTIONS: [&str; 9] = [
    "content-length",
    "transfer-encoding",
    "host",
    "expect",
    "trailer",
    "content-type",
    "content-encoding",
    "authorization",
    "x-request-id",
];

/// A field line including CRLF, and its name in lower case.
#[derive(Debug, Clone)]
pub(crate) struct HeaderLine {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl HeaderLine {
    pub(crate) fn new(name: &str, before: &str, value: &[u8], after: &str) -> Self {
        let parts = [
            name.as_bytes(),
            b":",
            before.as_bytes(),
            value,
            after.as_bytes(),
            b"\r\n",
        ];
        Self {
            name: name.to_ascii_lowercase(),
            bytes: parts.concat(),
        }
    }
}

/// Field lines, and the names that their `Connection` lines list.
#[derive(Debug, Clone)]
pub(crate) struct HeaderLines {
    pub(crate) lines: Vec<HeaderLine>,
    pub(crate) options: Vec<String>,
}

impl HeaderLines {
    pub(crate) fn is_cut(&self, line: &HeaderLine) -> bool {
        HOP_BY_HOP_FIELDS.contains(&line.name.as_str()) || self.options.contains(&line.name)
    }

    pub(crate) fn cuts(&self) -> usize {
        self.lines.iter().filter(|line| self.is_cut(line)).count()
    }

    /// Returns the head that starts with `first` and has the lines that `keep` selects.
    pub(crate) fn head(&self, first: &[u8], keep: impl Fn(&HeaderLine) -> bool) -> Vec<u8> {
        let mut head = first.to_vec();
        for line in self.lines.iter().filter(|line| keep(line)) {
            head.extend_from_slice(&line.bytes);
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    pub(crate) fn insert(&mut self, at: prop::sample::Index, line: HeaderLine) {
        let at = at.index(self.lines.len() + 1);
        self.lines.insert(at, line);
    }

    pub(crate) fn closes(&self) -> bool {
        self.options.iter().any(|option| option == "close")
    }
}

pub(crate) fn token() -> impl Strategy<Value = String> {
    "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}"
}

fn spaces() -> impl Strategy<Value = String> {
    "[ \t]{0,3}"
}

/// Generates any field name except the reserved ones.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![3 => token(), 2 => select(KNOWN).prop_map(str::to_owned)]
        .prop_filter("reserved", |name| {
            !RESERVED.contains(&name.to_ascii_lowercase().as_str())
        })
}

/// Generates any legal field value without surrounding white space.
pub(crate) fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte =
        prop_oneof![6 => 0x21..=0x7e_u8, 1 => Just(b' '), 1 => Just(b'\t'), 2 => 0x80..=0xff_u8];
    vec(byte, 0..24).prop_map(|bytes| bytes.trim_ascii().to_vec())
}

fn line() -> impl Strategy<Value = HeaderLine> {
    (name(), spaces(), value(), spaces())
        .prop_map(|(name, before, value, after)| HeaderLine::new(&name, &before, &value, &after))
}

/// Generates a `Connection` line and the names it lists, in lower case.
fn connection() -> impl Strategy<Value = (HeaderLine, Vec<String>)> {
    let option = prop_oneof![
        3 => select(&["close", "Close", "keep-alive", "TE", "X-A", "x-b", "Upgrade", "", ","][..])
            .prop_map(str::to_owned),
        2 => token(),
    ]
    .prop_filter("meant for the recipient", |option| {
        !FORBIDDEN_OPTIONS.contains(&option.to_ascii_lowercase().as_str())
    });
    let name = select(&["Connection", "connection", "CONNECTION"][..]);
    (name, vec((spaces(), option, spaces()), 0..5)).prop_map(|(name, options)| {
        let value: Vec<String> = options
            .iter()
            .map(|(before, option, after)| format!("{before}{option}{after}"))
            .collect();
        let value = value.join(",");
        let options = value
            .split(',')
            .map(|option| option.trim_matches([' ', '\t']).to_ascii_lowercase())
            .collect();
        (HeaderLine::new(name, "", value.as_bytes(), ""), options)
    })
}

/// Generates fields of every kind in any order, including hop-by-hop fields and some fields that
/// `Connection` names.
pub(crate) fn lines() -> impl Strategy<Value = HeaderLines> {
    let connections = vec(
        (connection(), any::<prop::sample::Index>(), any::<bool>()),
        0..3,
    );
    (vec(line(), 0..24), connections).prop_map(|(lines, connections)| {
        let mut all = HeaderLines {
            lines,
            options: Vec::new(),
        };
        for ((line, options), at, present) in connections {
            all.insert(at, line);
            for option in &options {
                let is_name = !option.is_empty() && !RESERVED[..6].contains(&option.as_str());
                if present && is_name {
                    all.insert(
                        at,
                        HeaderLine::new(&option.to_uppercase(), " ", b"named", ""),
                    );
                }
            }
            all.options.extend(options);
        }
        all
    })
}

/// A body as sent on the connection, and its data.
#[derive(Debug, Clone)]
pub(crate) struct GeneratedBody {
    pub(crate) bytes: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

pub(crate) fn plain() -> impl Strategy<Value = GeneratedBody> {
    vec(any::<u8>(), 0..100).prop_map(|data| GeneratedBody {
        bytes: data.clone(),
        data,
    })
}

/// Generates chunks of any size, with extensions and trailers.
pub(crate) fn chunked() -> impl Strategy<Value = GeneratedBody> {
    let extension = prop_oneof![
        3 => Just(Vec::new()),
        1 => value().prop_map(|value| [&b";"[..], &value].concat()),
    ];
    let piece = vec(any::<u8>(), 1..40);
    let chunk = (piece, 0..8_usize, any::<bool>(), extension.clone());
    let trailer = line().prop_filter("no trailer", |line| line.name != "host");
    (
        vec(chunk, 0..6),
        extension,
        1..=15_usize,
        vec(trailer, 0..3),
    )
        .prop_map(|(chunks, last, zeros, trailers)| {
            let mut bytes = Vec::new();
            let mut data = Vec::new();
            for (piece, zeros, upper, extension) in chunks {
                let mut size = format!("{}{:x}", "0".repeat(zeros), piece.len());
                if upper {
                    size.make_ascii_uppercase();
                }
                bytes.extend([size.as_bytes(), &extension, b"\r\n", &piece, b"\r\n"].concat());
                data.extend(piece);
            }
            bytes.extend([&b"0".repeat(zeros), &last, &b"\r\n"[..]].concat());
            for trailer in trailers {
                bytes.extend(trailer.bytes);
            }
            bytes.extend(b"\r\n");
            GeneratedBody { bytes, data }
        })
}

/// Generates the lengths of the pieces in which bytes arrive.
pub(crate) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        Just(vec![usize::MAX]),
        vec(1..40_usize, 1..20),
    ]
}

/// Generates bytes that partly look like a message.
pub(crate) fn parser_like_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => select(&[
            "GET / HTTP/1.1", "HTTP/1.1 200 OK", "HTTP/1.0", "\r\n", "\r\n\r\n", "\r", "\n", ":",
            " ", "\t", ",", ";", "/", "Host: a\r\n", "Content-Length: 5\r\n", "0\r\n", "5\r\nhello",
            "Transfer-Encoding: chunked\r\n", "Connection: te\r\n", "TE: x\r\n", "ffffffffffffffff",
        ][..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
