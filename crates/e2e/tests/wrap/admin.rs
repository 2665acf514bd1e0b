//! The admin address of a wrapped command, which nobody has to choose.

use std::net::TcpListener;
use std::process::Command;

use paddock_e2e::harness::Paddock;
use paddock_e2e::paddock;

/// Asks for the status without saying where.
fn status(paddock: &Paddock) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_paddock-e2e"))
        .args(["status", "--json"])
        .env_clear()
        .env("TMPDIR", paddock.directory())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), text)
}

#[test]
fn where_the_usual_port_is_taken_another_one_is_printed_and_found() {
    // Whatever holds the port, if it is not this: the wrapped command has another one.
    let _taken = TcpListener::bind("127.0.0.1:8081");
    let builder = paddock!().admin([""; 0]);
    let model = builder.model_path().display().to_string();
    let paddock = builder.wrap(["-m", &model, "-a", "found-by-itself", "--port", "0"]);
    assert_ne!(paddock.admin().port(), 8081);
    paddock.wait_ready();
    let (code, text) = status(&paddock);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("found-by-itself"), "{text}");
}
