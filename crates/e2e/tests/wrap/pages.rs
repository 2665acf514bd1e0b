//! Web pages that use a wrapped command: its own flags say which may.

use paddock_e2e::harness::{Paddock, get};
use paddock_e2e::paddock;

const OTHER: &str = "https://notes.example";

fn wrapped(flags: &[&str]) -> Paddock {
    let builder = paddock!();
    let model = builder.model_path().display().to_string();
    let args = ["-m", &model, "--port", "0"];
    let paddock = builder.wrap([&args, flags].concat());
    paddock.wait_ready();
    paddock
}

/// The status of an answer to a page of this origin, and the error's kind.
fn asked(paddock: &Paddock, origin: &str) -> (u16, Option<String>) {
    let fields = format!("\r\nOrigin: {origin}\r\n\r\n");
    let answer = paddock.ask(get("/props").replacen("\r\n\r\n", &fields, 1));
    let allowed: Vec<_> = answer.head.all("access-control-allow-origin").collect();
    let expected = if answer.status == 200 {
        vec![origin]
    } else {
        vec![]
    };
    assert_eq!(allowed, expected, "{answer:?}");
    let kind = answer.field("x-paddock-error").map(str::to_owned);
    (answer.status, kind)
}

#[test]
fn pages_of_other_sites_may_not_unless_the_command_says_so() {
    let refused = (403, Some("forbidden_origin".to_owned()));
    let paddock = wrapped(&[]);
    assert_eq!(asked(&paddock, "http://localhost:3000"), (200, None));
    assert_eq!(asked(&paddock, OTHER), refused);
    let own = format!("http://{}", paddock.public());
    let same = get("/props").replace("localhost", &paddock.public().to_string());
    let same = same.replacen("\r\n\r\n", &format!("\r\nOrigin: {own}\r\n\r\n"), 1);
    assert_eq!(paddock.ask(same).status, 200, "its own web interface");
    let listed = wrapped(&["--cors-origins", OTHER]);
    assert_eq!(asked(&listed, OTHER), (200, None));
    assert_eq!(asked(&listed, "http://localhost:3000"), refused);
    for flags in [["--cors-origins", "*"], ["--api-key", "k"]] {
        assert_eq!(asked(&wrapped(&flags), OTHER), (200, None), "{flags:?}");
    }
}
