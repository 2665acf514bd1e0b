//! The commands that ask a paddock that runs.

use crate::support::three;
use paddock_e2e::harness::Paddock;
use std::process::Command;

/// Runs a command to its end: its exit code, standard output and standard error.
fn run(paddock: &Paddock, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_paddock-e2e"))
        .args(args)
        .env("PADDOCK_ADMIN", paddock.admin().to_string())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn what_does_not_load_is_told_with_its_cause() {
    let paddock = three().engine_args(["--fake-fail", "bad-file"]).start();
    let (code, out, error) = run(&paddock, &["load", "a", "--wait"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(error.starts_with("error: ") && error.len() > 20, "{error}");
    let (code, _, error) = run(&paddock, &["unload", "aa"]);
    assert_eq!(code, 1);
    assert!(error.contains("there is no model 'aa' here"), "{error}");
}
