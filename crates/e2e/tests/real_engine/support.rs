//! The real engine, as small as it can be run.

pub(crate) use paddock_e2e::harness::real::{SMALL, engine, model};
use paddock_e2e::harness::{Connection, HttpResponse, LIMIT, Paddock, PaddockBuilder};

/// The engine with its own defaults for all that makes a start slow.
pub(crate) fn plain() -> PaddockBuilder {
    paddock_e2e::paddock!()
        .engine(engine())
        .model(model())
        .config("models.m.context = 2048")
}

/// The engine with one slot, started fast.
pub(crate) fn small() -> PaddockBuilder {
    plain().engine_args(SMALL)
}

/// Starts it and waits until the model is ready.
pub(crate) fn ready(builder: PaddockBuilder) -> Paddock {
    let paddock = builder.start();
    paddock.wait_ready();
    paddock
}

/// Asks the child itself, past paddock.
pub(crate) fn direct(paddock: &Paddock) -> Connection {
    Connection::connect(&paddock.child_address())
}

/// A request's answer with status 200.
pub(crate) fn ok(answer: HttpResponse) -> HttpResponse {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// Whether each slot is at work.
pub(crate) fn busy(paddock: &Paddock) -> Vec<bool> {
    let slots = ok(paddock.child_get("/slots")).json();
    let slots = slots.as_array().expect("slots").iter();
    slots
        .map(|slot| slot["is_processing"].as_bool().expect("a state"))
        .collect()
}

/// Waits until no slot is at work.
pub(crate) fn wait_idle(paddock: &Paddock) {
    paddock_e2e::harness::wait_until(LIMIT, "idle slots", || !busy(paddock).contains(&true));
}
