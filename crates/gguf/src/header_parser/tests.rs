use proptest::prelude::*;

use super::*;
use crate::builder::GgufBuilder;

fn sample() -> GgufBuilder {
    let strings = |n: usize| Value::Array(vec![Value::String("token".into()); n]);
    GgufBuilder::new("llama")
        .set("general.name", Value::String("Sample".into()))
        .set("llama.block_count", Value::U32(2))
        .set("llama.rope.freq_base", Value::F32(10_000.0))
        .set("llama.head_count_kv", Value::Array(vec![Value::I32(4); 2]))
        .set("tokenizer.ggml.tokens", strings(50))
        .set("tokenizer.ggml.add_bos", Value::Bool(true))
        .tensor("token_embd.weight", &[64, 8], GgmlType::F32)
        .tensor("blk.0.attn_q.weight", &[256, 3], GgmlType(12))
        .tensor("output_norm.weight", &[7], GgmlType::F16)
}

fn read(bytes: &[u8]) -> Result<Header, Error> {
    Header::read(bytes)
}

fn message(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn a_built_file_is_read_back() {
    for version in [2, 3] {
        let file = sample().version(version).build();
        let header = read(&file).unwrap();
        assert_eq!(header.version, version);
        assert_eq!(header.architecture(), Some("llama"));
        assert_eq!(
            header.get("llama.block_count").and_then(Value::as_u64),
            Some(2)
        );
        let heads = Value::Array(vec![Value::I32(4); 2]);
        assert_eq!(header.get("llama.head_count_kv"), Some(&heads));
        let tokens = Value::SkippedArray {
            of: ValueType::String,
            len: 50,
        };
        assert_eq!(header.get("tokenizer.ggml.tokens"), Some(&tokens));
        let sizes: Vec<_> = header.tensors.iter().map(|tensor| tensor.size).collect();
        assert_eq!(sizes, [Some(64 * 8 * 4), Some(3 * 144), Some(14)]);
        assert_eq!(header.tensors[1].ggml_type.name(), Some("Q4_K"));
        // The builder pads the last tensor to 32 bytes; only 14 are needed.
        assert_eq!(header.file_len, file.len() as u64 - 18);
    }
}

#[test]
fn data_follows_the_alignment() {
    let header = read(&sample().set("general.alignment", Value::U32(4096)).build()).unwrap();
    assert_eq!((header.alignment, header.data_offset), (4096, 4096));
    let wrong = sample().set("general.alignment", Value::U32(48)).build();
    assert_eq!(
        message(&wrong),
        "has an alignment of 48, which is not a power of two"
    );
    let wrong = sample().set("general.alignment", Value::U64(32)).build();
    assert_eq!(
        message(&wrong),
        "has metadata key `general.alignment` of type U64(32), but u32 is expected"
    );
}

#[test]
fn other_formats_are_recognized() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "is empty"),
        (b"GG", "is not a GGUF file: it begins with `GG`"),
        (
            b"\x7fELF\x02",
            "is not a GGUF file: it begins with `\\x7fELF`",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "is not a GGUF file: it is a Git LFS pointer; `git lfs pull` downloads the model",
        ),
        (
            b"<!DOCTYPE html>",
            "is not a GGUF file: it is a web page, so the download probably failed",
        ),
        (
            b"tjgg\x03\0\0\0",
            "is not a GGUF file: it uses an old ggml format, which llama.cpp no longer reads",
        ),
        (
            b"GGUF\0\0\0\x03",
            "is a big-endian GGUF file, which only big-endian machines can load",
        ),
        (
            b"GGUF\x01\0\0\0",
            "has GGUF version 1; versions 2 and 3 are supported",
        ),
        (
            b"GGUF\x03\0\0",
            "is truncated: it ends after 7 bytes, inside its header",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(message(bytes), expected);
    }
}

#[test]
fn absurd_counts_are_refused() {
    let mut file = sample().build();
    file[8..16].copy_from_slice(&(1u64 << 60).to_le_bytes());
    let expected = "claims a tensor count of 1152921504606846976; the limit is 65536";
    assert_eq!(message(&file), expected);
    let mut file = sample().build();
    file[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
    let expected = "claims a metadata key length of 18446744073709551615; the limit is 65535";
    assert_eq!(message(&file), expected);
}

#[test]
fn long_values_are_kept_as_their_length() {
    let long = Value::SkippedString {
        len: limits::MAX_KEPT_STRING_BYTES + 1,
    };
    let many = Value::SkippedArray {
        of: ValueType::F32,
        len: limits::MAX_KEPT_ARRAY_LEN + 1,
    };
    let builder = sample().set("long", long.clone()).set("many", many.clone());
    let header = read(&builder.build()).unwrap();
    assert_eq!(
        (header.get("long"), header.get("many")),
        (Some(&long), Some(&many))
    );
}

#[test]
fn kept_metadata_has_a_budget() {
    let text = Value::String("x".repeat(usize::try_from(limits::MAX_KEPT_STRING_BYTES).unwrap()));
    let kept =
        usize::try_from(limits::MAX_KEPT_METADATA_BYTES / limits::MAX_KEPT_STRING_BYTES).unwrap();
    let builder = (0..=kept).fold(sample(), |builder, n| {
        builder.set(&format!("text.{n:03}"), text.clone())
    });
    let header = read(&builder.build()).unwrap();
    let skipped = Value::SkippedString {
        len: limits::MAX_KEPT_STRING_BYTES,
    };
    assert_eq!(header.get("text.000"), Some(&text));
    assert_eq!(header.get(&format!("text.{kept:03}")), Some(&skipped));
}

#[test]
fn invalid_tensors_are_refused() {
    let empty = || GgufBuilder::new("llama");
    let row = empty().tensor("a", &[33], GgmlType(2)).build();
    assert_eq!(
        message(&row),
        "has tensor `a` with rows of 33 elements, which is not a multiple of 32"
    );
    let five = empty().tensor("a", &[1; 5], GgmlType::F32).build();
    assert_eq!(message(&five), "has tensor `a` with 5 dimensions");
    let huge = [1 << 40, 1 << 40];
    let huge = empty()
        .tensor_with("a", &huge, GgmlType::F32, vec![])
        .build();
    assert!(message(&huge).ends_with("elements, too large for any file"));
    let removed = empty().tensor("a", &[32], GgmlType(4)).build();
    assert!(message(&removed).contains("llama.cpp no longer reads"));
    let twice = empty()
        .tensor("a", &[8], GgmlType::F32)
        .tensor("a", &[8], GgmlType::F32);
    assert_eq!(message(&twice.build()), "contains the tensor `a` twice");
    let gap = empty()
        .tensor_with("a", &[8], GgmlType::F32, vec![0; 64])
        .tensor("b", &[8], GgmlType::F32);
    let expected = "has tensor `b` at offset 64 instead of 32";
    assert_eq!(message(&gap.build()), expected);
}

#[test]
fn an_unknown_tensor_type_has_no_size() {
    let file = GgufBuilder::new("llama")
        .tensor_with("new", &[8], GgmlType(999), vec![0; 100])
        .tensor("old", &[8], GgmlType::F32)
        .build();
    let header = read(&file).unwrap();
    assert_eq!(header.tensors[0].size, None);
    assert_eq!(header.file_len, header.data_offset + 128 + 32);
}

#[test]
fn nested_arrays_and_unknown_types_are_refused() {
    let nested = Value::SkippedArray {
        of: ValueType::Array,
        len: 1,
    };
    let file = sample().set("deep", nested).build();
    assert_eq!(
        message(&file),
        "has metadata key `deep` with an array of arrays"
    );
    let twice = sample().set("general.name", Value::U8(1)).build();
    assert_eq!(
        message(&twice),
        "contains the metadata key `general.name` twice"
    );
}

/// Returns an upper bound of the memory that a header holds.
fn memory_bound(header: &Header) -> usize {
    let value = |value: &Value| match value {
        Value::String(text) => text.capacity(),
        Value::Array(values) => values.capacity() * size_of::<Value>(),
        _ => 0,
    };
    let pairs = header.metadata.iter();
    let pairs: usize = pairs
        .map(|(key, kept)| key.capacity() + value(kept) + 64)
        .sum();
    let tensors = header.tensors.iter();
    let tensors: usize = tensors.map(|tensor| tensor.name.capacity() + 4 * 8).sum();
    pairs + tensors + header.tensors.capacity() * size_of::<Tensor>()
}

fn stays_bounded(bytes: &[u8]) {
    if let Ok(header) = read(bytes) {
        // One array byte becomes one `Value`, the most expensive case.
        assert!(memory_bound(&header) <= 4096 + 64 * bytes.len());
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        stays_bounded(&bytes);
        stays_bounded(&[b"GGUF\x03\0\0\0", &bytes[..]].concat());
    }

    #[test]
    fn mutated_headers_never_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<Option<proptest::sample::Index>>(),
    ) {
        let mut file = sample().build();
        for (place, byte) in changes {
            let place = place.index(file.len().min(900));
            file[place] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        stays_bounded(&file);
    }

    #[test]
    fn every_truncation_of_the_header_is_detected(cut in any::<proptest::sample::Index>()) {
        let file = sample().build();
        let table = usize::try_from(read(&file).unwrap().data_offset).unwrap() - 32;
        let cut = cut.index(table - 8) + 8;
        let told = matches!(read(&file[..cut]), Err(Error::HeaderTruncated(at)) if at == cut as u64);
        prop_assert!(told);
    }

    #[test]
    fn any_built_file_is_read_back(names in proptest::collection::btree_set("[a-z.]{1,20}", 0..20), rows in 1..9u64) {
        let start = GgufBuilder::new("any");
        let builder = names.iter().fold(start, |builder, name| {
            builder.set(&format!("k.{name}"), Value::U64(rows)).tensor(name, &[32, rows], GgmlType(24))
        });
        let header = read(&builder.build()).unwrap();
        prop_assert_eq!(header.tensors.len(), names.len());
        prop_assert_eq!(header.file_len, builder.build().len() as u64);
    }
}
