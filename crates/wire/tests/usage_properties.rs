//! The usage report does not depend on how bytes are cut into pieces, and no bytes cause a panic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod usage;

use paddock_wire::{Body, BodyOutcome, Framing, UsageReport};
use proptest::collection::vec;
use proptest::prelude::*;
use usage::{EVENTS, JSON, check, parser, report};

/// Fragments that are significant to the parser.
const TOKENS: &[&str] = &[
    "data:",
    "data: ",
    "event: ",
    "message_stop",
    "error",
    ":",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "[DONE]",
    "data: [DONE]\n\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "\\",
    "\"usage\":",
    "\"timings\":",
    "\"error\":",
    "\"prompt_tokens\":3",
    "\"completion_tokens\":4",
    "\"choices\":[",
    "\"index\":1",
    "\"stop\":true",
    "null",
    "12",
    "data: {\"usage\":{\"prompt_tokens\":3}}\n\n",
    "\"response\":{",
    "data: {\"timings\":{\"predicted_n\":3}}\r\n\r\n",
    "event: error\ndata: {}\n\n",
    "\u{feff}",
    "data: {\"choices\":[]}\n\n",
    "data: {\"error\":1}\r\r",
    "\"input_tokens_details\":{",
    ": ping\n\n",
];

fn parser_like_text() -> impl Strategy<Value = String> {
    vec(prop::sample::select(TOKENS), 0..40).prop_map(|tokens| tokens.concat())
}

fn parser_like_bytes() -> impl Strategy<Value = Vec<u8>> {
    parser_like_text().prop_map(String::into_bytes)
}

/// Returns the report for a chunked body, read in pieces whose sizes cycle through `sizes`.
fn report_in_chunks(kind: &str, chunks: &[&[u8]], sizes: &[usize]) -> UsageReport {
    let mut framed = Vec::new();
    for chunk in chunks {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    let (mut parser, mut body) = (parser(kind), Body::new(Framing::Chunked));
    let mut rest = &framed[..];
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (read, after) = rest.split_at((*size).clamp(1, rest.len()));
        let mut reading = parser.begin_batch(read);
        let taken = body.follow_with(read, |data| reading.feed(data));
        assert_eq!(taken, Ok(read.len()));
        rest = after;
    }
    assert!(body.is_complete());
    parser.report()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_make_no_difference(body in prop_oneof![parser_like_bytes(), vec(any::<u8>(), 0..300)], sizes in vec(1..40_usize, 1..6)) {
        for kind in [EVENTS, JSON] {
            prop_assert_eq!(report(kind, &body, &sizes), check(kind, &body));
        }
    }

    #[test]
    fn chunks_make_no_difference(
        pieces in vec(prop_oneof![prop::sample::select(TOKENS).prop_map(str::to_owned), parser_like_text()], 0..20),
        reads in vec(1..200_usize, 1..4),
    ) {
        let pieces: Vec<_> = pieces.iter().map(String::as_bytes).filter(|piece| !piece.is_empty()).collect();
        let whole = check(EVENTS, &pieces.concat());
        for reads in [&[usize::MAX], &reads[..]] {
            prop_assert_eq!(report_in_chunks(EVENTS, &pieces, reads), whole);
        }
    }

    #[test]
    fn a_number_is_the_one_a_parser_reads(
        prompt in any::<u32>(), generated in any::<u32>(), text in any::<String>(), pretty in any::<bool>(),
    ) {
        let document = serde_json::json!({
            "choices": [{ "index": 0, "message": { "content": text } }],
            "usage": { "prompt_tokens": prompt, "completion_tokens": generated },
        });
        let body = if pretty {
            serde_json::to_string_pretty(&document).unwrap()
        } else {
            document.to_string()
        };
        let data = body.replace('\n', "\ndata: ");
        for (kind, body) in [(JSON, body), (EVENTS, format!("data: {data}\n\n"))] {
            let usage = check(kind, body.as_bytes()).usage;
            prop_assert_eq!(usage.prompt_tokens, Some(prompt.into()));
            prop_assert_eq!(usage.generated_tokens, Some(generated.into()));
        }
    }
}

#[test]
fn only_events_followed_by_others_are_skipped() {
    let (plain, done): (&[u8], &[u8]) = (b"data: {}\n\n", b"data: [DONE]\n\n");
    let named: &[u8] = b"event: error\n";
    for (chunks, outcome) in [
        (&[done, plain][..], BodyOutcome::Open),
        (&[plain, done], BodyOutcome::Ended),
        (&[plain, plain, done, plain], BodyOutcome::Open),
        (&[plain, named, plain], BodyOutcome::Failed),
        (&[plain, named, plain, plain], BodyOutcome::Open),
    ] {
        let report = report_in_chunks(EVENTS, chunks, &[usize::MAX]);
        assert_eq!(report.outcome, outcome, "{chunks:?}");
    }
}
