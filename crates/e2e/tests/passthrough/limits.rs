use crate::support::{Child, binary, chunked, echo};
use paddock_e2e::harness::{Connection, HttpResponse, LIMIT, Paddock, post, wait_until};

const BODY_LIMIT: usize = 512 << 10;

fn start() -> Paddock {
    let paddock = paddock_e2e::paddock!()
        .config("server.body_limit = '512KiB'")
        .start();
    paddock.wait_ready();
    paddock
}

fn assert_too_large(answer: &HttpResponse) {
    assert_eq!(answer.status, 413);
    assert_eq!(answer.field("x-paddock-error"), Some("body_too_large"));
    assert_eq!(answer.error_code(), "body_too_large");
    assert!(answer.text().contains("server.body_limit"), "{answer:?}");
    assert!(answer.head.closes());
}

/// A client that reads nothing before it has sent everything, on both planes.
#[test]
fn the_error_reaches_a_client_that_sends_a_large_body_first() {
    let paddock = start();
    for address in [paddock.public(), paddock.admin()] {
        let mut connection = Connection::connect(address);
        connection.send(post("/none", &"x".repeat(64 << 20)));
        let answer = connection.answer();
        assert!(matches!(answer.status, 404 | 413), "{answer:?}");
        assert_eq!(connection.rest(), b"");
    }
}

#[test]
fn a_body_that_turns_out_too_large_is_cut_off_on_both_sides() {
    let paddock = paddock_e2e::paddock!()
        .config("server.body_limit = '2MiB'")
        .start();
    paddock.wait_ready();
    let mut child = Child::of(&paddock);
    let mut connection = paddock.connect();
    connection.send(echo("Transfer-Encoding: chunked\r\n", b""));
    // As much as is read before the child is asked.
    let mut first = chunked(&binary(1 << 20, 1), &[1000]);
    first.truncate(first.len() - "0\r\n\r\n".len());
    connection.send(first);
    wait_until(LIMIT, "the request at the child", || {
        child.connections() == 1
    });
    connection.send(chunked(&binary(3 * BODY_LIMIT, 1), &[1000]));
    assert_too_large(&connection.answer());
    assert_eq!(connection.rest(), b"");
    wait_until(LIMIT, "the child to be let go", || child.connections() == 0);
    assert_eq!(paddock.get("/props").status, 200);
}
