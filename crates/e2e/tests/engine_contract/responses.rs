//! Both engines answer each request of the tables alike.

use std::time::Duration;

use paddock_e2e::harness::{HttpResponse, get, now};
use serde_json::Value;

use crate::engine::{Engine, Kind};
use crate::requests::{self, Row, Same};
use crate::shape;

const FLAGS: [&str; 6] = ["--alias", "m", "-c", "2048", "-np", "2"];

/// Starts both engines with more flags and compares their responses row by row.
fn compare(flags: &[&str], rows: Vec<Row>) {
    let flags = [&FLAGS[..], flags].concat();
    let [stand_in, real] = Kind::BOTH.map(|kind| Engine::ready(kind, &flags));
    let mut differences = Vec::new();
    for (name, request, same) in rows {
        let line = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        if let Err(why) = compare_row(&stand_in, &real, &request, same) {
            differences.push(format!("{name} ({line:?}): {why}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn compare_row(stand_in: &Engine, real: &Engine, request: &[u8], same: Same) -> Result<(), String> {
    if let Same::Bytes = same {
        let [claimed, real] = [stand_in, real].map(|engine| {
            let mut connection = engine.connect();
            // The engine may refuse the rest of a request.
            let _ = connection.try_send(request);
            String::from_utf8_lossy(&connection.rest()).into_owned()
        });
        return equal(&claimed, &real);
    }
    if let Same::Events = same {
        return compare_events(&stream(stand_in, request)?, &stream(real, request)?);
    }
    let [claimed, real] = [stand_in, real].map(|engine| engine.ask(request));
    equal(&head(&claimed), &head(&real))?;
    match same {
        Same::Words(words) => {
            for answer in [&claimed, &real] {
                if !answer.text().contains(words) {
                    return Err(format!("no {words:?} in {answer:?}"));
                }
            }
            Ok(())
        }
        _ => same_shape(&claimed.json(), &real.json()),
    }
}

fn equal(claimed: &str, real: &str) -> Result<(), String> {
    if claimed == real {
        return Ok(());
    }
    Err(format!("real\n{real}\nstand-in\n{claimed}"))
}

fn same_shape(claimed: &Value, real: &Value) -> Result<(), String> {
    let differences = shape::differences(claimed, real);
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!("{differences:#?} in {real}"))
}

/// Returns a head without the length of its body and without a moment.
fn head(answer: &HttpResponse) -> String {
    let head = String::from_utf8_lossy(&answer.head.raw).into_owned();
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name @ ("Content-Length" | "Process-Start-Time-Unix"), _)) => name,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A streamed response: its head, and the text of each chunk.
struct Stream {
    head: String,
    chunks: Vec<String>,
}

/// Reads a streamed response to the end of its connection, which ends with the stream.
fn stream(engine: &Engine, request: &[u8]) -> Result<Stream, String> {
    let mut connection = engine.connect();
    connection.send(request);
    let text = String::from_utf8_lossy(&connection.rest()).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no head")?;
    let mut rest = body
        .strip_suffix("0\r\n\r\n")
        .ok_or_else(|| format!("no last chunk: {text}"))?;
    let mut chunks = Vec::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).map_err(|error| error.to_string())?;
        chunks.push(more[..size].to_owned());
        rest = more[size..].strip_prefix("\r\n").ok_or("a long chunk")?;
    }
    let head = head.to_owned();
    Ok(Stream { head, chunks })
}

fn compare_events(claimed: &Stream, real: &Stream) -> Result<(), String> {
    equal(&claimed.head, &real.head)?;
    if claimed.chunks.len() != real.chunks.len() {
        return Err(format!("{:#?}\n{:#?}", claimed.chunks, real.chunks));
    }
    for (claimed, real) in claimed.chunks.iter().zip(&real.chunks) {
        // Names, `[DONE]` and empty lines are the same; data have the same shape.
        equal(&without_data(claimed), &without_data(real))?;
        for (claimed, real) in data(claimed).zip(data(real)) {
            same_shape(&claimed, &real)?;
        }
    }
    Ok(())
}

fn without_data(chunk: &str) -> String {
    let lines = chunk.split('\n');
    let lines = lines.map(|line| {
        if line.starts_with("data: {") {
            "data"
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn data(chunk: &str) -> impl Iterator<Item = Value> {
    let data = chunk
        .lines()
        .filter_map(|line| line.strip_prefix("data: {"));
    data.map(|data| serde_json::from_str(&format!("{{{data}")).unwrap())
}

#[test]
fn responses_without_inference_are_the_same() {
    compare(&[], requests::plain());
}

#[test]
fn responses_of_the_model_have_the_same_shape() {
    compare(&[], requests::inference());
}

#[test]
fn responses_about_text_and_errors_have_the_same_shape() {
    compare(&[], requests::text());
}

#[test]
fn embeddings_and_metrics_have_the_same_shape() {
    compare(
        &["--embeddings", "--pooling", "mean", "--metrics"],
        requests::embeddings(),
    );
}

#[test]
fn the_prefix_is_before_every_route() {
    compare(&["--api-prefix", "/llm"], requests::prefixed());
}

#[test]
fn the_hundredth_response_ends_the_connection_and_five_idle_seconds_do() {
    let engines = Kind::BOTH.map(|kind| Engine::ready(kind, &FLAGS));
    for engine in &engines {
        let mut connection = engine.connect();
        for number in 1..=100 {
            let closes = connection.ask(get("/health")).head.closes();
            assert_eq!(closes, number == 100, "response {number}");
        }
        assert_eq!(connection.rest(), b"");
    }
    let mut idle = engines.each_ref().map(Engine::connect);
    let begun = now();
    for connection in &mut idle {
        connection.ask(get("/health"));
    }
    for connection in &mut idle {
        assert_eq!(connection.rest(), b"");
        let time = begun.elapsed();
        assert!(time > Duration::from_millis(4500), "{time:?}");
        assert!(time < Duration::from_secs(10), "{time:?}");
    }
}

#[test]
fn a_body_is_invited_if_the_client_waits_for_that_and_is_not_refused() {
    for kind in Kind::BOTH {
        let engine = Engine::ready(kind, &FLAGS);
        let expecting = |path| {
            format!("POST {path} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n")
        };
        let mut connection = engine.connect();
        connection.send(expecting("/tokenize"));
        assert_eq!(connection.head().raw, b"HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(connection.ask(r#"{"content":"a"}"#).status, 200);
        let mut connection = engine.connect();
        connection.send(expecting("/nope"));
        let refused = String::from_utf8_lossy(&connection.rest()).into_owned();
        assert!(refused.starts_with("HTTP/1.1 404 "), "{kind:?}: {refused}");
    }
}
