//! Slots are busy while a response is generated, and become free with it or with its client.

use paddock_e2e::harness::{Connection, LIMIT, post, wait_until};

use crate::engine::{Engine, Kind};

fn ready(kind: Kind, slots: &str) -> Engine {
    let mut args = vec!["-c", "2048", "-np", slots];
    if kind == Kind::StandIn {
        args.extend(["--fake-token-ms", "10"]);
    }
    Engine::ready(kind, &args)
}

fn busy(engine: &Engine) -> usize {
    let slots = engine.get("/slots").json();
    let slots = slots.as_array().unwrap().iter();
    slots.filter(|slot| slot["is_processing"] == true).count()
}

fn wait_busy(engine: &Engine, wanted: usize) {
    wait_until(LIMIT, &format!("{wanted} busy slots"), || {
        busy(engine) == wanted
    });
}

/// Sends a request whose response has 900 tokens.
fn send(engine: &Engine, streamed: bool) -> Connection {
    let mut connection = engine.connect();
    let body = format!(r#"{{"prompt":"a","n_predict":900,"ignore_eos":true,"stream":{streamed}}}"#);
    connection.send(post("/completion", &body));
    connection
}

#[test]
fn a_stream_occupies_one_slot_until_its_client_leaves() {
    for kind in Kind::BOTH {
        let engine = ready(kind, "2");
        assert_eq!(busy(&engine), 0, "{kind:?}");
        let mut stream = send(&engine, true);
        stream.head();
        stream.event();
        assert_eq!(busy(&engine), 1, "{kind:?}");
        drop(stream);
        wait_busy(&engine, 0);
    }
}

/// Only a second without any other work makes the engine look for clients that left, and `/slots` is work.
#[test]
fn a_client_that_leaves_without_a_stream_is_noticed_after_a_quiet_second() {
    for kind in Kind::BOTH {
        let engine = ready(kind, "1");
        let waiting = send(&engine, false);
        wait_busy(&engine, 1);
        drop(waiting);
        match kind {
            Kind::Real => drop(engine.stderr.wait_for(LIMIT, "cancel task")),
            Kind::StandIn => wait_until(LIMIT, "no generation", || {
                engine.get("/__fake/state").json()["generations_running"] == 0
            }),
        }
        wait_busy(&engine, 0);
    }
}

#[test]
fn requests_beyond_the_slots_wait_and_are_served_in_order() {
    for kind in Kind::BOTH {
        let engine = ready(kind, "1");
        let mut first = send(&engine, true);
        first.head();
        first.event();
        let mut second = engine.connect();
        let short = |streamed| {
            post(
                "/completion",
                &format!(r#"{{"prompt":"a","n_predict":2,"stream":{streamed}}}"#),
            )
        };
        second.send(short(true));
        let mut third = engine.connect();
        third.send(short(false));
        assert_eq!(busy(&engine), 1, "{kind:?}");
        drop(first);
        second.head();
        assert!(second.events().1, "{kind:?}");
        assert_eq!(third.answer().status, 200, "{kind:?}");
    }
}
