//! What engines count themselves is told with paddock's own, and costs a child next to nothing.

use std::process::Command;
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, Paddock, Signal, WATCH_TIME, now, wait_for, wait_until};

use crate::support::{chat, model, three};

/// How seldom a child is asked.
const OFTEN: Duration = Duration::from_secs(10);

/// How long a scrape waits for a child, and what a busy machine adds to it.
const WAITS: Duration = Duration::from_secs(3);

fn scrape(paddock: &Paddock) -> String {
    let answer = paddock.admin_get("/metrics");
    assert_eq!(answer.status, 200);
    answer.text()
}

/// How many requests the child has had.
fn served(paddock: &Paddock) -> u64 {
    let state = paddock.child_get("/__fake/state").json();
    state["requests_served"].as_u64().expect("a count")
}

const SAMPLE: &str = "\nllamacpp:requests_processing{model=\"m\"} ";

#[test]
fn a_child_is_asked_once_in_ten_seconds_and_never_without_a_scrape() {
    let paddock = paddock_e2e::paddock!()
        .config("models.m.preload = true")
        .start();
    paddock.wait_ready();
    let before = served(&paddock);
    let begun = now();
    wait_until(LIMIT, "a while to be over", || begun.elapsed() > WATCH_TIME);
    assert_eq!(paddock.admin_get("/api/status").status, 200);
    assert_eq!(served(&paddock), before);
    let first = now();
    assert!(scrape(&paddock).contains(SAMPLE));
    let mut scrapes = 1;
    wait_until(2 * LIMIT, "a second question", || {
        let page = scrape(&paddock);
        scrapes += 1;
        assert_eq!(page.matches(SAMPLE).count(), 1, "{page}");
        assert_eq!(
            page.matches("# TYPE llamacpp:requests_processing gauge")
                .count(),
            1
        );
        served(&paddock) > before + 1
    });
    assert!(first.elapsed() >= OFTEN, "{:?}", first.elapsed());
    assert!(scrapes > 10, "{scrapes}");
}

#[test]
fn only_those_that_serve_are_told_of() {
    let paddock = three().start();
    assert_eq!(paddock.ask(chat("a")).status, 200);
    let of = |model: &str| format!("llamacpp:requests_processing{{model=\"{model}\"}} 0\n");
    let page = scrape(&paddock);
    assert!(
        page.contains(&of("a")) && !page.contains(&of("b")),
        "{page}"
    );
    assert_eq!(paddock.ask(chat("b")).status, 200);
    let page = scrape(&paddock);
    assert!(
        page.contains(&of("b")) && !page.contains(&of("a")),
        "{page}"
    );
    // Another child of the same model has not been asked yet.
    let pid = model(&paddock, "b")["pid"].clone();
    let number = pid.as_i64().and_then(|pid| i32::try_from(pid).ok());
    let child = number.and_then(paddock_e2e::harness::Pid::find);
    child.expect("a child").signal(Signal::KILL);
    wait_until(LIMIT, "another child", || {
        let model = model(&paddock, "b");
        model["status"] == "ready" && model["pid"].is_u64() && model["pid"] != pid
    });
    assert!(scrape(&paddock).contains(&of("b")));
}

#[test]
fn a_child_that_does_not_answer_delays_a_scrape_by_a_second_at_most() {
    let paddock = paddock_e2e::paddock!()
        .engine_args(["--fake-hang", "request"])
        .config("models.m.preload = true")
        .start();
    paddock.wait_ready();
    let begun = now();
    let page = scrape(&paddock);
    assert!(begun.elapsed() < WAITS, "{:?}", begun.elapsed());
    assert!(page.contains("paddock_model_ready{model=\"m\"} 1"));
    assert!(!page.contains("llamacpp:"), "{page}");
    // It is not asked again so soon, and nobody waits.
    let begun = now();
    for _ in 0..10 {
        scrape(&paddock);
    }
    assert!(begun.elapsed() < WAITS, "{:?}", begun.elapsed());
    let closed = || {
        let state = paddock.child_get("/__fake/state").json();
        // This question comes on the only one.
        (state["connections_open"] == 1).then_some(())
    };
    wait_for(LIMIT, "the child's connection to be closed", closed);
}

#[test]
fn an_engine_without_metrics_is_told_of_without() {
    let builder = paddock_e2e::paddock!();
    let engine = builder.link_engine("engine");
    let script = format!(
        "case \"$1\" in --help) echo --no-such-flag; exit;; esac\nexec '{}' \"$@\"",
        engine.display()
    );
    let path = builder.script("older", &script);
    let paddock = builder
        .engine(path)
        .config("models.m.preload = true")
        .start();
    paddock.wait_ready();
    let page = scrape(&paddock);
    assert!(page.contains("paddock_model_ready{model=\"m\"} 1"));
    assert!(!page.contains("llamacpp:"), "{page}");
    assert_eq!(paddock.get("/upstream/m/metrics").status, 501);
}

#[test]
fn a_wrapped_command_is_asked_and_not_altered() {
    let words = |paddock: &Paddock| {
        let pid = paddock.model()["pid"].to_string();
        let line = Command::new("cat")
            .arg(format!("/proc/{pid}/cmdline"))
            .output();
        String::from_utf8(line.expect("a command line").stdout).expect("text")
    };
    for (args, told) in [(&["--metrics"][..], true), (&[], false)] {
        let builder = paddock_e2e::paddock!();
        let model = builder.model_path().display().to_string();
        let args = ["-m", &model, "--port", "0"]
            .into_iter()
            .chain(args.iter().copied());
        let paddock = builder.wrap(args.map(str::to_owned).collect::<Vec<_>>());
        paddock.wait_ready();
        assert_eq!(words(&paddock).contains("--metrics"), told);
        assert_eq!(scrape(&paddock).contains("llamacpp:"), told);
    }
}
