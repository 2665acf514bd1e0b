//! What is counted and listed is what clients saw.

use std::collections::BTreeMap;
use std::thread;

use paddock_e2e::harness::{Connection, LIMIT, Paddock, Signal, get, post, wait_until};

use crate::support::{chat, model, stream};

/// How many clients ask, and how often each.
const CLIENTS: usize = 8;
const EACH: usize = 250;

/// What a client can see of a request: its status and how it ended.
type Seen = BTreeMap<(u16, &'static str), u64>;

/// Asks for something, and says what came of it.
fn ask(paddock: &Paddock, kept: &mut Connection, number: usize) -> (u16, &'static str) {
    match number % 10 {
        0..4 => (kept.ask(chat("m")).status, "complete"),
        4 | 5 => {
            kept.send(stream("m"));
            let status = kept.head().status;
            let (_, clean) = kept.events();
            assert!(clean);
            (status, "complete")
        }
        6 => (kept.ask(chat("nobody")).status, "refused"),
        7 => {
            // The child's own refusal of an odd request is an answer.
            let odd = post("/v1/chat/completions", r#"{"model":"m","messages":7}"#);
            let answer = kept.ask(odd);
            *kept = paddock.connect();
            (answer.status, "complete")
        }
        8 => {
            let broken = "GET /props HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
            let status = paddock.connect().ask(broken).status;
            (status, "refused")
        }
        _ => {
            let mut leaves = paddock.connect();
            let body = r#"{"model":"m","stream":true,"max_tokens":1000000,"messages":[]}"#;
            leaves.send(post("/v1/chat/completions", body));
            let status = leaves.head().status;
            leaves.event();
            (status, "client_gone")
        }
    }
}

/// The counts of `/metrics`, model and route left out.
fn counted(paddock: &Paddock) -> Seen {
    let text = paddock.admin_get("/metrics").text();
    let mut counted = Seen::new();
    for line in text.lines() {
        let Some(labels) = line.strip_prefix("paddock_requests_total{") else {
            continue;
        };
        let (labels, count) = labels.rsplit_once("} ").expect("a sample");
        let label = |name: &str| {
            let value = labels.split(&format!("{name}=\"")).nth(1);
            value
                .and_then(|rest| rest.split('"').next())
                .expect("a label")
        };
        let outcome = [
            "complete",
            "refused",
            "client_gone",
            "upstream_error",
            "cancelled",
        ];
        let outcome = outcome.into_iter().find(|known| *known == label("outcome"));
        let key = (
            label("status").parse().expect("a status"),
            outcome.expect("an outcome"),
        );
        *counted.entry(key).or_default() += count.parse::<u64>().expect("a count");
    }
    counted
}

#[test]
fn two_thousand_requests_are_counted_as_their_clients_saw_them() {
    let paddock = paddock_e2e::paddock!()
        .config("models.m.parallel = 16\nmodels.m.memory = '1MiB'\nmodels.a.path = 'm.gguf'")
        .start();
    assert_eq!(paddock.ask(chat("m")).status, 200);
    let mut seen = Seen::from([((200, "complete"), 1)]);
    thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|client| {
            let paddock = &paddock;
            scope.spawn(move || {
                let mut seen = Seen::new();
                let mut kept = paddock.connect();
                for number in 0..EACH {
                    let key = ask(paddock, &mut kept, client + number);
                    *seen.entry(key).or_default() += 1;
                }
                seen
            })
        });
        for client in clients.collect::<Vec<_>>() {
            for (key, count) in client.join().expect("a client") {
                *seen.entry(key).or_default() += count;
            }
        }
    });
    // Who leaves is seen to leave a moment later.
    wait_until(LIMIT, "every request to be counted", || {
        counted(&paddock).values().sum::<u64>() >= seen.values().sum()
    });
    assert_eq!(counted(&paddock), seen);
    let total: u64 = seen.values().sum();
    assert_eq!(total, (CLIENTS * EACH + 1) as u64);
}

#[test]
fn tokens_are_counted_and_the_last_requests_listed() {
    let paddock = paddock_e2e::paddock!().start();
    let answer = paddock.ask(chat("m")).json();
    let usage = &answer["usage"];
    assert_eq!(paddock.ask(get("/v1/models")).status, 200);
    assert_eq!(
        paddock.ask(chat("nobody")).status,
        200,
        "there is only one model"
    );
    let listed = || paddock.admin_get("/api/requests?limit=5").json()["requests"].clone();
    wait_until(LIMIT, "the requests to be listed", || {
        listed().as_array().is_some_and(|listed| listed.len() == 2)
    });
    let listed = listed();
    let first = &listed[1];
    assert_eq!(first["model"], "m");
    assert_eq!(first["route"], "chat_completions");
    assert_eq!(
        (&first["status"], &first["outcome"]),
        (&200.into(), &"complete".into())
    );
    assert_eq!(first["tokens"]["prompt"], usage["prompt_tokens"]);
    assert_eq!(first["tokens"]["generated"], usage["completion_tokens"]);
    assert!(first["id"].as_str().is_some_and(|id| !id.is_empty()));
    let seq = listed[0]["seq"].as_u64().expect("a number");
    let older = paddock
        .admin_get(&format!("/api/requests?before={seq}"))
        .json();
    assert_eq!(older["requests"][0], *first);
    for wrong in ["limit=0", "limit=1001", "limit=x", "before=x"] {
        let answer = paddock.admin_get(&format!("/api/requests?{wrong}"));
        assert_eq!(answer.status, 400, "{wrong}");
    }

    let text = paddock.admin_get("/metrics").text();
    let generated = 2 * usage["completion_tokens"].as_u64().expect("a number");
    for line in [
        format!("paddock_tokens_total{{model=\"m\",kind=\"generated\"}} {generated}"),
        "paddock_time_to_first_token_seconds".to_owned(),
        "paddock_request_duration_seconds_count{model=\"m\"} 2".to_owned(),
        "paddock_model_loads_total{model=\"m\",outcome=\"complete\"} 1".to_owned(),
        "paddock_model_ready{model=\"m\"} 1".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    assert!(model(&paddock, "m")["pid"].is_u64());
    paddock.child().signal(Signal::KILL);
    wait_until(LIMIT, "the failure to be counted", || {
        let text = paddock.admin_get("/metrics").text();
        text.contains("paddock_child_failures_total{model=\"m\",class=\"killed\"} 1")
    });
}
