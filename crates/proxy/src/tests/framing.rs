//! Every way in which a response may state its body: the client gets a well-framed one, and the upstream's
//! connection serves another request only if no byte of this response can still come.

use super::harness::{GENERATION, Harness, expect, head, run, send};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

const GET: &str = "GET /props HTTP/1.1\r\nHost: h\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Nothing,
    Empty,
    Length,
    Chunked,
}

impl Framing {
    fn fields(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Empty => "Content-Length: 0\r\n",
            Self::Length => "Content-Length: 4\r\n",
            Self::Chunked => "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
        }
    }

    /// Returns the body as sent, and its data.
    fn body(self) -> (&'static str, &'static str) {
        match self {
            Self::Nothing => ("till the end", "till the end"),
            Self::Empty => ("", ""),
            Self::Length => ("body", "body"),
            Self::Chunked => ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Case {
    status: u16,
    method: &'static str,
    framing: Framing,
    upstream: char,
    client: char,
    close: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let framings = [
            Framing::Nothing,
            Framing::Empty,
            Framing::Length,
            Framing::Chunked,
        ];
        let all = [200, 204, 205, 304, 404, 503]
            .into_iter()
            .flat_map(|status| ["GET", "HEAD", "POST"].map(|method| (status, method)));
        let all = all.flat_map(move |(status, method)| framings.map(|by| (status, method, by)));
        let all = all.flat_map(|case| ["11", "01", "10", "00"].map(|versions| (case, versions)));
        let all = all.flat_map(|case| [false, true].map(|close| (case, close)));
        all.map(|(((status, method, framing), versions), close)| Self {
            status,
            method,
            framing,
            upstream: if versions.starts_with('1') { '1' } else { '0' },
            client: if versions.ends_with('1') { '1' } else { '0' },
            close,
        })
        // HTTP/1.0 responses in chunks are refused.
        .filter(|case| case.upstream == '1' || case.framing != Framing::Chunked || !case.has_body())
    }

    fn has_body(&self) -> bool {
        self.method != "HEAD" && !matches!(self.status, 204 | 304)
    }

    /// Returns true if bytes of this response may follow its end.
    fn may_leave_bytes(&self) -> bool {
        let announces = match self.framing {
            Framing::Chunked => true,
            Framing::Length => self.status == 204,
            Framing::Nothing | Framing::Empty => false,
        };
        announces && !self.has_body()
    }

    fn leaves_upstream_reusable(&self) -> bool {
        let ends_with_connection = self.has_body() && self.framing == Framing::Nothing;
        self.upstream == '1' && !self.close && !self.may_leave_bytes() && !ends_with_connection
    }

    async fn check(self) {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        let Self {
            method,
            client: version,
            ..
        } = self;
        let asks = format!("{method} / HTTP/1.{version}\r\nHost: h\r\n");
        let length = if method == "POST" {
            "Content-Length: 0\r\n"
        } else {
            ""
        };
        send(&mut client, format!("{asks}{length}\r\n")).await;
        head(&mut upstream).await;
        let close = if self.close {
            "Connection: close\r\n"
        } else {
            ""
        };
        let first = format!("HTTP/1.{} {} X\r\n", self.upstream, self.status);
        let fields = self.framing.fields();
        send(&mut upstream, format!("{first}{fields}{close}\r\n")).await;
        let (body, data) = self.framing.body();
        if self.has_body() {
            send(&mut upstream, body).await;
        }
        // The client may have closed already.
        let mut dead = None;
        if self.close || (self.has_body() && self.framing == Framing::Nothing) {
            drop(upstream);
        } else {
            dead = Some(upstream);
        }
        let answer = head(&mut client).await;
        let read = received(&mut client, self.method, self.status, &answer).await;
        assert_eq!(
            read,
            if self.has_body() { data } else { "" },
            "{self:?}: {answer}"
        );
        let is_reused = harness
            .worker
            .upstreams
            .take(
                harness.model.id,
                GENERATION,
                true,
                Instant::now(),
                &harness.worker.pool,
            )
            .is_some();
        assert_eq!(is_reused, self.leaves_upstream_reusable(), "{self:?}");
        drop(dead);
        if answer.contains("Connection: close\r\n") {
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "{self:?}");
            return;
        }
        let mut upstream = harness.upstream();
        send(&mut client, GET).await;
        head(&mut upstream).await;
        send(
            &mut upstream,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        )
        .await;
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{self:?}: {answer}");
        expect(&mut client, b"ok").await;
    }
}

/// Reads a body as its head says (RFC 9112 §6.3).
async fn received(client: &mut UnixStream, method: &str, status: u16, head: &str) -> String {
    let lower = head.to_ascii_lowercase();
    if status == 204 {
        let misleads = ["transfer-encoding:", "content-length: 4", "trailer:"];
        assert!(
            !misleads.iter().any(|field| lower.contains(field)),
            "{head}"
        );
    }
    let mut body = Vec::new();
    if method == "HEAD" || matches!(status, 204 | 304) {
        // No body, whatever the fields say.
    } else if lower.contains("transfer-encoding: chunked") {
        while !body.ends_with(b"0\r\n\r\n") {
            body.push(client.read_u8().await.unwrap());
        }
        let text = String::from_utf8(body).unwrap();
        let data = text.strip_prefix("3\r\n").unwrap();
        return data.strip_suffix("\r\n0\r\n\r\n").unwrap().to_owned();
    } else if let Some((_, rest)) = lower.split_once("content-length: ") {
        let length: usize = rest.split("\r\n").next().unwrap().parse().unwrap();
        body.resize(length, 0);
        client.read_exact(&mut body).await.unwrap();
    } else {
        assert!(lower.contains("connection: close"), "no end: {head}");
        client.read_to_end(&mut body).await.unwrap();
    }
    String::from_utf8(body).unwrap()
}

#[test]
fn every_answer_is_well_framed_and_leaves_no_bytes_to_another() {
    run(async {
        for case in Case::all() {
            let limit = Duration::from_secs(20);
            let ends = timeout(limit, case.check()).await;
            assert!(ends.is_ok(), "it does not come to an end: {case:?}");
        }
    });
}

/// llama-server passes on the framing of a response that it fetched (llama.cpp b11434, `/cors-proxy`).
#[test]
fn the_end_of_a_body_that_cannot_be_there_reaches_no_other_request() {
    run(async {
        for (late, status) in [(false, 204), (true, 204), (false, 304), (true, 304)] {
            let harness = Harness::new();
            let mut upstream = harness.upstream();
            let mut client = harness.client();
            send(&mut client, GET).await;
            head(&mut upstream).await;
            let answer = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n");
            send(&mut upstream, &answer).await;
            if !late {
                send(&mut upstream, "0\r\n\r\n").await;
            }
            let got = head(&mut client).await;
            assert_eq!(got.contains("Transfer-Encoding"), status == 304, "{got}");
            let mut fresh = harness.upstream();
            send(&mut client, GET).await;
            head(&mut fresh).await;
            send(&mut fresh, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            let got = head(&mut client).await;
            assert!(got.starts_with("HTTP/1.1 200 "), "{got}");
            expect(&mut client, b"ok").await;
        }
    });
}

#[test]
fn an_interim_answer_announces_no_body() {
    run(async {
        for fields in ["Transfer-Encoding: chunked\r\n", "Content-Length: 4\r\n"] {
            let harness = Harness::new();
            let mut upstream = harness.upstream();
            let mut client = harness.client();
            send(&mut client, GET).await;
            head(&mut upstream).await;
            let interim = format!("HTTP/1.1 103 Early Hints\r\n{fields}Link: </a>\r\n\r\n");
            send(&mut upstream, interim).await;
            expect(
                &mut client,
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            )
            .await;
            send(
                &mut upstream,
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            )
            .await;
            head(&mut client).await;
            expect(&mut client, b"ok").await;
            assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0, "kept: {fields}");
        }
    });
}
