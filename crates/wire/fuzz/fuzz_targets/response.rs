//! Reads a response with paddock-wire and with hyper's client. The first byte selects the request's
//! method.
#![no_main]

#[path = "../../tests/differential/mod.rs"]
mod differential;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let [method, response @ ..] = bytes {
        differential::check_response(response, *method == b'H');
    }
});
