//! Tables of responses recorded from llama-server and of misleading ones, each with the expected
//! report.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod usage;

use paddock_wire::BodyOutcome::{self, Ended, Failed, Open, Unread};
use paddock_wire::{Usage, UsageReport};
use std::time::Duration;
use usage::{EVENTS, JSON, check};

/// Prompt, cached and generated tokens.
type Tokens = (Option<u64>, Option<u64>, Option<u64>);

fn tokens(report: &UsageReport) -> Tokens {
    let usage = report.usage;
    (
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.generated_tokens,
    )
}

fn read_recorded(name: &str) -> (&'static str, Vec<u8>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/usage/recorded/");
    let kind = if name.contains(".sse") { EVENTS } else { JSON };
    (kind, std::fs::read(format!("{folder}{name}")).unwrap())
}

const UNKNOWN: Tokens = (None, None, None);

#[test]
fn usage_is_read_from_recorded_responses() {
    for (name, expected, timed, outcome) in [
        ("chat.json", (Some(26), Some(0), Some(8)), true, Ended),
        ("chat.sse", (Some(26), Some(21), Some(8)), true, Ended),
        ("chat-usage.sse", (Some(26), Some(21), Some(8)), true, Ended),
        (
            "chat-timings.sse",
            (Some(26), Some(21), Some(8)),
            true,
            Ended,
        ),
        ("completions.json", (Some(5), Some(1), Some(8)), true, Ended),
        ("completions.sse", (Some(5), Some(1), Some(8)), true, Ended),
        ("native.json", (Some(7), Some(1), Some(8)), true, Ended),
        ("native.sse", (Some(7), Some(2), Some(8)), true, Ended),
        ("messages.json", (Some(26), Some(21), Some(8)), false, Ended),
        ("messages.sse", (Some(26), Some(21), Some(8)), false, Ended),
        (
            "responses.json",
            (Some(26), Some(21), Some(8)),
            false,
            Ended,
        ),
        ("responses.sse", (Some(26), Some(21), Some(8)), true, Ended),
        ("embeddings.json", (Some(2), None, None), false, Ended),
        ("rerank.json", (Some(7), None, None), false, Ended),
        ("chat-n.json", UNKNOWN, false, Ended),
        ("chat-n.sse", UNKNOWN, false, Ended),
        ("chat-n-usage.sse", UNKNOWN, false, Ended),
        ("native-prompts.sse", UNKNOWN, false, Ended),
        ("native-prompts.json", UNKNOWN, false, Open),
    ] {
        let (kind, body) = read_recorded(name);
        let report = check(kind, &body);
        assert_eq!(tokens(&report), expected, "{name}");
        assert_eq!(report.usage.prompt_time.is_some(), timed, "{name}");
        assert_eq!(report.usage.generation_time.is_some(), timed, "{name}");
        assert_eq!(report.outcome, outcome, "{name}");
        assert_eq!(report.bytes, body.len() as u64);
    }
}

#[test]
fn times_are_read_to_the_microsecond() {
    let (kind, body) = read_recorded("chat.json");
    let usage = check(kind, &body).usage;
    assert_eq!(usage.prompt_time, Some(Duration::from_micros(144_732)));
    assert_eq!(usage.generation_time, Some(Duration::from_micros(128_303)));
}

/// A truncated stream reports the numbers so far, a truncated document none, and neither a wrong
/// number.
#[test]
fn a_truncated_response_has_not_ended() {
    for name in [
        "chat-usage.sse",
        "native.sse",
        "messages.sse",
        "responses.sse",
        "chat.json",
    ] {
        let (kind, body) = read_recorded(name);
        let whole = check(kind, &body).usage;
        let body = body.trim_ascii_end();
        for cut in 0..body.len() {
            let report = usage::report(kind, &body[..cut], &[usize::MAX]);
            assert_eq!(report.outcome, Open, "{name} cut at {cut}");
            let right = |cut: Option<u64>, whole| cut.is_none() || cut == whole;
            assert!(
                right(report.usage.prompt_tokens, whole.prompt_tokens),
                "{name} at {cut}"
            );
            assert!(
                right(report.usage.cached_tokens, whole.cached_tokens),
                "{name} at {cut}"
            );
            assert!(
                right(report.usage.generated_tokens, whole.generated_tokens),
                "{name} at {cut}"
            );
        }
    }
}

const USAGE: &str = r#""usage":{"prompt_tokens":3,"completion_tokens":4}"#;

#[test]
fn events_are_framed_by_the_standard() {
    let ended = ((Some(3), None, Some(4)), Ended);
    let nothing = (UNKNOWN, Open);
    for (body, expected) in [
        (format!("data: {{{USAGE}}}\n\ndata: [DONE]\n\n"), ended),
        (
            format!("data:{{{USAGE}}}\r\n\r\ndata:[DONE]\r\n\r\n"),
            ended,
        ),
        (format!("data: {{{USAGE}}}\r\rdata: [DONE]\r\r"), ended),
        (
            format!("\u{feff}data: {{{USAGE}}}\n\r\ndata: [DONE]\r\n\n"),
            ended,
        ),
        (
            format!(": a\n\n:\n\ndata: {{\ndata: {USAGE}\ndata:}}\n\ndata: [DONE]\n\n:\n\n"),
            ended,
        ),
        (
            format!("id: 1\ndata: {{{USAGE}}}\nretry: 5\n\n\n\ndata: [DONE]\nid\n\n"),
            ended,
        ),
        (
            format!("data: {{{USAGE}}}\n\ndata: [DONE]\n"),
            (ended.0, Open),
        ),
        (
            format!("data: {{{USAGE}}}\n\ndata: [DONE]\n\ndata: {{}}\n\n"),
            (ended.0, Open),
        ),
        (
            format!("data: {{{USAGE}}}\n\ndata: [DONE]\ndata:\n\n"),
            (ended.0, Open),
        ),
        (
            format!("data: {{{USAGE}}}\n\ndata:  [DONE]\n\n"),
            (ended.0, Open),
        ),
        (format!("data: {{{USAGE}}}\n"), nothing),
        (format!("data : {{{USAGE}}}\n\n"), nothing),
        (format!(" data: {{{USAGE}}}\n\n"), nothing),
        (format!(": data: {{{USAGE}}}\n\n"), nothing),
        ("data\n\n".to_owned(), nothing),
        (
            "data: {}\n\nevent: message_stop\ndata: {}\n\n".to_owned(),
            (UNKNOWN, Ended),
        ),
        (
            "data: {}\nevent: message_stop\n\n".to_owned(),
            (UNKNOWN, Ended),
        ),
        ("event: message_stop\n\n".to_owned(), nothing),
        (
            "event: error\ndata: {\"code\":500}\n\n".to_owned(),
            (UNKNOWN, Failed),
        ),
        (
            "data: {\"error\":{\"code\":500}}\n\n".to_owned(),
            (UNKNOWN, Failed),
        ),
        ("data: {\"error\":null}\n\n".to_owned(), nothing),
        (
            "event: response.failed\ndata: {\"response\":{\"error\":{}}}\n\n".to_owned(),
            (UNKNOWN, Failed),
        ),
    ] {
        let report = check(EVENTS, body.as_bytes());
        assert_eq!((tokens(&report), report.outcome), expected, "{body:?}");
    }
}

/// Members of an object, with the expected tokens and outcome.
const MEMBERS: &[(&str, Tokens, BodyOutcome)] = &[
    (r#""a":"\"usage\":{\"prompt_tokens\":1}""#, UNKNOWN, Ended),
    (r#""usage":"\"prompt_tokens\":1""#, UNKNOWN, Ended),
    (
        r#""choices":[{"usage":{"prompt_tokens":1},"index":0}]"#,
        UNKNOWN,
        Ended,
    ),
    (
        r#""a":{"usage":{"prompt_tokens":1}},"b":[{"timings":{"predicted_n":1}}]"#,
        UNKNOWN,
        Ended,
    ),
    (r#""usage":[{"prompt_tokens":1}]"#, UNKNOWN, Ended),
    (r#""usage":{"a":{"prompt_tokens":1}}"#, UNKNOWN, Ended),
    (r#""usage":{"prompt_tokens":1},"usage":{}"#, UNKNOWN, Ended),
    (
        r#""usage":{"prompt_tokens":1,"prompt_tokens":null}"#,
        UNKNOWN,
        Ended,
    ),
    (
        r#""usage":{"prompt_tokens":-1,"completion_tokens":1.5}"#,
        UNKNOWN,
        Ended,
    ),
    (
        r#""usage":{"prompt_tokens":1e3,"completion_tokens":99999999999999999999}"#,
        UNKNOWN,
        Ended,
    ),
    (
        r#""usage":{"prompt_tokens":000000000000000000000000000000001}"#,
        UNKNOWN,
        Ended,
    ),
    (r#""usage":{"\u0070rompt_tokens":1}"#, UNKNOWN, Ended),
    (r#""usage":null,"error":null"#, UNKNOWN, Ended),
    (
        r#""choices":[{"index":0},{"index":1}],"usage":{"prompt_tokens":1}"#,
        UNKNOWN,
        Ended,
    ),
    (
        r#""timings":{"prompt_n":3,"prompt_ms":1.0}"#,
        UNKNOWN,
        Ended,
    ),
    (
        r#""timings":{"prompt_n":3,"cache_n":0,"predicted_n":0}"#,
        (None, Some(0), Some(0)),
        Ended,
    ),
    (
        r#""timings":{"prompt_n":3,"predicted_n":2}"#,
        (None, None, Some(2)),
        Ended,
    ),
    (
        r#""usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":null}"#,
        (Some(3), None, None),
        Ended,
    ),
    (
        r#""tokens_cached":9,"tokens_evaluated":5"#,
        (Some(5), None, None),
        Ended,
    ),
    (
        r#""error":{"code":1},"usage":{"prompt_tokens":1}"#,
        (Some(1), None, None),
        Failed,
    ),
    (r#""usage":{"prompt_tokens":1},"#, UNKNOWN, Open),
    (r#""usage":{"prompt_tokens":1,}"#, UNKNOWN, Open),
    (r#""usage":{"prompt_tokens":1}}x"#, UNKNOWN, Open),
    (r#""usage":{"prompt_tokens":1]"#, UNKNOWN, Open),
    (r#""usage" {"prompt_tokens":1}"#, UNKNOWN, Open),
    (r#""a":1 2,"usage":{"prompt_tokens":1}"#, UNKNOWN, Open),
];

#[test]
fn decoys_and_broken_documents_are_not_believed() {
    for (members, expected, outcome) in MEMBERS {
        let body = format!(" {{ {members} }} ");
        let report = check(JSON, body.as_bytes());
        assert_eq!(
            (tokens(&report), report.outcome),
            (*expected, *outcome),
            "{body}"
        );
        let event = check(EVENTS, format!("data: {body}\n\n").as_bytes());
        if body.contains("usage\"") || body.contains("timings\"") {
            assert_eq!(tokens(&event), *expected, "as an event: {body}");
        }
    }
}

#[test]
fn unreadable_bodies_report_unknown() {
    let body = format!("{{{USAGE}}}");
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
        "HTTP/1.1 500 No\r\nContent-Type: application/json\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: br\r\n\r\n",
    ] {
        let mut parser = usage::parser_of(head);
        parser.feed(body.as_bytes());
        let expected = UsageReport {
            bytes: body.len() as u64,
            usage: Usage::default(),
            outcome: Unread,
            has_multiple_choices: false,
            events: 0,
        };
        assert_eq!(parser.report(), expected, "{head}");
    }
}

/// The parser owns no heap memory, so its size is its whole cost.
#[test]
fn a_usage_parser_is_small() {
    assert!(size_of::<paddock_wire::UsageParser>() <= 1024);
}
