//! Reads a chunked body with paddock-wire, with hyper and with the naive reader.
#![no_main]

#[path = "../../tests/differential/mod.rs"]
mod differential;

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    differential::check(&[HEAD, bytes].concat());
});
