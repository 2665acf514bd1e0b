//! Merges two arbitrary slot files. The merged file must have a valid structure and the tokens of the later file.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use paddock_contexts::{SlotFile, merge};

fuzz_target!(|files: (&[u8], &[u8])| {
    let (earlier, later) = files;
    let read = |bytes: &[u8]| SlotFile::read(Cursor::new(bytes), bytes.len() as u64);
    let (Ok(earlier_file), Ok(later_file)) = (read(earlier), read(later)) else {
        return;
    };
    let mut merged = Vec::new();
    let files = (
        (&earlier_file, Cursor::new(earlier)),
        (&later_file, Cursor::new(later)),
    );
    if merge(files.0, files.1, &mut merged).is_ok() {
        let walked = read(&merged).unwrap();
        assert_eq!(walked.tokens, later_file.tokens);
    }
});
