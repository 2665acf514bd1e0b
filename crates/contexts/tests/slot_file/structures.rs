//! Each structure that llama.cpp writes is accepted.

use paddock_contexts::{MemoryPart, SlotFile, SlotFileError};

use crate::read;
use paddock_contexts::builder::{Conversation, Shape};

/// Describes each part of a file in one line.
fn summary(file: &SlotFile) -> Vec<String> {
    file.parts
        .iter()
        .map(|part| match part {
            MemoryPart::Attention(cells) => format!(
                "{} cells from {} in {} layers, {} tensors",
                cells.records.len(),
                cells.first_position(),
                cells.layer_count,
                cells.tensors.len()
            ),
            MemoryPart::Recurrent(state) => format!("{} state tensors", state.tensors.len()),
        })
        .collect()
}

#[test]
fn every_structure_is_accepted() {
    let shape = Shape::default();
    let full = "40 cells from 0 in 3 layers, 6 tensors";
    let cases = [
        (
            "full attention",
            Conversation::new(40).attention(0, 3, shape),
            vec![full],
        ),
        (
            "plain token list of older versions",
            Conversation {
                is_packed: false,
                ..Conversation::new(40).attention(0, 3, shape)
            },
            vec![full],
        ),
        (
            "the second of four streams",
            Conversation::new(40).attention(
                0,
                3,
                Shape {
                    streams: 4,
                    stream: 1,
                    ..shape
                },
            ),
            vec![full],
        ),
        (
            "transposed values",
            Conversation::new(40).attention(
                0,
                3,
                Shape {
                    is_transposed: true,
                    ..shape
                },
            ),
            vec![full],
        ),
        (
            "cell extension",
            Conversation::new(40).attention(
                0,
                3,
                Shape {
                    has_extension: true,
                    ..shape
                },
            ),
            vec![full],
        ),
        (
            "no value tensors",
            Conversation::new(40).attention(
                0,
                3,
                Shape {
                    has_values: false,
                    ..shape
                },
            ),
            vec!["40 cells from 0 in 3 layers, 3 tensors"],
        ),
        (
            "sliding window",
            Conversation::new(40)
                .attention(0, 3, shape)
                .attention(24, 9, shape),
            vec![full, "16 cells from 24 in 9 layers, 18 tensors"],
        ),
        (
            "recurrent",
            Conversation::new(40).recurrent(8, 8),
            vec!["16 state tensors"],
        ),
        (
            "hybrid",
            Conversation::new(40).attention(0, 3, shape).recurrent(8, 5),
            vec![full, "10 state tensors"],
        ),
        (
            "hybrid with a sliding window",
            Conversation::new(40)
                .attention(0, 3, shape)
                .attention(24, 9, shape)
                .recurrent(20, 8),
            vec![
                full,
                "16 cells from 24 in 9 layers, 18 tensors",
                "16 state tensors",
            ],
        ),
    ];
    for (name, conversation, parts) in cases {
        let file = read(&conversation.write()).expect(name);
        assert_eq!(file.tokens, conversation.tokens, "{name}");
        assert_eq!(summary(&file), parts, "{name}");
    }
}

#[test]
fn tokens_without_cells_are_refused() {
    let shape = Shape::default();
    let mut ahead = Conversation::new(40).attention(0, 3, shape);
    ahead.tokens.push(7);
    let mut gap = Conversation::new(40);
    gap.parts = Conversation::new(39).attention(0, 3, shape).parts;
    for (name, conversation) in [
        ("one token more than cells", ahead),
        ("cells of 39 tokens for 40 tokens", gap),
        ("no memory at all", Conversation::new(40)),
    ] {
        let error = read(&conversation.write()).unwrap_err();
        assert!(
            matches!(error, SlotFileError::UnknownStructure { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn images_are_refused() {
    let conversation = Conversation::new(40).attention(0, 3, Shape::default());
    let mut bytes = conversation.write();
    let media_count = 12 + 3 * 4 + 40 * 4;
    bytes[media_count] = 1;
    let error = read(&bytes).unwrap_err();
    assert!(matches!(error, SlotFileError::Media), "{error}");
}

#[test]
fn other_formats_are_refused() {
    let conversation = Conversation::new(40).attention(0, 3, Shape::default());
    for byte in [0, 4] {
        let mut bytes = conversation.write();
        bytes[byte] += 1;
        let error = read(&bytes).unwrap_err();
        assert!(
            matches!(error, SlotFileError::UnknownVersion { .. }),
            "{error}"
        );
    }
}

/// The short convolutions of LFM2 keep only their last inputs, so their state tensors are empty (llama.cpp b11434).
#[test]
fn empty_state_tensors_are_accepted() {
    let mut bytes = Conversation::new(3).write();
    let put = |bytes: &mut Vec<u8>, numbers: &[u32]| {
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    };
    // One cell at position 2; of the six layers of the model, one has state.
    put(&mut bytes, &[1, 2, 0, 0, 6]);
    put(&mut bytes, &[0, 8, 0, 7, 7]);
    put(&mut bytes, &[0, 0, 0]);
    let file = read(&bytes).unwrap();
    assert_eq!(summary(&file), ["2 state tensors"]);
}
