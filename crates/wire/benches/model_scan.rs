//! Measures the cost of finding the model, by the position of its name in the body.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use paddock_wire::{Body, Framing, ModelScan, ScanResult};
use std::hint::black_box;

const MIB: usize = 1 << 20;

/// The size of the pieces in which a body arrives.
const PIECE: usize = 64 * 1024;

fn long_string() -> String {
    let data = "aGVsbG8gd29ybGQ+".repeat(MIB / 16);
    format!(
        "{{\"messages\":[{{\"role\":\"user\",\"content\":[{{\"type\":\"image_url\",\
         \"image_url\":{{\"url\":\"data:image/png;base64,{data}\"}}}}]}}],\"model\":\"m\"}}"
    )
}

fn small_messages() -> String {
    let message = "{\"role\":\"user\",\"content\":\"Tell me, in a line or two, \
                   what a \\\"proxy\\\" does.\\nThank you!\"},";
    let messages = message.repeat(MIB / message.len());
    format!(
        "{{\"messages\":[{}],\"model\":\"m\"}}",
        messages.trim_end_matches(',')
    )
}

fn tokens() -> String {
    format!(
        "{{\"prompt\":[{}0],\"model\":\"m\"}}",
        "12345,".repeat(MIB / 6)
    )
}

fn at_the_head() -> String {
    format!("{{\"model\":\"gpt-oss-20b\",{}", &small_messages()[1..])
}

fn form() -> String {
    let part = |disposition: &str, content: &str| {
        format!("--bound\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
    };
    let file = "0123456789abcd\r\n".repeat(MIB / 16);
    part("name=\"file\"; filename=\"a.wav\"", &file) + &part("name=\"model\"", "m") + "--bound--"
}

fn find(mut scan: ModelScan, body: &[u8]) -> ScanResult {
    for piece in body.chunks(PIECE) {
        if scan.feed(piece) != ScanResult::More {
            break;
        }
    }
    scan.end()
}

fn find_chunked(mut scan: ModelScan, framed: &[u8]) -> ScanResult {
    let mut body = Body::new(Framing::Chunked);
    for piece in framed.chunks(PIECE) {
        let followed = body.follow_with(piece, |data| {
            scan.feed(data);
        });
        assert_eq!(followed, Ok(piece.len()));
    }
    scan.end()
}

fn in_chunks(body: &[u8]) -> Vec<u8> {
    let chunks = body
        .chunks(8192)
        .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    [chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("model_scan");
    let json = ModelScan::json;
    let head = at_the_head();
    group.bench_function("name at the head", |bencher| {
        bencher.iter(|| find(json(), black_box(head.as_bytes())));
    });
    for (name, body) in [
        ("one long string", long_string()),
        ("small messages", small_messages()),
        ("an array of numbers", tokens()),
    ] {
        assert_eq!(find(json(), body.as_bytes()), ScanResult::Found);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("name at the end", name), |bencher| {
            bencher.iter(|| find(json(), black_box(body.as_bytes())));
        });
    }
    let body = in_chunks(long_string().as_bytes());
    assert_eq!(find_chunked(json(), &body), ScanResult::Found);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("name at the end/one long string in chunks", |bencher| {
        bencher.iter(|| find_chunked(json(), black_box(&body)));
    });
    let body = form();
    let multipart = || ModelScan::for_content_type(Some(b"multipart/form-data; boundary=bound"));
    assert_eq!(find(multipart(), body.as_bytes()), ScanResult::Found);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("form, name behind a file", |bencher| {
        bencher.iter(|| find(multipart(), black_box(body.as_bytes())));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
