//! Token counts of answers, which the runtime reads before it stops a child.

use super::harness::{Harness, expect, head, rest, run, send};
use paddock_admission::recent_answers::AnswerTokens;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// Shortened answers of llama-server b11434, and the counts that they state.
const ANSWERS: [(&str, &str, Option<[u32; 3]>); 13] = [
    (
        "/v1/chat/completions",
        r#"{"choices":[{"index":0}],"usage":{"completion_tokens":3,"prompt_tokens":30,"total_tokens":33,"prompt_tokens_details":{"cached_tokens":25}},"timings":{"cache_n":25,"prompt_n":5,"predicted_n":3}}"#,
        Some([30, 25, 3]),
    ),
    // Without `stream_options.include_usage`, the stream states only timings.
    (
        "/v1/chat/completions",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"im\"}}]}\n\ndata: {\"choices\":[{\"finish_reason\":\"length\",\"index\":0,\"delta\":{}}],\"timings\":{\"cache_n\":25,\"prompt_n\":5,\"prompt_ms\":93.307,\"predicted_n\":3,\"predicted_ms\":116.606}}\n\ndata: [DONE]\n\n",
        Some([30, 25, 3]),
    ),
    (
        "/v1/chat/completions",
        "data: {\"choices\":[],\"usage\":{\"completion_tokens\":3,\"prompt_tokens\":30,\"prompt_tokens_details\":{\"cached_tokens\":25}},\"timings\":{\"cache_n\":25,\"prompt_n\":5,\"predicted_n\":3}}\n\ndata: [DONE]\n\n",
        Some([30, 25, 3]),
    ),
    (
        "/v1/completions",
        "data: {\"choices\":[{\"text\":\"\",\"index\":0}],\"usage\":{\"completion_tokens\":3,\"prompt_tokens\":7,\"total_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":1}},\"timings\":{\"cache_n\":1,\"prompt_n\":6,\"predicted_n\":3}}\n\ndata: [DONE]\n\n",
        Some([7, 1, 3]),
    ),
    (
        "/completion",
        r#"{"index":0,"content":"x","stop":true,"tokens_predicted":3,"tokens_evaluated":7,"tokens_cached":9,"timings":{"cache_n":6,"prompt_n":1,"predicted_n":3}}"#,
        Some([7, 6, 3]),
    ),
    (
        "/completion",
        "data: {\"content\":\"x\",\"stop\":false,\"tokens_predicted\":1,\"tokens_evaluated\":7}\n\ndata: {\"content\":\"\",\"stop\":true,\"tokens_predicted\":3,\"tokens_evaluated\":7,\"tokens_cached\":9,\"timings\":{\"cache_n\":6,\"prompt_n\":1,\"predicted_n\":3}}\n\n",
        Some([7, 6, 3]),
    ),
    (
        "/v1/messages",
        r#"{"type":"message","usage":{"cache_read_input_tokens":25,"input_tokens":5,"output_tokens":3}}"#,
        Some([30, 25, 3]),
    ),
    (
        "/v1/messages",
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"cache_read_input_tokens\":25,\"input_tokens\":5,\"output_tokens\":0}}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":3}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        Some([30, 25, 3]),
    ),
    (
        "/v1/responses",
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":30,\"output_tokens\":3,\"total_tokens\":33,\"input_tokens_details\":{\"cached_tokens\":25}}},\"timings\":{\"cache_n\":25,\"prompt_n\":5,\"predicted_n\":3}}\n\n",
        Some([30, 25, 3]),
    ),
    // With several choices, the usage counts only one.
    (
        "/v1/chat/completions",
        r#"{"choices":[{"index":0},{"index":1}],"usage":{"completion_tokens":3,"prompt_tokens":30}}"#,
        None,
    ),
    (
        "/v1/embeddings",
        r#"{"data":[],"usage":{"prompt_tokens":30,"total_tokens":30}}"#,
        None,
    ),
    (
        "/v1/chat/completions",
        "data: {\"timings\":{\"cache_n\":25,\"prompt_n\":5,\"predicted_n\":3}}\n\ndata: {\"error\":{\"message\":\"no\"}}\n\n",
        None,
    ),
    // A body of two bytes cannot hold so many tokens.
    (
        "/completion",
        r#"{"stop":true,"tokens_predicted":3,"tokens_evaluated":70000}"#,
        None,
    ),
];

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

fn response_head(body: &str) -> String {
    let kind = match body.starts_with('{') {
        true => "application/json",
        false => "text/event-stream",
    };
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n")
}

/// Sends a request that reaches the child.
async fn send_request(harness: &Harness, path: &str) -> (UnixStream, UnixStream) {
    let mut upstream = harness.upstream();
    let mut client = harness.client();
    let request = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{{}}");
    send(&mut client, request).await;
    head(&mut upstream).await;
    expect(&mut upstream, b"{}").await;
    (client, upstream)
}

/// Sends an answer without its last chunk and returns after the client has received it.
async fn begin_response(harness: &Harness, body: &str) -> (UnixStream, UnixStream) {
    let (mut client, mut upstream) = send_request(harness, "/v1/chat/completions").await;
    send(&mut upstream, response_head(body) + &chunk(body)).await;
    head(&mut client).await;
    expect(&mut client, chunk(body).as_bytes()).await;
    (client, upstream)
}

fn tokens([prompt, cached, generated]: [u32; 3]) -> AnswerTokens {
    AnswerTokens {
        prompt,
        cached,
        generated,
    }
}

const STATED: &str =
    "data: {\"choices\":[],\"timings\":{\"cache_n\":25,\"prompt_n\":5,\"predicted_n\":3}}\n\n";

#[test]
fn the_counts_of_each_dialect_are_recorded() {
    for (path, body, expected) in ANSWERS {
        run(async move {
            let harness = Harness::new();
            let (mut client, mut upstream) = send_request(&harness, path).await;
            let rest = chunk(body) + "0\r\n\r\n";
            send(&mut upstream, response_head(body) + &rest).await;
            head(&mut client).await;
            expect(&mut client, rest.as_bytes()).await;
            let recorded = harness.model.answers.since(0);
            let expected: Vec<_> = expected.map(tokens).into_iter().collect();
            assert_eq!(recorded, expected, "{path} {body}");
        });
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_is_recorded_once() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = send_request(&harness, "/completion").await;
        let (_, body, expected) = ANSWERS[4];
        let head_ = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
        send(&mut upstream, format!("{head_}{body}")).await;
        drop(upstream);
        head(&mut client).await;
        assert_eq!(rest(&mut client).await, body.as_bytes());
        assert_eq!(harness.model.answers.since(0), [tokens(expected.unwrap())]);
    });
}

#[test]
fn counts_are_recorded_if_the_client_leaves_after_them() {
    run(async {
        let harness = Harness::new();
        let (client, mut upstream) = begin_response(&harness, STATED).await;
        assert_eq!(harness.model.answers.count(), 0);
        drop(client);
        upstream.read_to_end(&mut Vec::new()).await.unwrap();
        harness.records().await;
        assert_eq!(harness.model.answers.since(0), [tokens([30, 25, 3])]);
    });
}

#[test]
fn no_counts_are_recorded_if_the_client_leaves_before_them() {
    run(async {
        let harness = Harness::new();
        let (client, mut upstream) = begin_response(&harness, "data: {\"choices\":[]}\n\n").await;
        drop(client);
        upstream.read_to_end(&mut Vec::new()).await.unwrap();
        harness.records().await;
        assert_eq!(harness.model.answers.count(), 0);
    });
}

#[test]
fn no_counts_are_recorded_if_the_child_breaks_off_the_answer() {
    run(async {
        let harness = Harness::new();
        let (mut client, upstream) = begin_response(&harness, STATED).await;
        drop(upstream);
        rest(&mut client).await;
        assert_eq!(harness.model.answers.count(), 0);
    });
}
