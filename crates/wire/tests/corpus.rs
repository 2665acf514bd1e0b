//! Reads every request of the tables, every file of the fuzzing corpus, and thousands of mutations
//! of both with this crate and with hyper, and compares the results.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod differential;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Number of mutations tried.
const MUTATION_COUNT: u64 = 20_000;

/// Fragments that are significant to a parser.
const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"#",
    b"?",
    b"*",
    b"/",
    b"\0",
    b"\x7f",
    b"\xff",
    b"0",
    b"5",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"1;a=b\r\nx\r\n",
    b"X: y\r\n",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"TE: trailers\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, x\r\n",
    b"Upgrade: x\r\n",
    b"Expect: 100-continue\r\n",
    b"chunked",
    b"identity",
    b"http://",
    b"https://b:80/",
    b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
];

fn files(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    std::fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect()
}

/// Returns the tables' requests and the corpus files, which are also the seeds for mutations.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let refused = table::REFUSED.iter().map(|(name, bytes, _)| (name, bytes));
    let waiting = table::WAITING.iter().map(|(name, bytes)| (name, bytes));
    let accepted = table::ACCEPTED.iter().map(|(name, bytes, _)| (name, bytes));
    let mut all: Vec<_> = refused
        .chain(waiting)
        .chain(accepted)
        .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
        .collect();
    all.extend(files("request_vs_hyper"));
    // Directory order differs between machines; a seed must reproduce the same run everywhere.
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}

/// Checks `bytes` and names the input on failure.
fn check(name: &str, bytes: &[u8]) {
    check_with(name, bytes, differential::check);
}

fn check_with(name: &str, bytes: &[u8], check: impl Fn(&[u8])) {
    // The panic has already printed the difference.
    let result = catch_unwind(AssertUnwindSafe(|| check(bytes)));
    assert!(result.is_ok(), "{name}: \"{}\"", bytes.escape_ascii());
}

#[test]
fn the_corpus_is_read_alike() {
    let corpus = corpus();
    assert!(corpus.len() >= 400);
    for (name, bytes) in corpus {
        check(&name, &bytes);
    }
}

/// Tries different mutations on each run; `SEED` repeats an earlier run.
#[test]
fn mutations_are_read_alike() {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("SEED={seed}");
    let corpus = corpus();
    let mut random = fastrand::Rng::with_seed(seed);
    for number in 0..MUTATION_COUNT {
        let bytes = mutation(&corpus, &mut random);
        check(&format!("SEED={seed}, mutation {number}"), &bytes);
    }
}

fn mutation(corpus: &[(String, Vec<u8>)], random: &mut fastrand::Rng) -> Vec<u8> {
    let any = |random: &mut fastrand::Rng| corpus[random.usize(..corpus.len())].1.clone();
    let mut bytes = any(random);
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(..=bytes.len());
        let len = random.usize(..=(bytes.len() - at).min(16));
        match random.u8(..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            1 if at < bytes.len() => bytes[at] = random.u8(..),
            2 => drop(bytes.drain(at..at + len)),
            3 => {
                let again = bytes[at..at + len].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let other = any(random);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[random.usize(..=other.len())..]);
            }
            5 => bytes.extend(any(random)),
            _ => {
                let token = TOKENS[random.usize(..TOKENS.len())];
                let replaced = if random.bool() { len } else { 0 };
                bytes.splice(at..at + replaced, token.iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn responses_are_read_alike() {
    for (name, bytes) in files("response") {
        check_with(&name, &bytes, |bytes| {
            if let [method, response @ ..] = bytes {
                differential::check_response(response, *method == b'H');
            }
        });
    }
}

#[test]
fn chunks_are_read_alike() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, bytes) in files("chunked") {
        check(&name, &[head, &bytes[..]].concat());
    }
}
