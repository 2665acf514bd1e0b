//! An answer's body, read by the tap in pieces of several sizes.
#![no_main]

#[path = "../../tests/tap/mod.rs"]
mod tap;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tap::check(tap::EVENTS, bytes);
    tap::check(tap::JSON, bytes);
});
