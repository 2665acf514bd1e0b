//! Properties of every legal message, wherever it is cut, and of arbitrary bytes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generate;

use generate::{GeneratedBody, HeaderLine, HeaderLines};
use paddock_wire::{
    Body, ByteSpan, Framing, HeadScan, InvalidRequest, InvalidResponse, RequestHead, ResponseHead,
    Version,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Limit on the edits of a head, as in the crate.
const MAX_EDITS: usize = 16;

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![3 => Just(Version::Http11), 1 => Just(Version::Http10)]
}

fn digit(version: Version) -> &'static str {
    match version {
        Version::Http10 => "0",
        Version::Http11 => "1",
    }
}

/// Generates a body and its framing.
fn framed_body() -> impl Strategy<Value = (Framing, GeneratedBody)> {
    let none = GeneratedBody {
        bytes: Vec::new(),
        data: Vec::new(),
    };
    prop_oneof![
        Just((Framing::None, none)),
        generate::plain().prop_map(|plain| (Framing::Length(plain.data.len() as u64), plain)),
        generate::chunked().prop_map(|chunked| (Framing::Chunked, chunked)),
    ]
}

/// Returns the field line that states a framing.
fn framing_line(framing: Framing) -> Option<HeaderLine> {
    match framing {
        Framing::None | Framing::UntilClose => None,
        Framing::Length(length) => {
            let value = format!("{length:03}");
            Some(HeaderLine::new(
                "content-LENGTH",
                "\t",
                value.as_bytes(),
                " ",
            ))
        }
        Framing::Chunked => Some(HeaderLine::new("Transfer-encoding", "", b"Chunked", "\t")),
    }
}

/// Finds the end of the head at the start of `bytes`, which arrive in pieces.
fn find_end(bytes: &[u8], cuts: &[usize]) -> Result<Option<usize>, InvalidRequest> {
    let mut scan = HeadScan::default();
    let mut arrived = 0_usize;
    for cut in cuts.iter().cycle() {
        if let Some(end) = scan.find_end(&bytes[..arrived])? {
            return Ok(Some(end));
        }
        if arrived == bytes.len() {
            break;
        }
        arrived = arrived.saturating_add(*cut).min(bytes.len());
    }
    Ok(None)
}

/// Follows a body through `bytes` in pieces, with both methods. Returns the length of the body and
/// its data.
fn follow(mut body: Body, bytes: &[u8], cuts: &[usize]) -> (Body, usize, Vec<u8>) {
    let mut unframing = body.clone();
    let mut at = 0;
    let mut data = Vec::new();
    for cut in cuts.iter().cycle() {
        if at == bytes.len() || body.is_complete() {
            break;
        }
        let piece = &bytes[at..at.saturating_add(*cut).min(bytes.len())];
        let mut moved = piece.to_vec();
        let Ok(taken) = body.follow(piece) else {
            assert!(unframing.follow_and_unframe(&mut moved).is_err());
            break;
        };
        let (also_taken, kept) = unframing.follow_and_unframe(&mut moved).unwrap();
        assert_eq!(taken, also_taken);
        assert!(taken <= piece.len() && kept <= taken);
        assert!(taken == piece.len() || body.is_complete());
        data.extend_from_slice(&moved[..kept]);
        assert_eq!(body.data_bytes(), data.len() as u64);
        at += taken;
    }
    (body, at, data)
}

fn check_body(
    framing: Framing,
    content: &GeneratedBody,
    next: &[u8],
    cuts: &[usize],
) -> Result<(), TestCaseError> {
    let bytes = [&content.bytes, next].concat();
    let (body, taken, data) = follow(Body::new(framing), &bytes, cuts);
    prop_assert_eq!(taken, content.bytes.len());
    prop_assert_eq!(&data, &content.data);
    prop_assert!(body.is_complete());
    prop_assert!(body.check_end().is_ok());
    prop_assert_eq!(
        body.ends_with_blank_line(),
        [b"\n\n", &data[..]].concat().ends_with(b"\n\n")
    );
    // The body is incomplete without its last byte.
    if let [but_last @ .., _] = &content.bytes[..] {
        let (body, taken, _) = follow(Body::new(framing), but_last, cuts);
        prop_assert_eq!(taken, but_last.len());
        prop_assert!(!body.is_complete());
        prop_assert!(body.check_end().is_err());
    }
    Ok(())
}

fn render(edits: &paddock_wire::HeadEdits, head: &[u8]) -> String {
    let mut out = b"before".to_vec();
    edits.render(head, &[b"X-Added: 1\r\n", b"X-Added: 2\r\n"], &mut out);
    out.escape_ascii().to_string()
}

/// Returns the expected output of `render`.
fn expected_render(first: &str, lines: &HeaderLines, keep: impl Fn(&HeaderLine) -> bool) -> String {
    let mut head = lines.head(first.as_bytes(), keep);
    head.truncate(head.len() - 2);
    head.extend_from_slice(b"X-Added: 1\r\nX-Added: 2\r\n\r\n");
    [b"before", &head[..]].concat().escape_ascii().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_legal_request_passes(
        method in generate::token().prop_filter("a tunnel", |method| method != "CONNECT"),
        target in "/[!\"$-~\u{e9}\u{4f60}]{0,30}",
        version in version(),
        mut lines in generate::lines(),
        (framing, content) in framed_body(),
        host in "[a-z0-9.:-]{0,12}",
        at in any::<(Index, Index)>(),
        next in generate::parser_like_bytes(),
        cuts in generate::cuts(),
    ) {
        prop_assume!(version == Version::Http11 || framing != Framing::Chunked);
        lines.insert(at.0, HeaderLine::new("hOst", " ", host.as_bytes(), ""));
        if let Some(line) = framing_line(framing) {
            lines.insert(at.1, line);
        }
        let first = format!("{method} {target} HTTP/1.{}\r\n", digit(version));
        let head = lines.head(first.as_bytes(), |_| true);
        let bytes = [&head[..], &content.bytes, &next].concat();
        prop_assert_eq!(find_end(&bytes, &cuts), Ok(Some(head.len())));

        let edits = lines.cuts() + usize::from(version == Version::Http10);
        let request = match RequestHead::parse(&head) {
            Err(refusal) => {
                prop_assert_eq!(refusal, InvalidRequest::TooManyHopByHop);
                prop_assert!(edits > MAX_EDITS);
                return Ok(());
            }
            Ok(request) => request,
        };
        prop_assert!(edits <= MAX_EDITS);
        prop_assert_eq!(request.method.slice(&head), method.as_bytes());
        prop_assert_eq!(request.target.slice(&head), target.as_bytes());
        prop_assert_eq!(request.path(&head), target.split('?').next().unwrap().as_bytes());
        prop_assert_eq!(request.version, version);
        prop_assert_eq!(request.framing, framing);
        prop_assert_eq!(request.close, version == Version::Http10 || lines.closes());
        prop_assert!(request.has_host);
        let first = format!("{method} {target} HTTP/1.1\r\n");
        let expected = expected_render(&first, &lines, |line| !lines.is_cut(line));
        prop_assert_eq!(render(&request.edits, &head), expected);

        // A head always has room for a cut in the target.
        let mut shorter = request.clone();
        shorter.cut_from_target(ByteSpan::new(0, target.len()));
        let first = format!("{method}  HTTP/1.1\r\n");
        let expected = expected_render(&first, &lines, |line| !lines.is_cut(line));
        prop_assert_eq!(render(&shorter.edits, &head), expected);

        check_body(framing, &content, &next, &cuts)?;
    }

    #[test]
    fn a_legal_response_passes(
        status in prop_oneof![select(&[100_u16, 102, 103, 199, 200, 204, 205, 304, 404, 503][..]), 200..=999_u16],
        reason in prop_oneof![Just(None), generate::value().prop_map(Some)],
        version in version(),
        client in version(),
        to_head in any::<bool>(),
        mut lines in generate::lines(),
        (said, content) in framed_body(),
        at in any::<Index>(),
        next in generate::parser_like_bytes(),
        cuts in generate::cuts(),
    ) {
        if let Some(line) = framing_line(said) {
            lines.insert(at, line);
        }
        let code = match &reason {
            None => status.to_string().into_bytes(),
            Some(reason) => [format!("{status} ").as_bytes(), reason].concat(),
        };
        let first = |digit: &str| [b"HTTP/1.", digit.as_bytes(), b" ", &code, b"\r\n"].concat();
        let head = lines.head(&first(digit(version)), |_| true);
        let bytes = [&head[..], &content.bytes, &next].concat();
        prop_assert_eq!(find_end(&bytes, &cuts), Ok(Some(head.len())));

        let framing = match status {
            100..200 | 204 | 304 => Framing::None,
            _ if to_head => Framing::None,
            _ if said == Framing::None => Framing::UntilClose,
            _ => said,
        };
        let forbids = matches!(status, 100..200 | 204);
        let announces = !matches!(said, Framing::None | Framing::Length(0) | Framing::UntilClose);
        let also: &[&str] = match client {
            _ if forbids && announces => &["transfer-encoding", "content-length", "trailer"],
            Version::Http10 => &["transfer-encoding", "trailer"],
            Version::Http11 => &[],
        };
        let stray = (forbids && announces) || (said == Framing::Chunked && framing == Framing::None);
        let is_cut = |line: &HeaderLine| lines.is_cut(line) || also.contains(&line.name.as_str());
        let cut = lines.lines.iter().filter(|line| is_cut(line)).count();
        let edits = cut + usize::from(version == Version::Http10);
        let answer = match ResponseHead::parse(&head, to_head, client) {
            Err(InvalidResponse::TooManyHopByHop) => {
                prop_assert!(edits > MAX_EDITS);
                return Ok(());
            }
            Err(InvalidResponse::Framing(InvalidRequest::TransferCodingInHttp10)) => {
                prop_assert_eq!((version, framing), (Version::Http10, Framing::Chunked));
                return Ok(());
            }
            other => other.unwrap(),
        };
        prop_assert!(edits <= MAX_EDITS);
        prop_assert_eq!(answer.status, status);
        prop_assert_eq!(answer.framing, framing);
        prop_assert_eq!(answer.is_interim(), status < 200);
        let closes = version == Version::Http10 || lines.closes() || stray;
        prop_assert_eq!(answer.close, closes || framing == Framing::UntilClose);
        let first = first("1");
        let first = first.escape_ascii().to_string();
        let expected = expected_render("", &lines, |line| !is_cut(line));
        let expected = expected.replacen("before", &format!("before{first}"), 1);
        prop_assert_eq!(render(&answer.edits, &head), expected);

        match framing {
            Framing::UntilClose => {
                let bytes = [&content.bytes[..], &next].concat();
                let (body, taken, data) = follow(Body::new(framing), &bytes, &cuts);
                prop_assert_eq!(taken, bytes.len());
                prop_assert_eq!(data, bytes);
                prop_assert!(!body.is_complete());
                prop_assert!(body.check_end().is_ok());
            }
            Framing::None => prop_assert!(Body::new(framing).is_complete()),
            Framing::Length(_) | Framing::Chunked => check_body(framing, &content, &next, &cuts)?,
        }
    }

    #[test]
    fn any_bytes_are_handled_without_panic(
        bytes in prop_oneof![generate::parser_like_bytes(), prop::collection::vec(any::<u8>(), 0..200)],
        length in any::<u64>(),
        cuts in generate::cuts(),
    ) {
        let whole = find_end(&bytes, &[usize::MAX]);
        let pieces = find_end(&bytes, &cuts);
        prop_assert_eq!(whole, pieces);
        let end = whole.ok().flatten().unwrap_or(bytes.len());
        prop_assert!(end <= bytes.len());
        for head in [&bytes[..end], &bytes[..]] {
            let mut out = Vec::new();
            if let Ok(mut request) = RequestHead::parse(head) {
                request.cut_from_target(ByteSpan::new(0, 1));
                request.edits.render(head, &[], &mut out);
            }
            for to_head in [true, false] {
                for client in [Version::Http10, Version::Http11] {
                    if let Ok(answer) = ResponseHead::parse(head, to_head, client) {
                        answer.edits.render(head, &[], &mut out);
                    }
                }
            }
        }
        for framing in [
            Framing::None,
            Framing::Length(length),
            Framing::Length(length % 64),
            Framing::Chunked,
            Framing::UntilClose,
        ] {
            let (_, taken, data) = follow(Body::new(framing), &bytes, &cuts);
            prop_assert!(data.len() <= taken && taken <= bytes.len());
        }
    }
}
