//! Saves while the model serves hardly delay the requests of other clients.
//!
//! Two paddocks, of which one keeps contexts, take turns, so that other programs on the machine slow both down alike.

use std::time::Duration;

use paddock_e2e::harness::{Connection, Paddock, now, post};
use serde_json::{Value, json};

use crate::answer::Completes;
use crate::support::{ANSWER_LIMIT, Kind, is_long, slow_engine};

/// Number of turns of each paddock. Each begins with a new conversation, which is then saved.
const TURNS: usize = 20;

/// Minimum number of measured requests of a turn. One of them may be delayed by the save, so the save decides the slowest one.
/// The 99th percentile is at most as high.
const REQUESTS: usize = 40;

/// Number of status queries between two measured requests. A save begins only while no request is in flight.
const PAUSE_QUERIES: usize = 5;

const MAX_DELAY: Duration = Duration::from_millis(50);

struct Phases {
    paddock: Paddock,
    keeps_contexts: bool,
    /// Latency of the slowest request of each turn.
    slowest: Vec<Duration>,
}

impl Phases {
    fn start(keeps_contexts: bool) -> Self {
        let builder = paddock_e2e::paddock!();
        let engine = slow_engine(builder.directory(), 0);
        let args = Kind::Full.args();
        let paddock = builder
            .engine(engine)
            .engine_args(paddock_e2e::harness::real::SMALL)
            .model(Kind::Full.path())
            .config(&format!(
                "models.m.args = {args:?}\nmodels.m.context = 4096\nmodels.m.parallel = 2\n\
                 models.m.context_cache = {keeps_contexts}"
            ))
            .start();
        Self {
            paddock,
            keeps_contexts,
            slowest: Vec::new(),
        }
    }

    fn saved(&self) -> u64 {
        self.paddock.model()["contexts"]["saved"].as_u64().unwrap()
    }

    /// Lets one client begin a conversation, then measures the requests of another client while the conversation is
    /// saved.
    fn take_turn(&mut self, number: usize) {
        let prompt = self
            .paddock
            .tokens(&Kind::Full.text(&format!("{number} stories")));
        let before = self.saved();
        self.paddock.read(&prompt);
        let began = now();
        let mut requests = 0;
        let mut slowest = Duration::ZERO;
        while requests < REQUESTS || self.keeps_contexts && self.saved() == before {
            assert!(began.elapsed() < ANSWER_LIMIT, "no save at turn {number}");
            slowest = slowest.max(self.measure());
            requests += 1;
            for _ in 0..PAUSE_QUERIES {
                self.saved();
            }
        }
        self.slowest.push(slowest);
    }

    fn measure(&self) -> Duration {
        let body: Value = json!({"model": "m", "prompt": "ping", "n_predict": 1});
        let request = post("/completion", &body.to_string());
        let began = now();
        let answer = Connection::connect(self.paddock.public()).ask(request);
        assert_eq!(answer.status, 200, "{answer:?}");
        began.elapsed()
    }

    /// Returns the median of the turns, which a busy moment of the machine does not change.
    fn median(&mut self) -> Duration {
        self.slowest.sort_unstable();
        self.slowest[self.slowest.len() / 2]
    }
}

#[test]
fn saves_while_serving_delay_other_clients_by_less_than_50_ms() {
    if !is_long() {
        return;
    }
    let mut with = Phases::start(true);
    let mut without = Phases::start(false);
    for number in 0..TURNS {
        with.take_turn(number);
        without.take_turn(number);
    }
    let saves = with.saved();
    assert!(saves >= TURNS as u64, "{saves} saves");
    let [delayed, plain] = [with.median(), without.median()];
    println!("slowest requests with {saves} saves: {delayed:?}, without: {plain:?}");
    assert!(delayed < plain + MAX_DELAY, "{delayed:?} and {plain:?}");
}
