//! Requests whose targets are whole URLs, as clients send them to a proxy.

use paddock_e2e::harness::get;

/// A request for this URL, with this Host.
fn asked(url: &str, host: &str) -> String {
    let request = get(url);
    let line = request.lines().next().expect("a line");
    format!("{line}\r\nHost: {host}\r\n\r\n")
}

/// A page whose name was made to point here states that name in the URL, if its browser has a proxy.
#[test]
fn the_host_of_the_url_is_the_one_that_is_asked() {
    let paddock = paddock_e2e::paddock!().start();
    paddock.wait_ready();
    for (host, field, status) in [
        ("127.0.0.1:8080", "127.0.0.1:8080", 200),
        ("localhost", "evil.example", 200),
        ("evil.example", "127.0.0.1:8080", 403),
    ] {
        for path in ["/v1/models", "/props"] {
            let answer = paddock.ask(asked(&format!("http://{host}{path}"), field));
            assert_eq!(answer.status, status, "{host}{path}: {answer:?}");
        }
    }
    let echoed = paddock.ask(asked("http://localhost:1234/__fake/echo?x", "h"));
    let text = echoed.text();
    assert!(
        text.starts_with("GET /__fake/echo?x HTTP/1.1\r\nHost: localhost:1234\r\n"),
        "{text}"
    );
}
