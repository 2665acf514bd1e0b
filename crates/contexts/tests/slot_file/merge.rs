//! Merges the sliding windows of two files of one conversation.

use std::io::Cursor;

use paddock_contexts::{MemoryPart, MergeError, merge};

use crate::read;
use paddock_contexts::builder::{Conversation, Part, Shape};

const WINDOW: u32 = 16;

/// Returns a conversation of a sliding-window model in the second of two streams. The cells of the window are rotated,
/// as in the ring buffer of a real cache.
fn sliding_window(len: u32) -> Conversation {
    let shape = Shape {
        streams: 2,
        stream: 1,
        ..Shape::default()
    };
    let mut conversation = Conversation::new(len).attention(0, 2, shape).attention(
        len.saturating_sub(WINDOW),
        3,
        shape,
    );
    if let Some(Part::Attention { positions, .. }) = conversation.parts.last_mut() {
        positions.rotate_left(5);
    }
    conversation
}

fn merged(earlier: &Conversation, later: &Conversation) -> Result<Vec<u8>, MergeError> {
    let (earlier, later) = (earlier.write(), later.write());
    let files = [&earlier, &later].map(|bytes| read(bytes).unwrap());
    let mut output = Vec::new();
    merge(
        (&files[0], Cursor::new(&earlier)),
        (&files[1], Cursor::new(&later)),
        &mut output,
    )?;
    Ok(output)
}

#[test]
fn a_merged_file_has_the_cells_of_both_files() {
    let (earlier, later) = (sliding_window(37), sliding_window(50));
    let mut expected = later.clone();
    let (Part::Attention { positions: old, .. }, Part::Attention { positions: all, .. }) =
        (&earlier.parts[1], &mut expected.parts[1])
    else {
        unreachable!()
    };
    let extra = old.iter().filter(|position| **position < 50 - WINDOW);
    *all = extra.chain(all.iter()).copied().collect();
    let output = merged(&earlier, &later).unwrap();
    assert!(
        output == expected.write(),
        "the merged file differs from the file that llama.cpp would write"
    );
    let file = read(&output).unwrap();
    assert_eq!(file.tokens, later.tokens);
    let MemoryPart::Attention(window) = &file.parts[1] else {
        panic!("{:?}", file.parts[1])
    };
    assert_eq!(window.first_position(), 37 - WINDOW);
}

#[test]
fn a_conversation_within_the_window_is_copied_unchanged() {
    let (earlier, later) = (sliding_window(10), sliding_window(WINDOW));
    assert!(merged(&earlier, &later).unwrap() == later.write());
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let later = sliding_window(50);
    let mut other = sliding_window(40);
    other.tokens[39] = 1;
    let mut more_layers = sliding_window(40);
    if let Part::Attention { layers, .. } = &mut more_layers.parts[1] {
        *layers += 1;
    }
    let transposed = |len: u32| {
        let mut conversation = sliding_window(len);
        for part in &mut conversation.parts {
            if let Part::Attention { shape, .. } = part {
                shape.is_transposed = true;
            }
        }
        conversation
    };
    let cases = [
        (
            "another conversation",
            other,
            later.clone(),
            "OtherConversation",
        ),
        (
            "the same file",
            later.clone(),
            later.clone(),
            "OtherConversation",
        ),
        ("other layers", more_layers, later.clone(), "OtherStructure"),
        ("a gap of one cell", sliding_window(33), later, "Gap"),
        ("transposed", transposed(40), transposed(50), "Transposed"),
    ];
    for (name, earlier, later, error) in cases {
        let found = format!("{:?}", merged(&earlier, &later).unwrap_err());
        assert_eq!(found, error, "{name}");
    }
}
