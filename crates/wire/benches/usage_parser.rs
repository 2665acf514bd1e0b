//! Measures the cost of the usage parser for a stream and for a document.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paddock_wire::{ResponseHead, UsageParser, UsageReport, Version};
use std::hint::black_box;

const EVENT: &str = "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\
    \" word\"}}],\"created\":1795561045,\"id\":\"chatcmpl-E0Ks9JRtZd4jVav0juqDVmNd5xR7yIzi\",\
    \"model\":\"gemma\",\"system_fingerprint\":\"b11434-release\",\"object\":\
    \"chat.completion.chunk\"}\n\n";

const LAST: &str = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":256,\"prompt_tokens\":26},\
    \"timings\":{\"cache_n\":21,\"prompt_n\":5,\"prompt_ms\":27.855,\"predicted_n\":256,\
    \"predicted_ms\":112.595}}\n\ndata: [DONE]\n\n";

/// Creates the parser for a response of this Content-Type.
fn parser(kind: &str) -> Option<UsageParser> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n");
    let head = ResponseHead::parse(head.as_bytes(), false, Version::Http11);
    head.ok().map(|head| UsageParser::for_response(&head))
}

fn pass(mut parser: UsageParser, pieces: &[&[u8]]) -> UsageReport {
    for piece in pieces {
        parser.feed(black_box(piece));
    }
    parser.report()
}

fn bench(criterion: &mut Criterion) {
    let (Some(events), Some(json)) = (parser("text/event-stream"), parser("application/json"))
    else {
        return;
    };
    let mut group = criterion.benchmark_group("parser");
    let stream = EVENT.repeat(256) + LAST;
    let stream = stream.as_bytes();
    let mut by_event: Vec<&[u8]> = vec![EVENT.as_bytes(); 256];
    by_event.push(LAST.as_bytes());
    let whole = [stream];
    let cut: Vec<&[u8]> = stream.chunks(100).collect();
    for (name, pieces) in [
        ("256 events at once", &whole[..]),
        ("256 events one by one", &by_event),
        ("256 events in pieces of 100 bytes", &cut),
    ] {
        assert_eq!(
            pass(events.clone(), pieces).usage.generated_tokens,
            Some(256)
        );
        group.throughput(Throughput::Elements(256));
        group.bench_function(name, |bencher| {
            bencher.iter(|| pass(black_box(&events).clone(), pieces));
        });
    }
    let numbers = "-0.01788727194070816,".repeat(64 * 1024 / 21);
    let text = "hello world, ".repeat(64 * 1024 / 13);
    for (name, body) in [
        (
            "64 KiB of embeddings",
            format!("{{\"a\":[{numbers}0],\"usage\":{{}}}}"),
        ),
        (
            "64 KiB of text",
            format!("{{\"a\":\"{text}\",\"usage\":{{}}}}"),
        ),
    ] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| pass(black_box(&json).clone(), &[body.as_bytes()]));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
