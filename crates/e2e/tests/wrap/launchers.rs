//! Commands that start a server by something else.

use std::fs;

use paddock_e2e::harness::{LIMIT, Paddock, PaddockBuilder};
use paddock_e2e::paddock;

/// Placeholders for the stand-in and its model in the words of a command.
const ENGINE: &str = "ENGINE";
const MODEL: &str = "MODEL";

/// Wraps a command, and waits until it serves.
fn serves(builder: PaddockBuilder, command: &[&str]) -> Paddock {
    let engine = builder.engine_path().display().to_string();
    let model = builder.model_path().display().to_string();
    let word = |word: &str| word.replace(ENGINE, &engine).replace(MODEL, &model);
    let words: Vec<_> = command.iter().map(|text| word(text)).collect();
    let (program, args) = words.split_first().unwrap();
    let paddock = builder.engine(program).wrap(args);
    paddock.wait_ready();
    assert_eq!(paddock.get("/health").status, 200);
    paddock
}

#[test]
fn env_nice_taskset_and_stdbuf_start_a_server_that_lies_anywhere() {
    for launcher in [
        &["env", "GIVEN=yes", ENGINE][..],
        &["nice", "-n", "1", ENGINE],
        &["taskset", "-c", "0", ENGINE],
        &["stdbuf", "-oL", ENGINE],
        &["bash", "-c", "exec \"$@\"", "_", ENGINE],
        &["bash", "-c", "exec ENGINE -m MODEL"],
    ] {
        let command = [launcher, &["-m", MODEL, "--port", "0"]].concat();
        serves(paddock!(), &command);
    }
}

/// Writes a script into a directory that is neither the server's nor the model's.
fn script(builder: &PaddockBuilder, lines: &str) -> String {
    let engine = builder.engine_path().display().to_string();
    let model = builder.model_path().display().to_string();
    fs::create_dir_all(builder.directory().join("scripts")).unwrap();
    let lines = lines.replace(ENGINE, &engine).replace(MODEL, &model);
    builder
        .script("scripts/start.sh", &lines)
        .display()
        .to_string()
}

#[test]
fn a_script_may_hand_its_arguments_on_or_not_write_files_and_go_elsewhere() {
    for lines in [
        "exec ENGINE -m MODEL \"$@\"",
        "exec ENGINE -m MODEL",
        "echo $$ > pid\ncd /\nexec ENGINE -m MODEL \"$@\"",
        "ENGINE -m MODEL \"$@\" &\ntrap \"kill $!\" TERM\nwait",
    ] {
        let builder = paddock!();
        let script = script(&builder, lines);
        serves(builder, &[&script, "--port", "0"]);
    }
}

#[test]
fn a_script_can_be_confined() {
    let builder = paddock!().wrap_options(["--sandbox", "auto"]);
    let script = script(&builder, "echo x > written\nexec sleep 1000");
    let written = builder.directory().join("written");
    let paddock = builder.engine(script).wrap(["-m", "m.gguf", "--port", "0"]);
    paddock.stderr().wait_for(LIMIT, "Permission denied");
    assert!(!written.exists());
}
