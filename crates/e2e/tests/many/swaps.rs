use crate::support::{answered_by, b_waits_for_a, chat, decisions, model, three, wait_status};
use paddock_e2e::harness::{Connection, LIMIT, wait_until};
use std::thread;

#[test]
fn a_hundred_first_requests_are_one_load() {
    let paddock = three().engine_args(["--fake-load-ms", "300"]).start();
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| assert_eq!(answered_by(&paddock.ask(chat("a"))), "a"));
        }
    });
    let children = paddock.processes();
    let children = children.iter().filter(|(_, line)| line.contains("--alias"));
    assert_eq!(children.count(), 1);
    assert_eq!(model(&paddock, "a")["restarts"], 0);
}

#[test]
fn an_idle_model_goes_for_another_and_both_are_explained() {
    let paddock = three().start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    assert_eq!(answered_by(&paddock.ask(chat("b"))), "b");
    assert_eq!(model(&paddock, "a")["status"], "unloaded");
    assert!(decisions(&paddock, "a").contains("a was evicted to make room for b"));
    assert!(decisions(&paddock, "b").contains("unloading a to free memory"));
}

#[test]
fn a_stream_is_never_cut_for_another_model() {
    let (paddock, mut streaming, mut other) = b_waits_for_a();
    // Who comes now waits for the next turn.
    let mut late = Connection::connect(paddock.public());
    late.send(chat("a"));
    wait_until(LIMIT, "the late one to wait", || {
        model(&paddock, "a")["queued"] == 1
    });
    paddock.release_streams();
    let (events, clean) = streaming.events();
    assert!(clean, "the stream was cut");
    assert_eq!(events.last().unwrap().data(), "[DONE]");
    assert_eq!(answered_by(&other.answer()), "b");
    assert_eq!(answered_by(&late.answer()), "a");
    assert!(decisions(&paddock, "a").contains("has waited"));
}

#[test]
fn clients_that_alternate_cause_far_fewer_swaps_than_requests() {
    let paddock = three()
        .engine_args(["--fake-load-ms", "50"])
        .config("scheduler.max_wait = '500ms'")
        .start();
    thread::scope(|scope| {
        for client in 0..8 {
            let paddock = &paddock;
            scope.spawn(move || {
                for round in 0..15 {
                    let name = if (client + round) % 2 == 0 { "a" } else { "b" };
                    assert_eq!(answered_by(&paddock.ask(chat(name))), name);
                }
            });
        }
    });
    let loads: u64 = ["a", "b"]
        .iter()
        .map(|name| decisions(&paddock, name).matches("was ready after").count() as u64)
        .sum();
    assert!(loads <= 40, "{loads} loads for 120 requests");
}

#[test]
fn a_model_nobody_uses_goes_after_its_keep_alive() {
    let paddock = three().config("models.a.keep_alive = '200ms'").start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    wait_status(&paddock, "a", "unloaded");
    assert!(decisions(&paddock, "a").contains("its keep_alive"));
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
}

#[test]
fn a_load_that_is_given_up_makes_room_for_the_model_that_waits() {
    let builder = three();
    let never = builder.directory().join("never");
    let args = format!("models.a.args = ['--fake-hold-load', {never:?}]");
    let paddock = builder
        .config(&args)
        .config("scheduler.max_wait = '1h'")
        .start();
    let mut client = Connection::connect(paddock.public());
    client.send(chat("a"));
    wait_until(LIMIT, "the load to begin", || {
        !model(&paddock, "a")["pid"].is_null()
    });
    let mut other = Connection::connect(paddock.public());
    other.send(chat("b"));
    wait_until(LIMIT, "the other model to wait for room", || {
        decisions(&paddock, "b").contains("b is waiting for memory")
    });
    drop(client);
    assert_eq!(answered_by(&other.answer()), "b");
    assert!(decisions(&paddock, "a").contains("a was evicted to make room for b"));
}
