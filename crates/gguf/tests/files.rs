//! Model files on disk: complete, truncated, and paths that are not regular files.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use paddock_gguf::{
    Error, GgmlType, Value, ValueType, builder::GgufBuilder, inspect, inspect_parts,
};

fn sample() -> Vec<u8> {
    GgufBuilder::new("llama")
        .set("split.count", Value::U16(3))
        .set("split.no", Value::U16(0))
        .tensor("token_embd.weight", &[64, 8], GgmlType::F32)
        .build()
}

#[test]
fn a_whole_file_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a-00001-of-00003.gguf");
    fs::write(&path, sample()).unwrap();
    let header = inspect(&path).unwrap();
    let split = header.split().unwrap();
    assert_eq!((split.index, split.count), (0, 3));
}

#[test]
fn a_file_cut_in_its_data_says_how_much_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut.gguf");
    let whole = sample();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    match inspect(&path).unwrap_err() {
        Error::Truncated { needs, has } => {
            assert_eq!((needs, has), (whole.len() as u64, whole.len() as u64 - 1));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn paths_other_than_regular_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = inspect(directory.path()).unwrap_err();
    assert_eq!(error.to_string(), "is a directory, not a regular file");
    let error = inspect(Path::new("/dev/null")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "is a device, pipe or socket, not a regular file"
    );
    let error = inspect(&directory.path().join("none.gguf")).unwrap_err();
    assert!(matches!(error, Error::Io(_)));
}

#[test]
fn a_file_of_fifty_gigabytes_is_read_at_once() {
    const DATA: u64 = 50_000_000_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.gguf");
    let vocabulary = Value::SkippedArray {
        of: ValueType::String,
        len: 262_144,
    };
    let mut builder = GgufBuilder::new("llama").set("tokenizer.ggml.tokens", vocabulary);
    for layer in 0..2000 {
        builder = builder.tensor(
            &format!("blk.{layer}.attn_norm.weight"),
            &[8],
            GgmlType::F32,
        );
    }
    // Only the last tensors may lack their data.
    let rows = DATA / 2 / 4096;
    builder = builder.tensor_with("output.weight", &[4096, rows], GgmlType::F16, Vec::new());
    let mut file = File::create(&path).unwrap();
    file.write_all(&builder.build()).unwrap();
    file.set_len(DATA + 10_000_000).unwrap();

    #[expect(clippy::disallowed_methods, reason = "real work takes real time")]
    let started = Instant::now();
    let header = inspect(&path).unwrap();
    let took = started.elapsed();
    assert_eq!(header.tensors.len(), 2001);
    assert_eq!(header.tensors[2000].size, Some(rows * 8192));
    // Tens of milliseconds even unoptimized; the rest is for a busy machine.
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn all_parts_are_read_from_any_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = |number: u8| {
        directory
            .path()
            .join(format!("a-0000{number}-of-00003.gguf"))
    };
    for number in 1..=3u8 {
        let part = GgufBuilder::new("llama")
            .set("split.count", Value::U16(3))
            .set("split.no", Value::U16(u16::from(number) - 1))
            .tensor(&format!("blk.{number}.t"), &[64, 8], GgmlType::F32);
        fs::write(path(number), part.build()).unwrap();
    }
    for number in [1, 3] {
        let parts = inspect_parts(&path(number)).unwrap();
        let names = parts.iter().map(|part| part.tensors[0].name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["blk.1.t", "blk.2.t", "blk.3.t"]);
    }
    fs::remove_file(path(2)).unwrap();
    let error = inspect_parts(&path(1)).unwrap_err();
    assert_eq!(error.path, path(2));
    assert!(matches!(error.error, Error::Io(_)));
    // Under another name neither llama.cpp nor paddock finds the other parts.
    fs::rename(path(3), directory.path().join("b.gguf")).unwrap();
    assert_eq!(
        inspect_parts(&directory.path().join("b.gguf"))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn absurdly_many_parts_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a-00001-of-60000.gguf");
    let part = GgufBuilder::new("llama").set("split.count", Value::U16(60_000));
    fs::write(&path, part.build()).unwrap();
    let error = inspect_parts(&path).unwrap_err();
    let expected = "claims a number of parts of 60000; the limit is 1024";
    assert_eq!(error.error.to_string(), expected);
}
