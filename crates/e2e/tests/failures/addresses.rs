//! Addresses that cannot be had: `check` says so beforehand, `serve` when it tries.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use paddock_e2e::harness::{PaddockBuilder, Signal};
use paddock_e2e::paddock;

/// Checks that `check` ends with 64 and `serve` with 1, each with one message with these words.
fn assert_refused(builder: &PaddockBuilder, address: &str, check_words: &str, serve_words: &str) {
    for (finished, code, words) in [
        (builder.check(), 64, check_words),
        (builder.run_serve(), 1, serve_words),
    ] {
        assert_eq!(finished.code, Some(code), "{finished:#?}");
        let stderr = &finished.stderr;
        assert_eq!(stderr.matches("error: ").count(), 1, "{stderr}");
        assert!(stderr.contains(address), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    }
    let left: Vec<_> = fs::read_dir(builder.directory())
        .unwrap()
        .flatten()
        .collect();
    let ours = |name: &str| name.starts_with("paddock-");
    assert!(
        !left
            .iter()
            .any(|entry| ours(&entry.file_name().to_string_lossy())),
        "{left:?}"
    );
}

const TAKEN: &str = "another program listens there already";

#[test]
fn a_port_that_is_taken() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let check = format!("another process is listening on {address}");
    let public = paddock!().listen([&address]);
    assert_refused(&public, &address, &check, TAKEN);
    let admin = paddock!().admin([&address]);
    assert_refused(&admin, &address, &check, TAKEN);
}

#[test]
fn a_socket_that_is_taken() {
    let builder = paddock!().listen_unix();
    let path = builder.directory().join("public.sock");
    let _other = UnixListener::bind(&path).unwrap();
    assert_refused(
        &builder,
        "public.sock",
        "another process is listening on",
        TAKEN,
    );
    assert!(path.exists(), "another's socket is removed");
}

#[test]
fn a_file_that_is_not_a_socket_is_left_alone() {
    let builder = paddock!().listen_unix();
    let path = builder.directory().join("public.sock");
    fs::write(&path, "precious").unwrap();
    assert_refused(
        &builder,
        "public.sock",
        "is not a socket",
        "is not a socket",
    );
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_socket_that_a_killed_process_left_behind_is_no_obstacle() {
    let builder = paddock!().listen_unix();
    drop(UnixListener::bind(builder.directory().join("public.sock")).unwrap());
    assert_eq!(builder.check().code, Some(0));
    let mut paddock = builder.start();
    assert_eq!(paddock.get("/health").json()["models"][0]["id"], "m");
    assert!(paddock.stop(Signal::TERM).success());
}

#[test]
fn a_socket_in_a_directory_that_is_not_there() {
    let builder = paddock!().listen(["unix:/proc/nonexistent/x.sock"]);
    let serve = "No such file or directory";
    assert_refused(
        &builder,
        "/proc/nonexistent",
        "there is no directory",
        serve,
    );
}

#[test]
fn an_address_of_another_machine() {
    // Reserved for documentation (RFC 5737): nobody has it.
    let builder = paddock!().listen(["192.0.2.1:8080"]);
    let check = "192.0.2.1 is not an address of this machine";
    assert_refused(
        &builder,
        "192.0.2.1",
        check,
        "Cannot assign requested address",
    );
}

#[test]
fn an_address_that_is_open_to_every_network() {
    let builder = paddock!().listen(["0.0.0.0:0"]);
    for finished in [builder.check(), builder.run_serve()] {
        assert_eq!(finished.code, Some(64), "{finished:#?}");
        assert!(finished.stderr.contains("allow_public"), "{finished:#?}");
    }
}
