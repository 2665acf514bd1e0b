//! Reads a client connection with paddock-wire and with hyper's server.
#![no_main]

#[path = "../../tests/differential/mod.rs"]
mod differential;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| differential::check(bytes));
