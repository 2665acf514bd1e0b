//! What can be seen without starting anything: `check` and `serve` say it in the same words.

use std::fs;
use std::path::PathBuf;

use paddock_e2e::harness::{PaddockBuilder, model};
use paddock_e2e::paddock;

/// Checks that both commands refuse it with 64, in one message with these words.
fn assert_refused(builder: &PaddockBuilder, words: &[&str]) {
    let check = builder.check();
    let serve = builder.run_serve();
    for finished in [&check, &serve] {
        assert_eq!(finished.code, Some(64), "{finished:#?}");
        assert_eq!(finished.stdout, "");
        let messages = finished.stderr.matches("error: ").count();
        assert_eq!(messages, 1, "{}", finished.stderr);
        for words in words {
            assert!(
                finished.stderr.contains(words),
                "{words}: {}",
                finished.stderr
            );
        }
    }
    assert_eq!(check.stderr, serve.stderr);
}

/// With a model file of this content.
fn with_model(content: &[u8]) -> PaddockBuilder {
    let builder = paddock!();
    let path = builder.directory().join("other.gguf");
    fs::write(&path, content).unwrap();
    builder.model(path)
}

#[test]
fn a_model_file_that_is_not_there() {
    let builder = paddock!();
    let path = builder.directory().join("n.gguf");
    // The file that is there has nearly the same name.
    let words = [
        "models.m.path: there is no file",
        "n.gguf",
        "did you mean",
        "m.gguf?",
    ];
    assert_refused(&builder.model(path), &words);
}

#[test]
fn a_model_file_that_is_a_directory() {
    let builder = paddock!();
    let path = builder.directory().to_owned();
    assert_refused(&builder.model(path), &["models.m.path", "is a directory"]);
}

#[test]
fn a_model_file_that_is_truncated() {
    let whole = model();
    // In its data, in its tensor table, in its first number.
    for length in [whole.len() - 1, whole.len() / 2, 60, 6] {
        let builder = with_model(&whole[..length]);
        assert_refused(
            &builder,
            &["models.m.path", "other.gguf", "download it again"],
        );
    }
}

#[test]
fn a_model_file_that_is_empty() {
    assert_refused(
        &with_model(b""),
        &["other.gguf is empty", "download it again"],
    );
}

#[test]
fn a_model_file_that_is_something_else() {
    let builder = with_model(b"<!DOCTYPE html><html>404</html>");
    assert_refused(&builder, &["is not a GGUF file", "web page"]);
}

#[test]
fn an_engine_that_is_not_there() {
    let path = paddock!().engine(PathBuf::from("/proc/nonexistent/llama-server"));
    let words = [
        "engine.command: there is no file /proc/nonexistent/llama-server",
        "under [engine]",
    ];
    assert_refused(&path, &words);
    let name = paddock!().engine("no-such-llama-server");
    assert_refused(
        &name,
        &[
            "`no-such-llama-server` was not found on PATH",
            "under [engine]",
        ],
    );
}

#[test]
fn an_engine_that_cannot_be_executed() {
    let builder = paddock!();
    let model = builder.model_path().to_owned();
    assert_refused(&builder.engine(model), &["is not executable", "chmod +x"]);
    let directory = paddock!().engine(PathBuf::from("/usr/bin"));
    assert_refused(&directory, &["/usr/bin is a directory"]);
}

#[test]
fn a_flag_that_is_paddocks_own() {
    let builder = paddock!().engine_args(["--port", "1"]);
    assert_refused(&builder, &["`--port` is not allowed in `args`", "listen"]);
}

#[test]
fn a_key_that_does_not_exist_or_has_the_wrong_kind() {
    let unknown = paddock!().config("server.drain_timout = '1s'");
    assert_refused(&unknown, &["server.drain_timout", "drain_timeout"]);
    let wrong = paddock!().config("server.drain_timeout = 'soon'");
    assert_refused(&wrong, &["server.drain_timeout", "soon"]);
    let broken = paddock!().config("server.drain_timeout = ");
    assert_refused(&broken, &["paddock.toml:7"]);
}

#[test]
fn a_configuration_that_is_not_there() {
    for command in ["check", "serve"] {
        let finished = paddock!().run([command, "--config", "nowhere.toml"]);
        assert_eq!(finished.code, Some(64), "{finished:#?}");
        assert_eq!(finished.stderr, "error: there is no file nowhere.toml\n");
    }
}

#[test]
fn a_runtime_directory_that_is_not_there() {
    let builder = paddock!().config("server.runtime_dir = '/proc/nonexistent'");
    assert_refused(
        &builder,
        &["server.runtime_dir: there is no directory /proc/nonexistent"],
    );
}

#[test]
fn a_runtime_directory_whose_path_no_socket_fits_in() {
    let builder = paddock!();
    let path = builder.directory().join("d".repeat(100));
    fs::create_dir(&path).unwrap();
    let builder = builder.config(&format!("server.runtime_dir = '{}'", path.display()));
    assert_refused(&builder, &["server.runtime_dir", "too long", "at most"]);
}

#[test]
fn several_things_are_said_at_once() {
    let builder = paddock!()
        .engine(PathBuf::from("/proc/nonexistent/engine"))
        .model("/proc/nonexistent/model.gguf")
        .config("server.runtime_dir = '/proc/nonexistent'");
    for finished in [builder.check(), builder.run_serve()] {
        assert_eq!(finished.code, Some(64));
        for words in [
            "/proc/nonexistent/engine",
            "/proc/nonexistent/model.gguf",
            "3 problems",
        ] {
            assert!(finished.stderr.contains(words), "{}", finished.stderr);
        }
    }
}

#[test]
fn nothing_wrong_is_said_in_so_many_words() {
    let builder = paddock!();
    let before = fs::read_dir(builder.directory()).unwrap().count();
    let check = builder.check();
    assert_eq!(check.code, Some(0), "{check:#?}");
    assert!(check.stdout.starts_with("ok\n"), "{}", check.stdout);
    assert_eq!(check.stderr, "");
    // It wrote nothing: the configuration and what it printed are ours.
    let after = fs::read_dir(builder.directory()).unwrap().count();
    assert_eq!(after, before + 3);
}
