//! Reads arbitrary bytes as a slot file. If a file is accepted, the same file with a byte less or more must be refused.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use paddock_contexts::SlotFile;

fuzz_target!(|bytes: &[u8]| {
    let len = bytes.len() as u64;
    let Ok(file) = SlotFile::read(Cursor::new(bytes), len) else {
        return;
    };
    assert!(file.tokens.len() * 4 <= bytes.len());
    let shorter = &bytes[..bytes.len() - 1];
    assert!(SlotFile::read(Cursor::new(shorter), len - 1).is_err());
    let longer = [bytes, &[0]].concat();
    assert!(SlotFile::read(Cursor::new(longer), len + 1).is_err());
});
