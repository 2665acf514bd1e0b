//! `paddock logs`, with a paddock that runs, with none, and with what is none.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use paddock_gguf::builder::GgufBuilder;

/// Ends the process if a test fails before it does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }
}

fn command(directory: &Path, args: &[&str]) -> Command {
    let path = format!("{}:/usr/bin:/bin", directory.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_paddock"));
    command
        .args(args)
        .current_dir(directory)
        .env_clear()
        .env("PATH", path)
        .env("TMPDIR", directory)
        .env("XDG_STATE_HOME", directory.join("state"))
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end: its exit code, standard output and standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// A paddock whose engine has written two lines and sleeps.
fn serve(directory: &Path) -> Running {
    let engine = directory.join("llama-server");
    // What it is asked before there is a model to load it answers with nothing.
    let script = "#!/bin/sh\ncase \"$1\" in --help|--list-devices) exit 0;; esac\nprintf 'one\\ntwo \\033[31m\\n' >&2\nexec sleep 600\n";
    fs::write(&engine, script).unwrap();
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
    let model = GgufBuilder::stand_in();
    fs::write(directory.join("m.gguf"), model.build()).unwrap();
    fs::write(
        directory.join("paddock.toml"),
        "server.admin = ['unix:admin.sock']\nserver.listen = ['127.0.0.1:0']\n\
         server.drain_timeout = '1s'\nmodels.m.path = 'm.gguf'\nmodels.m.preload = true\n\
         models.m.aliases = ['org/m']\n",
    )
    .unwrap();
    let mut serving = command(directory, &["serve"]);
    let mut running = Running(serving.stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    // The engine's own second line is the sign that there is something to show.
    assert!(lines.any(|line| line.unwrap().contains("two")));
    thread::spawn(move || lines.for_each(drop));
    running
}

#[test]
fn the_last_lines_are_printed_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let _running = serve(directory.path());
    let logs = |args: &[&str]| {
        let mut command = command(directory.path(), &[&["logs"], args].concat());
        run(command.env("PADDOCK_ADMIN", "unix:admin.sock"))
    };
    let printed = |text: &str| (0, text.to_owned(), String::new());
    assert_eq!(logs(&["m"]), printed("one\ntwo \u{1b}[31m\n"));
    assert_eq!(logs(&["org/m", "-n", "1"]), printed("two \u{1b}[31m\n"));
    assert_eq!(logs(&["m", "-n", "0"]), printed(""));
    let json = "{\"lines\":[\"two \\u001b[31m\"]}\n";
    assert_eq!(logs(&["m", "-n1", "--json"]), printed(json));

    let (code, out, error) = logs(&["n"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(error, "error: there is no model 'n' here; configured: m\n");
    let (code, _, error) = logs(&["m", "-n", "1001"]);
    let expected = "error: `n` must be a number from 0 to 1000, not `1001`\n";
    assert_eq!((code, error.as_str()), (1, expected));
    // A flag goes before the variable.
    let (code, _, error) = logs(&["m", "--admin", "unix:other.sock"]);
    assert_eq!(code, 69);
    assert!(
        error.starts_with("error: cannot reach paddock at unix:other.sock: "),
        "{error}"
    );
}

#[test]
fn who_follows_ends_with_paddock_or_quietly_by_an_interrupt() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = serve(directory.path());
    let follow = |args: &[&str]| {
        let all = [&["logs", "m", "-f", "--admin", "unix:admin.sock"], args].concat();
        let mut command = command(directory.path(), &all);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut follower = Running(command.spawn().unwrap());
        let mut out = BufReader::new(follower.0.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        (follower, out, line)
    };
    let (interrupted, out, _) = follow(&[]);
    interrupted.signal("INT");
    assert_eq!(
        ended(interrupted, out),
        (0, "two \u{1b}[31m\n".into(), String::new())
    );

    let (plain, plain_out, first) = follow(&[]);
    assert_eq!(first, "one\n");
    let (json, json_out, first) = follow(&["--json", "-n", "1"]);
    assert_eq!(first, "{\"line\":\"two \\u001b[31m\"}\n");
    running.signal("TERM");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    for follower in [ended(plain, plain_out), ended(json, json_out)] {
        let gone = "error: lost the connection to paddock at unix:admin.sock\n";
        assert_eq!((follower.0, follower.2.as_str()), (69, gone));
    }
}

/// Waits for the end of a process: its exit code, and the rest of what it prints.
fn ended(mut process: Running, mut out: impl Read) -> (i32, String, String) {
    let (mut rest, mut error) = (String::new(), String::new());
    out.read_to_string(&mut rest).unwrap();
    let mut pipe = process.0.stderr.take().unwrap();
    pipe.read_to_string(&mut error).unwrap();
    let code = process.0.wait().unwrap().code().unwrap();
    (code, rest, error)
}

#[test]
fn a_reader_that_has_gone_ends_it_quietly() {
    let directory = tempfile::tempdir().unwrap();
    let _running = serve(directory.path());
    let mut command = command(
        directory.path(),
        &["logs", "m", "-f", "--admin", "unix:admin.sock"],
    );
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follower = Running(command.spawn().unwrap());
    // Closed before anything can be written.
    drop(follower.0.stdout.take());
    assert_eq!(
        ended(follower, std::io::empty()),
        (0, String::new(), String::new())
    );
}

#[test]
fn where_no_paddock_is_the_command_says_so_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let admin = format!("http://{address}/");
    let (code, out, error) = run(&mut command(
        directory.path(),
        &["logs", "m", "--admin", &admin],
    ));
    assert_eq!((code, out.as_str()), (69, ""));
    assert!(
        error.starts_with(&format!("error: cannot reach paddock at {address}: ")),
        "{error}"
    );
    assert!(
        error.contains("`paddock serve`") && error.contains("PADDOCK_ADMIN"),
        "{error}"
    );
}

#[test]
fn what_is_no_paddock_is_recognized() {
    let directory = tempfile::tempdir().unwrap();
    for answer in [
        "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Length: 2\r\n\r\n{}",
        "220 smtp\r\n",
        "",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let args = ["logs", "m", "--admin", &address];
        let (code, out, error) = run(&mut command(directory.path(), &args));
        answering.join().unwrap();
        assert_eq!((code, out.as_str()), (69, ""));
        let expected = format!("error: the server at {address} is not paddock's admin API\n");
        assert!(error.starts_with(&expected), "{answer:?}: {error}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    let directory = tempfile::tempdir().unwrap();
    for wrong in [
        &["logs"][..],
        &["logs", "m", "-n", "-1"],
        &["logs", "m", "-n", "ten"],
        &["logs", "m", "--admin", "nowhere"],
        &["logs", "m", "--follow=maybe"],
        &["load"],
        &["unload", "m", "--follow"],
        &["explain"],
        &["status", "m", "n"],
    ] {
        let (code, out, _) = run(&mut command(directory.path(), wrong));
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
    }
}
