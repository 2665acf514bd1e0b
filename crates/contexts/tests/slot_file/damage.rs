//! Damaged files: each truncation is refused, and no input causes a panic.

use std::io::Cursor;

use paddock_contexts::SlotFile;
use proptest::prelude::*;

use crate::read;
use paddock_contexts::builder::{Conversation, Shape};

fn sliding_window_and_recurrent() -> Vec<u8> {
    Conversation::new(30)
        .attention(0, 2, Shape::default())
        .attention(20, 2, Shape::default())
        .recurrent(6, 2)
        .write()
}

#[test]
fn each_truncation_is_refused() {
    let whole = sliding_window_and_recurrent();
    for len in 0..whole.len() {
        let cut = SlotFile::read(Cursor::new(&whole[..len]), whole.len() as u64);
        assert!(cut.is_err(), "cut at {len} of {}", whole.len());
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = sliding_window_and_recurrent();
    bytes.push(0);
    assert!(read(&bytes).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_bytes_cause_no_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = sliding_window_and_recurrent();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        if let Ok(file) = read(&bytes) {
            prop_assert!(file.tokens.len() * 4 <= bytes.len());
        }
    }

    #[test]
    fn random_memory_parts_cause_no_panic(memory in prop::collection::vec(any::<u32>(), 0..200), small in any::<bool>()) {
        let mut bytes = Conversation::new(3).write();
        for number in memory {
            let number = if small { number % 4 } else { number };
            bytes.extend(number.to_le_bytes());
        }
        let _ = read(&bytes);
    }
}
