//! An answer, read by paddock-wire and by hyper's client. The first byte says what was asked.
#![no_main]

#[path = "../../tests/differential/mod.rs"]
mod differential;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let [asked, answer @ ..] = bytes {
        differential::check_answer(answer, *asked == b'H');
    }
});
