//! Finds the model of a body with this crate, in pieces of several sizes, and with `serde_json`.

use paddock_wire::{Body, Framing, MAX_MODEL_NAME, ModelScan, ScanResult};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The result of a scan, and the name it found.
pub(crate) type NamedModel = (ScanResult, Option<String>);

/// Scans a body in pieces whose sizes cycle through `sizes`.
pub(crate) fn scan(mut scan: ModelScan, body: &[u8], sizes: &[usize]) -> NamedModel {
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
        let said = scan.feed(piece);
        assert_eq!(scan.name().is_some(), said == ScanResult::Found);
        rest = after;
    }
    let said = scan.end();
    assert_ne!(said, ScanResult::More);
    (said, scan.name().map(str::to_owned))
}

/// Returns the result for the whole body, after checking that pieces give the same result.
pub(crate) fn scan_in_pieces(scanner: &ModelScan, body: &[u8]) -> NamedModel {
    let whole = scan(scanner.clone(), body, &[usize::MAX]);
    for sizes in [&[1][..], &[2], &[3, 1], &[7], &[64, 5]] {
        let pieces = scan(scanner.clone(), body, sizes);
        assert_eq!(pieces, whole, "in pieces of {sizes:?}");
    }
    whole
}

/// Scans the same body in chunks of one size, cut elsewhere in transit.
pub(crate) fn scan_chunked(
    scanner: &ModelScan,
    body: &[u8],
    chunk: usize,
    cut: usize,
) -> NamedModel {
    let mut framed = Vec::new();
    for chunk in body.chunks(chunk) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    let mut scanner = scanner.clone();
    let mut follower = Body::new(Framing::Chunked);
    for piece in framed.chunks(cut) {
        let taken = follower.follow_with(piece, |data| {
            scanner.feed(data);
        });
        assert_eq!(taken, Ok(piece.len()));
    }
    assert!(follower.is_complete());
    (scanner.end(), scanner.name().map(str::to_owned))
}

/// Returns the first top-level `model` as `serde_json` reads it; the outer `None` stands for
/// invalid input.
#[expect(clippy::option_option, reason = "no document, and no such member")]
pub(crate) fn first_model(body: &[u8]) -> Option<Option<Value>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut document = serde_json::Deserializer::from_slice(body);
    let found = serde::Deserializer::deserialize_map(&mut document, FirstModel).ok()?;
    document.end().ok()?;
    Some(found)
}

struct FirstModel;

impl<'de> Visitor<'de> for FirstModel {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut first = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "model" && first.is_none() {
                first = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(first)
    }
}

/// Returns the result that a scan must give if `serde_json` reads this value.
pub(crate) fn expected(model: Option<Value>) -> NamedModel {
    match model {
        None | Some(Value::Null) => (ScanResult::Absent, None),
        Some(Value::String(name)) if name.is_empty() => (ScanResult::Absent, None),
        Some(Value::String(name)) if name.len() > MAX_MODEL_NAME => (ScanResult::TooLong, None),
        Some(Value::String(name)) => (ScanResult::Found, Some(name)),
        Some(_) => (ScanResult::NotAString, None),
    }
}

/// Panics if the readings of a JSON body differ.
pub(crate) fn check_json(body: &[u8]) {
    let answer = scan_in_pieces(&ModelScan::json(), body);
    if let Some(model) = first_model(body) {
        assert_eq!(answer, expected(model));
    }
}

/// Panics if the readings of a form differ.
pub(crate) fn check_form(boundary: &[u8], body: &[u8]) {
    if let Some(scanner) = ModelScan::multipart(boundary) {
        scan_in_pieces(&scanner, body);
    }
}
