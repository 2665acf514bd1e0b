//! Strategies for every legal message.

use super::message::{Answer, Ask, Content, Exchange, Field, Framing, Goes, Interim, Text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Names with a meaning to the proxy, which are generated only on purpose.
const RESERVED: &[&str] = &[
    "host",
    "connection",
    "close",
    "keep-alive",
    "proxy-connection",
    "te",
    "upgrade",
    "trailer",
    "content-length",
    "content_length",
    "transfer-encoding",
    "transfer_encoding",
    "x-request-id",
];

/// Common names, and names similar to special ones.
const KNOWN: &[&str] = &[
    "Accept",
    "X-A",
    "x-a",
    "Set-Cookie",
    "Content-Type",
    "Content-Encoding",
    "Expect",
    "Authorization",
    "traceparent",
    "X-Request-Idd",
];

fn token() -> impl Strategy<Value = String> {
    "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}"
}

fn spaces() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(" ".to_owned()), 1 => "[ \t]{0,3}"]
}

/// Generates any bytes legal in a field value, without surrounding white space.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte =
        prop_oneof![6 => 0x21..=0x7e_u8, 1 => Just(b' '), 1 => Just(b'\t'), 2 => 0x80..=0xff_u8];
    vec(byte, 0..24).prop_map(|bytes| bytes.trim_ascii().to_vec())
}

/// Generates a field line of this name.
fn line(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = Vec<u8>>,
    goes: Goes,
) -> impl Strategy<Value = Field> {
    (name, spaces(), value, spaces()).prop_map(move |(name, before, value, after)| {
        let parts = [
            name.as_bytes(),
            b":",
            before.as_bytes(),
            &value,
            after.as_bytes(),
            b"\r\n",
        ];
        Field {
            line: Text(parts.concat()),
            goes,
        }
    })
}

fn named(name: &'static str) -> impl Strategy<Value = String> {
    select(vec![
        name.to_owned(),
        name.to_ascii_uppercase(),
        name.to_ascii_lowercase(),
    ])
}

fn ordinary() -> impl Strategy<Value = Field> {
    let name = prop_oneof![3 => token(), 2 => select(KNOWN).prop_map(str::to_owned)].prop_filter(
        "reserved",
        |name| {
            let name = name.to_ascii_lowercase();
            !RESERVED.contains(&name.as_str()) && !name.starts_with("hop-")
        },
    );
    line(name, value(), Goes::On)
}

/// Generates hop-by-hop lines, by their own name or because Connection names them.
fn hop_by_hop() -> impl Strategy<Value = Vec<Field>> {
    let listed = prop_oneof![named("Keep-Alive"), named("Proxy-Connection"), named("TE")];
    let listed = line(
        prop_oneof![listed, named("Upgrade")],
        value(),
        Goes::Nowhere,
    );
    let named = prop_oneof![named("Hop-A"), named("Hop-B")];
    let connection = line(self::named("Connection"), options(), Goes::Nowhere);
    let whole = (connection, vec(line(named, value(), Goes::Nowhere), 0..3));
    (vec(listed, 0..4), prop::option::of(whole)).prop_map(|(mut all, whole)| {
        if let Some((connection, named)) = whole {
            all.push(connection);
            all.extend(named);
        }
        all
    })
}

/// Generates a list that names `Hop-A`, `Hop-B` and absent fields.
fn options() -> impl Strategy<Value = Vec<u8>> {
    let other = select(&["keep-alive", "", "TE", "Upgrade", "hop-nobody", "Hop-A"][..]);
    let list = vec(other, 0..4).prop_map(|mut list| {
        list.extend(["hop-a", "HOP-B"]);
        list
    });
    (list.prop_shuffle(), select(&[",", ", ", " ,\t"][..]))
        .prop_map(|(list, comma)| list.join(comma).into_bytes())
}

/// Generates `Connection: close` or nothing.
fn close() -> impl Strategy<Value = Option<Field>> {
    let line = line(
        named("Connection"),
        select(vec![b"close".to_vec(), b"Close".to_vec()]),
        Goes::Nowhere,
    );
    prop::option::weighted(0.15, line)
}

/// Generates a body's bytes, sometimes more than a buffer holds.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let large =
        (vec(any::<u8>(), 1..256), 0..1000_usize).prop_map(|(piece, times)| piece.repeat(times));
    prop_oneof![15 => vec(any::<u8>(), 0..100), 1 => large]
}

fn counted() -> impl Strategy<Value = (Framing, Content)> {
    data().prop_map(|data| {
        let content = Content {
            framed: Text(data.clone()),
            data: Text(data),
        };
        (Framing::Length, content)
    })
}

fn empty() -> (Framing, Content) {
    (Framing::Nothing, Content::default())
}

/// Names of [`KNOWN`] that a request's trailer section must not contain.
const NOT_REQUEST_TRAILERS: &[&str] = &[
    "Content-Type",
    "Content-Encoding",
    "Expect",
    "Authorization",
];

/// Generates a trailer field that is legal in a request.
fn request_trailer() -> impl Strategy<Value = Field> {
    ordinary().prop_filter("a trailer that a request may have", |field| {
        let name = field.line.0.split(|byte| *byte == b':').next();
        let name = name.unwrap_or_default();
        let is = |refused: &&str| name.eq_ignore_ascii_case(refused.as_bytes());
        !NOT_REQUEST_TRAILERS.iter().any(is)
    })
}

/// Generates chunks of any sizes, with extensions and trailers.
fn chunked(trailer: impl Strategy<Value = Field>) -> impl Strategy<Value = (Framing, Content)> {
    let extension = prop_oneof![
        3 => Just(Vec::new()),
        1 => value().prop_map(|value| [&b";"[..], &value].concat()),
    ];
    let piece = data().prop_filter("the last", |data| !data.is_empty());
    let chunk = (piece, 0..8_usize, any::<bool>(), extension.clone());
    (
        vec(chunk, 0..5),
        extension,
        1..=15_usize,
        vec(trailer, 0..3),
    )
        .prop_map(|(chunks, last, zeros, trailers)| {
            let mut framed = Vec::new();
            let mut data = Vec::new();
            for (piece, zeros, upper, extension) in chunks {
                let mut size = format!("{}{:x}", "0".repeat(zeros), piece.len());
                if upper {
                    size.make_ascii_uppercase();
                }
                framed.extend([size.as_bytes(), &extension, b"\r\n", &piece, b"\r\n"].concat());
                data.extend(piece);
            }
            framed.extend([&b"0".repeat(zeros), &last, &b"\r\n"[..]].concat());
            framed.extend(trailers.into_iter().flat_map(|trailer| trailer.line.0));
            framed.extend(b"\r\n");
            (
                Framing::Chunked,
                Content {
                    framed: Text(framed),
                    data: Text(data),
                },
            )
        })
}

/// Returns the field line of a framing.
fn framing_line(framing: Framing, content: &Content) -> Option<Field> {
    let (line, goes) = match framing {
        Framing::Nothing => return None,
        Framing::Length => (
            format!("content-LENGTH:\t{:02} \r\n", content.data.0.len()),
            Goes::On,
        ),
        Framing::Chunked => ("Transfer-encoding: Chunked\r\n".into(), Goes::To11),
    };
    Some(Field {
        line: Text(line.into_bytes()),
        goes,
    })
}

/// Generates fields that pass and fields that do not.
fn mixed() -> impl Strategy<Value = Vec<Field>> {
    (vec(ordinary(), 0..12), hop_by_hop()).prop_map(|(ordinary, hop)| [ordinary, hop].concat())
}

fn ask() -> impl Strategy<Value = Ask> {
    let method = prop_oneof![
        3 => select(&["GET", "POST", "PUT", "DELETE", "OPTIONS"][..]).prop_map(str::to_owned),
        1 => Just("HEAD".to_owned()),
        1 => token().prop_filter("a tunnel", |method| method != "CONNECT"),
    ];
    let host = prop::option::weighted(
        0.5,
        line(
            named("Host"),
            "[a-z0-9.:-]{0,12}".prop_map(String::into_bytes),
            Goes::On,
        ),
    );
    let id = prop::option::of(value());
    let trailer = prop::option::of(line(named("Trailer"), value(), Goes::On));
    let body = prop_oneof![2 => Just(empty()), 2 => counted(), 2 => chunked(request_trailer())];
    let start = (
        prop_oneof![4 => Just(0), 1 => 1..3_usize],
        method,
        "/[!\"$-~\u{e9}\u{4f60}]{0,30}",
        prop::bool::weighted(0.15),
    );
    (start, mixed(), host, id, trailer, close(), body).prop_flat_map(
        |(start, mut fields, host, id, trailer, close, (framing, body))| {
            let (blank, method, target, is_10) = start;
            // HTTP/1.0 has no chunks.
            let (framing, body) = if is_10 && framing == Framing::Chunked {
                empty()
            } else {
                (framing, body)
            };
            let closes = close.is_some();
            let host = host.or_else(|| {
                (!is_10).then(|| Field {
                    line: Text(b"Host: h\r\n".to_vec()),
                    goes: Goes::On,
                })
            });
            let has_host = host.is_some();
            let framing = framing_line(framing, &body).map(|field| Field {
                goes: Goes::On,
                ..field
            });
            let id_line = id.as_ref().map(|id| Field {
                line: Text([b"X-Request-ID: ", &id[..], b"\r\n"].concat()),
                goes: Goes::On,
            });
            fields.extend(
                [host, trailer, close, framing, id_line]
                    .into_iter()
                    .flatten(),
            );
            let id = id.map(Text);
            Just(fields).prop_shuffle().prop_map(move |fields| Ask {
                blank,
                method: method.clone(),
                target: target.clone(),
                is_10,
                has_host,
                fields,
                id: id.clone(),
                closes,
                body: body.clone(),
            })
        },
    )
}

fn interim() -> impl Strategy<Value = Interim> {
    (
        select(&[100_u16, 102, 103, 199][..]),
        mixed().prop_shuffle(),
    )
        .prop_map(|(status, fields)| Interim { status, fields })
}

fn answer() -> impl Strategy<Value = Answer> {
    let status =
        prop_oneof![3 => select(&[200_u16, 204, 205, 304, 404, 503][..]), 1 => 200..=999_u16];
    let reason = prop::option::of(value().prop_map(Text));
    let id = prop::option::weighted(0.2, line(named("X-Request-Id"), value(), Goes::On));
    let trailer = prop::option::of(line(named("Trailer"), value(), Goes::To11));
    let unframed = counted().prop_map(|(_, body)| (Framing::Nothing, body));
    let body = prop_oneof![1 => unframed, 4 => counted(), 4 => chunked(ordinary())];
    let start = (status, reason, prop::bool::weighted(0.1));
    (start, mixed(), id, trailer, close(), body).prop_flat_map(
        |(start, mut fields, id, trailer, close, (framing, body))| {
            let (status, reason, is_10) = start;
            let is_10 = is_10 && framing != Framing::Chunked;
            let closes = close.is_some();
            let has_id = id.is_some();
            let mut trailer = trailer;
            let mut framed = framing_line(framing, &body);
            let announces = match framing {
                Framing::Nothing => false,
                Framing::Length => !body.data.0.is_empty(),
                Framing::Chunked => true,
            };
            if status == 204 && announces {
                let lines = [&mut trailer, &mut framed].into_iter().flatten();
                lines.for_each(|line| line.goes = Goes::Nowhere);
            }
            fields.extend([id, trailer, close, framed].into_iter().flatten());
            Just(fields).prop_shuffle().prop_map(move |fields| Answer {
                status,
                reason: reason.clone(),
                is_10,
                fields,
                has_id,
                closes,
                framing,
                body: body.clone(),
            })
        },
    )
}

pub(super) fn exchange() -> impl Strategy<Value = Exchange> {
    let interims = prop_oneof![3 => Just(Vec::new()), 1 => vec(interim(), 1..3)];
    (ask(), interims, answer()).prop_map(|(ask, interims, answer)| Exchange {
        ask,
        interims,
        answer,
    })
}

/// Generates the lengths of the pieces that bytes are sent in.
pub(super) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        Just(vec![usize::MAX]),
        vec(1..40_usize, 1..20),
        vec(1..100_000_usize, 1..5),
    ]
}

/// Generates the number of bytes a connection holds.
pub(super) fn holds() -> impl Strategy<Value = usize> {
    select(&[1 << 18, 1 << 14, 1000][..])
}
