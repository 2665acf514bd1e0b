//! Model files on disk: whole, cut short, and not files at all.

use std::fs;
use std::path::Path;

use paddock_gguf::{Error, GgmlType, Value, inspect, write::Builder};

fn sample() -> Vec<u8> {
    Builder::new("llama")
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
fn what_is_not_a_file_is_refused() {
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
