//! A body, scanned for its model in pieces of several sizes; as JSON, by serde too.
#![no_main]

#[path = "../../tests/scan/mod.rs"]
mod scan;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    scan::check_json(bytes);
    scan::check_form(b"b", bytes);
});
