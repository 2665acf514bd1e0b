//! Feeds a response body to the usage parser in pieces of several sizes.
#![no_main]

#[path = "../../tests/usage/mod.rs"]
mod usage;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    usage::check(usage::EVENTS, bytes);
    usage::check(usage::JSON, bytes);
});
