//! What of a wrapped command reaches the child, and what cannot be wrapped.

use std::fs;

use paddock_e2e::harness::{CommandOutput, LIMIT, get, wait_for};
use paddock_e2e::paddock;

#[test]
fn every_flag_but_the_address_and_every_variable_reach_the_child() {
    let builder = paddock!()
        .env("LLAMA_ARG_CTX_SIZE", "1234")
        .env("LLAMA_LOG_VERBOSITY", "2")
        .env("HF_TOKEN", "secret")
        .env("SOMETHING_ELSE", "1");
    let model = builder.model_path().display().to_string();
    let flags = [
        "-m",
        &model,
        "--flash-attn",
        "on",
        "-x",
        "",
        "--temp",
        "0.7",
        "ünï",
    ];
    let mut args = flags.map(str::to_owned).to_vec();
    args.extend(["--port", "0"].map(str::to_owned));
    let paddock = builder.wrap(args);
    paddock.wait_ready();
    let child = paddock.child().number();

    let line = fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap();
    let words: Vec<_> = line.trim_end_matches('\0').split('\0').skip(1).collect();
    assert_eq!(words[..flags.len()], flags);
    let [host, socket] = words[flags.len()..] else {
        panic!("{words:?}")
    };
    assert_eq!(host, "--host");
    assert!(socket.contains("/paddock-"), "{socket}");

    let vars = fs::read_to_string(format!("/proc/{child}/environ")).unwrap();
    let vars: Vec<_> = vars.split('\0').collect();
    for var in [
        "LLAMA_ARG_CTX_SIZE=1234",
        "LLAMA_LOG_VERBOSITY=2",
        "HF_TOKEN=secret",
        "SOMETHING_ELSE=1",
    ] {
        assert!(vars.contains(&var), "{vars:?}");
    }
}

#[test]
fn health_and_models_are_the_childs_own() {
    let builder = paddock!();
    let model = builder.model_path().display().to_string();
    let paddock = builder.wrap(["-m", &model, "--port", "0"]);
    paddock.wait_ready();
    assert_eq!(paddock.get("/health").text(), r#"{"status":"ok"}"#);
    assert_eq!(paddock.get("/v1/models").json()["data"][0]["id"], model);
    assert_eq!(paddock.get("/api/status").status, 404);
    assert_eq!(paddock.admin_get("/api/status").status, 200);
}

#[test]
fn the_child_is_back_by_itself_after_a_crash() {
    let builder = paddock!();
    let model = builder.model_path().display().to_string();
    let paddock = builder.wrap(["-m", &model, "--port", "0"]);
    paddock.wait_ready();
    let first = paddock.child();
    first.signal(paddock_e2e::harness::Signal::KILL);
    wait_for(LIMIT, "the next child", || {
        let answer = paddock.ask(get("/props"));
        assert!(matches!(answer.status, 200 | 502 | 503), "{answer:?}");
        let other = paddock.model()["pid"] != first.number();
        (answer.status == 200 && other).then_some(())
    });
}

/// Runs `paddock wrap` with these words to its end.
fn wrapped_to_the_end<'a>(args: impl Iterator<Item = &'a str>) -> CommandOutput {
    let builder = paddock!();
    let engine = builder.engine_path().display().to_string();
    let args = args.map(|arg| arg.replace("ENGINE", &engine));
    builder.run(["wrap".to_owned()].into_iter().chain(args))
}

fn refused(args: &[&str]) -> CommandOutput {
    wrapped_to_the_end(["--"].iter().chain(args).copied())
}

#[test]
fn what_cannot_be_wrapped_is_refused_with_the_reason() {
    for (args, words) in [
        (
            &["no-such-server", "-m", "m.gguf"][..],
            "`no-such-server` was not found on PATH",
        ),
        (
            &["ENGINE", "-m", "m.gguf", "--port", "many"],
            "`many` is not a port",
        ),
        (&["ENGINE", "-m", "m.gguf", "--ssl-key-file", "k"], "TLS"),
    ] {
        let finished = refused(args);
        assert_eq!(finished.code, Some(64), "{args:?} {finished:#?}");
        assert!(finished.stderr.contains(words), "{args:?} {finished:#?}");
    }
    assert_eq!(refused(&[]).code, Some(2));
}

#[test]
fn a_command_that_ends_before_it_serves_ends_wrap_with_its_words_and_its_status() {
    let failing = "echo my own words >&2; exit 7";
    for (args, status, words) in [
        (&["ENGINE", "-m", "nothing.gguf"][..], 1, "nothing.gguf"),
        (
            &["ENGINE", "-m", "m.gguf", "--fake-fail", "bad-flag"],
            1,
            "error: invalid argument: --fake-bad-flag",
        ),
        (&["sh", "-c", failing], 7, "my own words"),
        (&["env", "no-such-program"], 127, "no-such-program"),
        (&["ENGINE", "--help"], 0, "--verbosity"),
    ] {
        let args = ["--admin", "127.0.0.1:0", "--"].iter().chain(args);
        let finished = wrapped_to_the_end(args.copied());
        assert_eq!(finished.code, Some(status), "{finished:#?}");
        // A line of its own, and not one of paddock's log.
        let mut lines = finished.stderr.lines();
        let line = lines.find(|line| line.contains(words) && !line.starts_with('{'));
        assert!(line.is_some(), "{finished:#?}");
    }
}

#[test]
fn a_command_that_somebody_ends_before_it_serves_is_started_again() {
    let builder = paddock!();
    let script = "[ -e again ] || { touch again; kill -TERM $$; }\nexec ./engine \"$@\"";
    let model = builder.model_path().display().to_string();
    builder.link_engine("engine");
    let script = builder.script("start", script);
    let paddock = builder.engine(script).wrap(["-m", &model, "--port", "0"]);
    paddock.wait_ready();
}
