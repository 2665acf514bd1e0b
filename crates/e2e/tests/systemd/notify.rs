//! What a service manager is told by the protocol of `sd_notify(3)`.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use paddock_e2e::harness::{Connection, LIMIT, Paddock, Signal, now, post, wait_for, wait_until};
use paddock_e2e::paddock;

use crate::manager::{Full, Manager, monotonic, number};

const READY: &str = "READY=1\n";

fn is_reloading(message: &str) -> bool {
    message.starts_with("RELOADING=1\nMONOTONIC_USEC=")
}

/// Writes the configuration anew with another line at its end.
fn write(paddock: &Paddock, line: &str) {
    let file = paddock.directory().join("paddock.toml");
    let text = fs::read_to_string(&file).unwrap();
    // Put in its place whole, as an editor does.
    let beside = paddock.directory().join("beside");
    fs::write(&beside, format!("{text}{line}\n")).unwrap();
    fs::rename(beside, file).unwrap();
}

#[test]
fn ready_is_told_once_clients_can_connect_and_not_where_they_cannot() {
    let manager = Manager::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let builder = manager.of(paddock!().listen([address]));
    let finished = builder.run_serve();
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert_eq!(manager.all(), [""; 0]);

    let paddock = manager.of(paddock!()).start();
    assert_eq!(manager.wait_course(1), [READY]);
    assert_eq!(paddock.get("/v1/models").status, 200);
}

#[test]
fn the_status_is_kept_true_and_an_end_is_told_before_it_comes() {
    let manager = Manager::new();
    let builder = manager
        .of(paddock!().hold_load())
        .config("models.other.path = 'm.gguf'\nmodels.m.preload = true");
    let mut paddock = builder.start();
    manager.wait_status("0 of 2 models loaded, 1 loading");
    let mut client = paddock.connect();
    client.send(post(
        "/completion",
        r#"{"model":"m","prompt":"a","n_predict":2}"#,
    ));
    manager.wait_status("0 of 2 models loaded, 1 loading, 1 request waiting");
    paddock.release_load();
    assert_eq!(client.answer().status, 200);
    manager.wait_status("1 of 2 models loaded");
    assert!(paddock.stop(Signal::TERM).success());
    let course = manager.course(0);
    assert_eq!(course.len(), 2, "{course:?}");
    assert!(course[1].starts_with("STOPPING=1\n"), "{course:?}");
}

#[test]
fn a_drain_is_given_its_time_and_says_what_it_waits_for() {
    let manager = Manager::new();
    let builder = paddock!()
        .hold_streams()
        .config("server.drain_timeout = '200s'");
    let mut paddock = manager.of(builder).start();
    paddock.wait_ready();
    let mut client = paddock.connect();
    client.send(post(
        "/completion",
        r#"{"prompt":"a","n_predict":3,"stream":true}"#,
    ));
    paddock.wait_in_flight(1);
    paddock.signal(Signal::TERM);
    let course = manager.wait_course(2);
    let micros = number(&course[1], "EXTEND_TIMEOUT_USEC");
    assert!((200_000_000..300_000_000).contains(&micros), "{micros}");
    manager.wait_status("stopping, 1 request in flight");
    assert!(paddock.exit_status().is_none());
    paddock.release_streams();
    assert_eq!(client.answer().status, 200);
    assert!(paddock.wait_exit(LIMIT).success());
}

#[test]
fn every_kind_of_reload_is_framed() {
    let manager = Manager::new();
    let paddock = manager.of(paddock!()).start();
    manager.wait_course(1);
    let reloads: [&dyn Fn(); 3] = [
        &|| paddock.signal(Signal::HUP),
        &|| {
            let answer = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
            assert_eq!(answer.status, 200);
        },
        &|| write(&paddock, "scheduler.queue_limit = 200"),
    ];
    for (before, reload) in reloads.iter().enumerate() {
        let begun = monotonic();
        reload();
        let course = manager.wait_course(1 + 2 * (before + 1));
        let [reloading, ready] = &course[1 + 2 * before..] else {
            panic!("{course:?}");
        };
        assert!(is_reloading(reloading), "{course:?}");
        assert_eq!(ready, READY);
        let at = Duration::from_micros(number(reloading, "MONOTONIC_USEC"));
        assert!(begun <= at && at <= monotonic(), "{begun:?} {at:?}");
    }
}

#[test]
fn a_configuration_that_is_not_valid_is_answered_too_and_the_status_says_so() {
    let manager = Manager::new();
    let paddock = manager.of(paddock!()).start();
    paddock.wait_ready();
    manager.wait_status("1 of 1 model loaded");
    write(&paddock, "no.such = 'key'");
    let said = "; the new configuration was not applied, see the log";
    manager.wait_status(&format!("1 of 1 model loaded{said}"));
    let before = manager.wait_course(3).len();
    paddock.signal(Signal::HUP);
    let course = manager.wait_course(before + 2);
    assert!(is_reloading(&course[before]), "{course:?}");
    assert_eq!(course[before + 1], READY);
}

#[test]
fn a_wrapped_command_has_nothing_to_reload_and_answers_all_the_same() {
    let manager = Manager::new();
    let builder = manager.of(paddock!());
    let model = builder.model_path().display().to_string();
    let paddock = builder.wrap(["-m", &model, "--port", "0"]);
    manager.wait_course(1);
    paddock.signal(Signal::HUP);
    let course = manager.wait_course(3);
    assert!(is_reloading(&course[1]), "{course:?}");
    assert_eq!(course[2], READY);
}

#[test]
fn signs_of_life_come_twice_in_the_time_of_the_watchdog() {
    let watchdog = Duration::from_secs(4);
    let manager = Manager::new();
    let builder = manager
        .of(paddock!())
        .env("WATCHDOG_USEC", &watchdog.as_micros().to_string());
    let paddock = builder.start();
    let signs = wait_for(LIMIT, "signs of life", || {
        let signs = manager.signs_of_life();
        (signs.len() >= 4).then_some(signs)
    });
    for pair in signs.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart < watchdog, "{apart:?}");
        // When it comes here says not quite when it was sent.
        assert!(apart > watchdog / 4, "{apart:?}");
    }
    drop(paddock);
}

#[test]
fn a_watchdog_of_another_process_gets_no_sign_of_life() {
    let manager = Manager::new();
    let builder = manager
        .of(paddock!())
        .env("WATCHDOG_USEC", "1000")
        .env("WATCHDOG_PID", "1");
    let paddock = builder.start();
    paddock.wait_ready();
    manager.wait_status("1 of 1 model loaded");
    assert!(manager.signs_of_life().is_empty());
}

#[test]
fn a_manager_that_does_not_read_holds_up_nothing() {
    let manager = Full::new();
    let builder = manager.of(paddock!()).env("WATCHDOG_USEC", "1000000");
    let mut paddock = builder.start();
    paddock.wait_ready();
    let answer = paddock.post("/completion", r#"{"prompt":"a","n_predict":2}"#);
    assert_eq!(answer.status, 200);
    let answer = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
    assert_eq!(answer.status, 200);
    assert!(paddock.stop(Signal::TERM).success());
    assert!(manager.read().is_empty());
}

#[test]
fn what_a_manager_did_not_read_it_is_told_when_it_reads() {
    let manager = Full::new();
    let paddock = manager.of(paddock!()).start();
    paddock.wait_ready();
    let mut told = Vec::new();
    wait_until(LIMIT, "to be told", || {
        told.extend(manager.read());
        told.iter().any(|message| message == READY)
            && told
                .iter()
                .any(|message| message.starts_with("STATUS=1 of 1"))
    });
}

#[test]
fn children_do_not_know_of_the_manager() {
    let manager = Manager::new();
    let paddock = manager
        .of(paddock!())
        .env("WATCHDOG_USEC", "30000000")
        .start();
    paddock.wait_ready();
    let environment = format!("/proc/{}/environ", paddock.child().number());
    let environment = fs::read(environment).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(environment.contains("PADDOCK_RUN="));
    for name in ["NOTIFY", "WATCHDOG"] {
        assert!(!environment.contains(name), "{environment}");
    }
}

#[test]
fn what_is_wrong_with_the_environment_is_said_and_paddock_goes_on() {
    let manager = Manager::new();
    for (builder, words) in [
        (
            paddock!().env("NOTIFY_SOCKET", "here"),
            "NOTIFY_SOCKET is \\\"here\\\"",
        ),
        (
            manager.of(paddock!()).env("WATCHDOG_USEC", "soon"),
            "WATCHDOG_USEC is \\\"soon\\\"",
        ),
        (
            paddock!().env("NOTIFY_SOCKET", "/no/such/socket"),
            "cannot report to the service manager",
        ),
    ] {
        let mut paddock = builder.start();
        paddock.stderr().wait_for(LIMIT, words);
        paddock.wait_ready();
        assert!(paddock.stop(Signal::TERM).success());
    }
    assert_eq!(manager.course(0)[0], READY);
}

/// The voluntary switches of its threads: how often they went to sleep.
fn switches(paddock: &Paddock) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", paddock.id())).unwrap();
    let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).ok();
    tasks
        .flatten()
        .filter_map(status)
        .map(|text| {
            let mut lines = text.lines();
            let line = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse::<u64>().unwrap()
        })
        .sum()
}

#[test]
fn a_manager_without_a_watchdog_costs_an_idle_paddock_no_wake_up() {
    let manager = Manager::new();
    let paddock = manager.of(paddock!()).start();
    paddock.wait_ready();
    manager.wait_status("1 of 1 model loaded");
    let began = now();
    let mut last = (switches(&paddock), now());
    wait_until(LIMIT, "three seconds without a wake-up", || {
        let seen = switches(&paddock);
        if seen != last.0 {
            last = (seen, now());
        }
        last.1.elapsed() > Duration::from_secs(3)
    });
    // The pauses that follow a change are over by then.
    assert!(began.elapsed() < LIMIT);
}
