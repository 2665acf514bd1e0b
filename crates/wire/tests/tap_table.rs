//! Answers recorded from llama-server and answers made up to mislead, and what the tap says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tap;

use paddock_wire::Outcome::{self, Ended, Failed, Open, Unread};
use paddock_wire::{Report, Usage};
use std::time::Duration;
use tap::{EVENTS, JSON, check};

/// Prompt, cached and generated tokens.
type Tokens = (Option<u64>, Option<u64>, Option<u64>);

fn tokens(report: &Report) -> Tokens {
    let usage = report.usage;
    (
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.generated_tokens,
    )
}

fn recorded(name: &str) -> (&'static str, Vec<u8>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tap/recorded/");
    let kind = if name.contains(".sse") { EVENTS } else { JSON };
    (kind, std::fs::read(format!("{folder}{name}")).unwrap())
}

const NONE: Tokens = (None, None, None);

#[test]
fn recorded_answers_say_what_they_used() {
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
        ("chat-n.json", NONE, false, Ended),
        ("chat-n.sse", NONE, false, Ended),
        ("chat-n-usage.sse", NONE, false, Ended),
        ("native-prompts.sse", NONE, false, Ended),
        ("native-prompts.json", NONE, false, Open),
    ] {
        let (kind, body) = recorded(name);
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
    let (kind, body) = recorded("chat.json");
    let usage = check(kind, &body).usage;
    assert_eq!(usage.prompt_time, Some(Duration::from_micros(144_732)));
    assert_eq!(usage.generation_time, Some(Duration::from_micros(128_303)));
}

/// A cut stream says what it said until then, a cut document nothing, and neither a wrong number.
#[test]
fn an_answer_cut_anywhere_has_not_ended() {
    for name in [
        "chat-usage.sse",
        "native.sse",
        "messages.sse",
        "responses.sse",
        "chat.json",
    ] {
        let (kind, body) = recorded(name);
        let whole = check(kind, &body).usage;
        let body = body.trim_ascii_end();
        for cut in 0..body.len() {
            let report = tap::report(kind, &body[..cut], &[usize::MAX]);
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
fn events_are_framed_as_the_standard_says() {
    let ended = ((Some(3), None, Some(4)), Ended);
    let nothing = (NONE, Open);
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
            (NONE, Ended),
        ),
        (
            "data: {}\nevent: message_stop\n\n".to_owned(),
            (NONE, Ended),
        ),
        ("event: message_stop\n\n".to_owned(), nothing),
        (
            "event: error\ndata: {\"code\":500}\n\n".to_owned(),
            (NONE, Failed),
        ),
        (
            "data: {\"error\":{\"code\":500}}\n\n".to_owned(),
            (NONE, Failed),
        ),
        ("data: {\"error\":null}\n\n".to_owned(), nothing),
        (
            "event: response.failed\ndata: {\"response\":{\"error\":{}}}\n\n".to_owned(),
            (NONE, Failed),
        ),
    ] {
        let report = check(EVENTS, body.as_bytes());
        assert_eq!((tokens(&report), report.outcome), expected, "{body:?}");
    }
}

/// Members of an object, and what it then states.
const MEMBERS: &[(&str, Tokens, Outcome)] = &[
    (r#""a":"\"usage\":{\"prompt_tokens\":1}""#, NONE, Ended),
    (r#""usage":"\"prompt_tokens\":1""#, NONE, Ended),
    (
        r#""choices":[{"usage":{"prompt_tokens":1},"index":0}]"#,
        NONE,
        Ended,
    ),
    (
        r#""a":{"usage":{"prompt_tokens":1}},"b":[{"timings":{"predicted_n":1}}]"#,
        NONE,
        Ended,
    ),
    (r#""usage":[{"prompt_tokens":1}]"#, NONE, Ended),
    (r#""usage":{"a":{"prompt_tokens":1}}"#, NONE, Ended),
    (r#""usage":{"prompt_tokens":1},"usage":{}"#, NONE, Ended),
    (
        r#""usage":{"prompt_tokens":1,"prompt_tokens":null}"#,
        NONE,
        Ended,
    ),
    (
        r#""usage":{"prompt_tokens":-1,"completion_tokens":1.5}"#,
        NONE,
        Ended,
    ),
    (
        r#""usage":{"prompt_tokens":1e3,"completion_tokens":99999999999999999999}"#,
        NONE,
        Ended,
    ),
    (
        r#""usage":{"prompt_tokens":000000000000000000000000000000001}"#,
        NONE,
        Ended,
    ),
    (r#""usage":{"\u0070rompt_tokens":1}"#, NONE, Ended),
    (r#""usage":null,"error":null"#, NONE, Ended),
    (
        r#""choices":[{"index":0},{"index":1}],"usage":{"prompt_tokens":1}"#,
        NONE,
        Ended,
    ),
    (r#""timings":{"prompt_n":3,"prompt_ms":1.0}"#, NONE, Ended),
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
    (r#""usage":{"prompt_tokens":1},"#, NONE, Open),
    (r#""usage":{"prompt_tokens":1,}"#, NONE, Open),
    (r#""usage":{"prompt_tokens":1}}x"#, NONE, Open),
    (r#""usage":{"prompt_tokens":1]"#, NONE, Open),
    (r#""usage" {"prompt_tokens":1}"#, NONE, Open),
    (r#""a":1 2,"usage":{"prompt_tokens":1}"#, NONE, Open),
];

#[test]
fn decoys_and_broken_documents_mislead_nobody() {
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
fn what_cannot_be_read_is_unknown() {
    let body = format!("{{{USAGE}}}");
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
        "HTTP/1.1 500 No\r\nContent-Type: application/json\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: br\r\n\r\n",
    ] {
        let mut tap = tap::tap_of(head);
        tap.feed(body.as_bytes());
        let expected = Report {
            bytes: body.len() as u64,
            usage: Usage::default(),
            outcome: Unread,
            several: false,
            events: 0,
        };
        assert_eq!(tap.report(), expected, "{head}");
    }
}

/// It holds no pointer to memory of its own, so its size is all it takes.
#[test]
fn a_tap_is_small() {
    assert!(size_of::<paddock_wire::Tap>() <= 1024);
}
