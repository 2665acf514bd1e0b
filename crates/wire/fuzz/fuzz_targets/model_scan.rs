//! Scans a body for its model in pieces of several sizes; for JSON, compares with serde.
#![no_main]

#[path = "../../tests/scan/mod.rs"]
mod scan;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    scan::check_json(bytes);
    scan::check_form(b"b", bytes);
});
