//! `paddock inspect`: what it prints and how it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use paddock_gguf::{GgmlType, Value, builder::GgufBuilder};
use tempfile::TempDir;

/// Runs `paddock inspect` in a directory; returns its exit code, standard output and standard error.
fn inspect(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paddock"));
    command.arg("inspect").args(args).current_dir(directory);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn model() -> GgufBuilder {
    GgufBuilder::new("llama")
        .set(
            "general.name",
            Value::String("A \u{1b}[31mmodel".to_owned()),
        )
        .set("general.size_label", Value::String("2M".to_owned()))
        .set("general.file_type", Value::U32(1))
        .set("llama.block_count", Value::U32(2))
        .set("llama.context_length", Value::U32(4096))
        .set("llama.embedding_length", Value::U32(256))
        .set("llama.feed_forward_length", Value::U32(512))
        .set("llama.attention.head_count", Value::U32(4))
        .set("llama.attention.head_count_kv", Value::U32(2))
        .set("llama.vocab_size", Value::U32(2048))
        .tensor("token_embd.weight", &[256, 2048], GgmlType::F16)
        .tensor("blk.0.ffn_up.weight", &[256, 2048], GgmlType::F16)
        .tensor("blk.1.ffn_up.weight", &[256, 2048], GgmlType::F16)
}

fn place(name: &str, file: &GgufBuilder) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), file.build()).unwrap();
    directory
}

#[test]
fn a_model_is_described_with_its_memory() {
    let directory = place("m.gguf", &model());
    let (code, out, error) = inspect(directory.path(), &["m.gguf"]);
    let expected = "file          m.gguf
file size     3.0 MiB
architecture  llama
name          A \u{fffd}[31mmodel
size label    2M
quantization  F16
parameters    1.6 million
layers        2
context       4096
memory        for 4096 tokens, 1 slot, f16 cache
  weights     3.0 MiB
  cache       4.0 MiB
  compute     9.5 MiB (estimated)
  total       16.5 MiB
  plus        a prompt cache, limited by the RAM budget (--cache-ram)
";
    assert_eq!((code, out.as_str(), error.as_str()), (0, expected, ""));
}

#[test]
fn flags_change_what_it_is_predicted_for() {
    let directory = place("m.gguf", &model());
    let flags = "m.gguf --context 8192 --parallel 2 --cache-type-k q8_0 --cache-type-v q4_0";
    let flags: Vec<&str> = flags.split(' ').collect();
    let (code, out, _) = inspect(directory.path(), &flags);
    assert_eq!(code, 0);
    assert!(
        out.contains("\nmemory        for 8192 tokens, 2 slots, q8_0/q4_0 cache\n"),
        "{out}"
    );
    assert!(out.contains("\n  cache       3.3 MiB\n"), "{out}");
}

#[test]
fn json_has_bytes() {
    let directory = place("m.gguf", &model());
    let (code, out, _) = inspect(directory.path(), &["m.gguf", "--json", "--context", "512"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("inspect_json", out);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["name"], "A \u{1b}[31mmodel");
    assert_eq!(report["quantization"], "F16");
    assert_eq!(
        (&report["parts"], &report["layers"]),
        (&1.into(), &2.into())
    );
    assert_eq!(report["parameters"], 3 * 256 * 2048);
    let memory = &report["memory"];
    assert_eq!(
        (&memory["context"], &memory["parallel"]),
        (&512.into(), &1.into())
    );
    assert_eq!(memory["weights"], 3 << 20);
    assert_eq!(memory["kv"], 512 << 10);
    assert_eq!(
        (&memory["recurrent"], &memory["cache_type_k"]),
        (&0.into(), &"f16".into())
    );
    let sum = ["weights", "kv", "recurrent", "compute"].map(|key| memory[key].as_u64().unwrap());
    assert_eq!(memory["total"], sum.iter().sum::<u64>());
}

#[test]
fn all_parts_count() {
    let part = |builder: GgufBuilder, number| {
        let builder = builder.set("split.no", Value::U16(number));
        builder.set("split.count", Value::U16(2))
    };
    let directory = place("m-00001-of-00002.gguf", &part(model(), 0));
    let second = GgufBuilder::new("llama").tensor("output.weight", &[256, 2048], GgmlType::F16);
    let path = directory.path().join("m-00002-of-00002.gguf");
    fs::write(&path, part(second, 1).build()).unwrap();
    let (code, out, _) = inspect(directory.path(), &["m-00001-of-00002.gguf"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("\nfile size     4.0 MiB in 2 parts\n"),
        "{out}"
    );
    assert!(out.contains("\nparameters    2.1 million\n"), "{out}");
    assert!(out.contains("\n  weights     4.0 MiB\n"), "{out}");

    fs::remove_file(path).unwrap();
    let (code, out, error) = inspect(directory.path(), &["m-00001-of-00002.gguf"]);
    let expected = "error: there is no file m-00002-of-00002.gguf
  = help: give the path of a .gguf file; a split model needs all its parts
";
    assert_eq!((code, out.as_str(), error.as_str()), (1, "", expected));
}

#[test]
fn what_is_not_known_is_said() {
    let directory = place("m.gguf", &GgufBuilder::new("llama"));
    let (code, out, _) = inspect(directory.path(), &["m.gguf"]);
    assert_eq!(code, 0);
    let memory = "\nmemory        unknown: the file lacks the metadata key `llama.block_count`, which is needed to \
        predict its memory use\n";
    assert!(
        out.contains("\nlayers        unknown\n") && out.contains(memory),
        "{out}"
    );
    let (_, out, _) = inspect(directory.path(), &["m.gguf", "--json"]);
    assert!(out.contains("\"memory\": null"), "{out}");

    let projector = GgufBuilder::new("clip").tensor("v.weight", &[256, 2048], GgmlType::F16);
    let directory = place("mmproj.gguf", &projector);
    let (_, out, _) = inspect(directory.path(), &["mmproj.gguf"]);
    assert!(out.contains("\nmemory        1.0 MiB\n"), "{out}");
}

#[test]
fn files_that_cannot_be_read_say_what_to_do() {
    let directory = place("m.gguf", &model());
    let whole = fs::read(directory.path().join("m.gguf")).unwrap();
    fs::write(directory.path().join("cut.gguf"), &whole[..whole.len() - 1]).unwrap();
    fs::write(directory.path().join("text.gguf"), "not a model").unwrap();
    for (name, message, help) in [
        (
            "none.gguf",
            "there is no file none.gguf",
            "give the path of a .gguf file; a split",
        ),
        (
            "cut.gguf",
            "cut.gguf is truncated: its tensors need",
            "download it again",
        ),
        (
            "text.gguf",
            "text.gguf is not a GGUF file",
            "give the path of a .gguf file",
        ),
        (
            ".",
            ". is a directory, not a regular file",
            "give the path of a .gguf file",
        ),
    ] {
        let (code, out, error) = inspect(directory.path(), &[name]);
        assert_eq!((code, out.as_str()), (1, ""), "{name}");
        assert!(error.starts_with(&format!("error: {message}")), "{error}");
        assert!(error.contains(&format!("\n  = help: {help}")), "{error}");
    }
    let odd = "\u{1b}]0;x\u{7}";
    let nested = GgufBuilder::new("llama")
        .set(odd, Value::U32(1))
        .set(odd, Value::U32(1));
    fs::write(directory.path().join("odd.gguf"), nested.build()).unwrap();
    let (_, _, error) = inspect(directory.path(), &["odd.gguf"]);
    assert!(
        error.contains("key `\u{fffd}]0;x\u{fffd}` twice"),
        "{error:?}"
    );
    assert!(!error.contains('\u{1b}'), "{error:?}");
    for wrong in [
        &["m.gguf", "--cache-type-k", "q2_K"][..],
        &["m.gguf", "--parallel", "0"],
        &[],
    ] {
        assert_eq!(inspect(directory.path(), wrong).0, 2, "{wrong:?}");
    }
}
