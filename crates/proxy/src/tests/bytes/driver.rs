//! Plays the client and the upstream, and compares what each receives with what the other sent.

use super::super::harness::Harness;
use super::generate;
use super::message::Exchange;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use std::cell::RefCell;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::UnixStream;
use tokio::task::yield_now;

/// Line of a generated request id.
const NEW_ID: &[u8] = b"x-request-id: 01234567-01234567\r\n";

/// Exchanges on one connection of a client, up to the first that closes it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    exchanges: Vec<Exchange>,
    /// The client sends its next request before the response.
    pipelined: bool,
    client_cuts: Vec<usize>,
    upstream_cuts: Vec<usize>,
    /// Bytes that a client's connection holds before writes block.
    client_holds: usize,
    upstream_holds: usize,
}

impl Case {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let cuts = (generate::cuts(), generate::cuts());
        let holds = (generate::holds(), generate::holds());
        (vec(generate::exchange(), 1..4), any::<bool>(), cuts, holds).prop_map(
            |(exchanges, pipelined, (client_cuts, upstream_cuts), holds)| Self {
                client_holds: holds.0,
                upstream_holds: holds.1,
                exchanges,
                pipelined,
                client_cuts,
                upstream_cuts,
            },
        )
    }

    pub(super) async fn check(self) -> TestCaseResult {
        let harness = Harness::new();
        let upstream = harness.upstream_holding(self.upstream_holds);
        let client = harness.client_holding(self.client_holds);
        // Request id lines, as the upstream sees them.
        let ids = RefCell::new(Vec::new());
        tokio::try_join!(
            self.ask(client, &ids),
            self.answer(&harness, upstream, &ids)
        )?;
        Ok(())
    }

    /// Returns the exchanges that take place.
    fn served(&self) -> &[Exchange] {
        let last = self.exchanges.iter().position(Exchange::closes_client);
        &self.exchanges[..last.map_or(self.exchanges.len(), |last| last + 1)]
    }

    /// Plays the client.
    async fn ask(&self, client: UnixStream, ids: &RefCell<Vec<Vec<u8>>>) -> TestCaseResult {
        let (mut from, mut to) = split(client);
        if self.pipelined {
            let all = self.exchanges.iter().map(|exchange| exchange.ask.sent());
            let all: Vec<u8> = all.flatten().collect();
            let asking = async {
                // The proxy need not take bytes behind the last request.
                let _ = send(&mut to, &all, &self.client_cuts).await;
                Ok::<(), TestCaseError>(())
            };
            let reading = async {
                for (at, exchange) in self.served().iter().enumerate() {
                    expect_answer(&mut from, exchange, at, ids).await?;
                }
                Ok(())
            };
            tokio::try_join!(asking, reading)?;
        } else {
            for (at, exchange) in self.served().iter().enumerate() {
                let bytes = exchange.ask.sent();
                let asking = async {
                    let sent = send(&mut to, &bytes, &self.client_cuts).await;
                    sent.map_err(|error| TestCaseError::fail(format!("not taken: {error}")))
                };
                tokio::try_join!(asking, expect_answer(&mut from, exchange, at, ids))?;
            }
        }
        if self.served().iter().any(Exchange::closes_client) {
            let mut more = Vec::new();
            let end = from.read_to_end(&mut more).await;
            prop_assert!(end.is_ok(), "{end:?}");
            same("behind the last answer", b"", &more)?;
        }
        Ok(())
    }

    /// Plays the upstream.
    async fn answer(
        &self,
        harness: &Harness,
        mut upstream: UnixStream,
        ids: &RefCell<Vec<Vec<u8>>>,
    ) -> TestCaseResult {
        for exchange in self.served() {
            let (ask, answer) = (&exchange.ask, &exchange.answer);
            let id = expect_head(&mut upstream, &ask.arrives(), ask.id.is_none()).await?;
            let given = ask
                .id
                .as_ref()
                .map(|id| [b"x-request-id: ", &id.0[..], b"\r\n"].concat());
            ids.borrow_mut().push(given.unwrap_or(id));
            expect(&mut upstream, "the request's body", &ask.body.framed.0).await?;
            // Pooled before the next request looks for a connection.
            let next = exchange
                .closes_upstream()
                .then(|| harness.upstream_holding(self.upstream_holds));
            for interim in &exchange.interims {
                send(&mut upstream, &interim.sent(), &self.upstream_cuts).await?;
            }
            send(&mut upstream, &answer.sent(ask), &self.upstream_cuts).await?;
            if let Some(next) = next {
                let old = std::mem::replace(&mut upstream, next);
                end(old, answer.ends_with_connection(ask)).await?;
            }
        }
        Ok(())
    }
}

/// Ends a connection that serves no more, and checks that nothing else was sent on it.
async fn end(mut upstream: UnixStream, first: bool) -> TestCaseResult {
    if first {
        upstream.shutdown().await?;
    }
    let mut more = Vec::new();
    upstream.read_to_end(&mut more).await?;
    same("behind the last request", b"", &more)
}

async fn expect_answer(
    from: &mut (impl AsyncRead + Unpin),
    exchange: &Exchange,
    at: usize,
    ids: &RefCell<Vec<Vec<u8>>>,
) -> TestCaseResult {
    let (ask, answer) = (&exchange.ask, &exchange.answer);
    for interim in &exchange.interims {
        expect(from, "an interim answer", &interim.arrives(ask.is_10)).await?;
    }
    let first = from.read_u8().await?;
    let mut head = answer.arrives(ask);
    if !answer.has_id {
        head.extend(ids.borrow().get(at).cloned().unwrap_or_default());
    }
    if exchange.closes_client() {
        head.extend(b"Connection: close\r\n");
    }
    head.extend(b"\r\n");
    let head = [&head[..], answer.body(ask)].concat();
    expect_behind(from, "the answer", vec![first], &head).await
}

/// Reads a head up to the added lines, and returns the added line.
async fn expect_head(
    from: &mut (impl AsyncRead + Unpin),
    expected: &[u8],
    named: bool,
) -> Result<Vec<u8>, TestCaseError> {
    expect(from, "the request's head", expected).await?;
    let mut id = Vec::new();
    if named {
        id = vec![0; NEW_ID.len()];
        from.read_exact(&mut id).await?;
        same("the added line", &shape(NEW_ID), &shape(&id))?;
    }
    expect(from, "the end of the request's head", b"\r\n").await?;
    Ok(id)
}

/// Replaces every hexadecimal digit by a zero.
fn shape(line: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    line.iter()
        .map(|byte| if digit(byte) { b'0' } else { *byte })
        .collect()
}

async fn expect(
    from: &mut (impl AsyncRead + Unpin),
    what: &str,
    expected: &[u8],
) -> TestCaseResult {
    expect_behind(from, what, Vec::new(), expected).await
}

/// Reads as many bytes as are expected; `got` holds the first of them.
async fn expect_behind(
    from: &mut (impl AsyncRead + Unpin),
    what: &str,
    mut got: Vec<u8>,
    expected: &[u8],
) -> TestCaseResult {
    let left = expected.len().saturating_sub(got.len());
    from.take(left as u64).read_to_end(&mut got).await?;
    same(what, expected, &got)
}

/// Compares two texts, and reports where they differ.
fn same(what: &str, expected: &[u8], got: &[u8]) -> TestCaseResult {
    if expected == got {
        return Ok(());
    }
    let same = expected
        .iter()
        .zip(got)
        .take_while(|(one, other)| one == other)
        .count();
    let from = same.saturating_sub(100);
    let show = |bytes: &[u8]| {
        let end = bytes.len().min(same + 200);
        bytes[from.min(end)..end].escape_ascii().to_string()
    };
    Err(TestCaseError::fail(format!(
        "{what} differs behind byte {same}\nexpected …{}\n     got …{}",
        show(expected),
        show(got),
    )))
}

/// Sends bytes in pieces, and lets the other side take each before the next.
async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    cuts: &[usize],
) -> std::io::Result<()> {
    // Limits the number of pieces of large bodies.
    let least = bytes.len() / 500;
    for cut in cuts.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*cut).max(least).min(bytes.len()));
        to.write_all(piece).await?;
        yield_now().await;
        bytes = rest;
    }
    Ok(())
}
