use super::*;
use crate::{Admit, Generation};
use std::collections::HashSet;
use std::time::Duration;

const MODEL: ModelId = ModelId(0);

fn spec(admit: Admit) -> ModelSpec {
    ModelSpec {
        cap: 2,
        queue_limit: 3,
        queue_timeout: Duration::from_mins(1),
        admit,
    }
}

/// Plays events to a scheduler of one model and keeps the count a gate would.
struct Script {
    scheduler: Scheduler,
    now: Instant,
    in_flight: u32,
}

impl Script {
    fn new(admit: Admit) -> Self {
        Self {
            scheduler: Scheduler::new([spec(admit)]),
            #[expect(clippy::disallowed_methods, reason = "a start to count from")]
            now: Instant::now(),
            in_flight: 0,
        }
    }

    fn play(&mut self, event: Event) -> Vec<Action> {
        let actions = self.scheduler.handle(event, self.now);
        let granted = actions
            .iter()
            .filter(|action| matches!(action, Action::Grant { .. }))
            .count();
        self.in_flight += u32::try_from(granted).unwrap();
        actions
    }

    fn request(&mut self, id: u64) -> Vec<Action> {
        let in_flight = self.in_flight;
        self.play(Event::Request {
            id: RequestId(id),
            model: MODEL,
            in_flight,
        })
    }

    fn instance(&mut self, is: InstanceIs) -> Vec<Action> {
        let in_flight = self.in_flight;
        self.play(Event::Instance {
            model: MODEL,
            is,
            in_flight,
        })
    }

    fn release(&mut self) -> Vec<Action> {
        self.in_flight -= 1;
        let in_flight = self.in_flight;
        self.play(Event::Released {
            model: MODEL,
            in_flight,
        })
    }

    fn later(&mut self, seconds: u64) -> Vec<Action> {
        self.now += Duration::from_secs(seconds);
        self.play(Event::Tick)
    }
}

fn open(generation: u32) -> Action {
    Action::Open {
        model: MODEL,
        generation: Generation(generation),
    }
}

const SHUT: Action = Action::Shut { model: MODEL };

fn grant(id: u64) -> Action {
    Action::Grant {
        id: RequestId(id),
        model: MODEL,
    }
}

fn refuse(id: u64, refusal: Refusal) -> Action {
    Action::Refuse {
        id: RequestId(id),
        refusal,
    }
}

const READY: InstanceIs = InstanceIs::Ready(Generation(1));

#[test]
fn requests_wait_for_the_load_and_then_go_in_order() {
    let mut script = Script::new(Admit::WhenReady);
    assert_eq!(script.request(1), []);
    assert_eq!(script.request(2), []);
    assert_eq!(script.instance(InstanceIs::Listening(Generation(1))), []);
    assert_eq!(script.instance(READY), [grant(1), grant(2), open(1)]);
}

#[test]
fn a_model_that_admits_when_listening_opens_while_it_loads() {
    let mut script = Script::new(Admit::WhenListening);
    let listening = InstanceIs::Listening(Generation(1));
    assert_eq!(script.instance(listening), [open(1)]);
    assert_eq!(script.instance(READY), []);
}

#[test]
fn the_gate_stays_shut_while_somebody_is_queued() {
    let mut script = Script::new(Admit::WhenReady);
    assert_eq!(script.instance(READY), [open(1)]);
    script.in_flight = 2;
    assert_eq!(script.request(1), [SHUT]);
    assert_eq!(script.request(2), []);
    assert_eq!(script.release(), [grant(1)]);
    assert_eq!(script.release(), [grant(2), open(1)]);
}

#[test]
fn a_full_queue_refuses() {
    let mut script = Script::new(Admit::WhenReady);
    for id in 1..=3 {
        assert_eq!(script.request(id), []);
    }
    assert_eq!(script.request(4), [refuse(4, Refusal::QueueFull)]);
}

#[test]
fn a_wait_ends_at_its_limit_with_its_reason() {
    let mut script = Script::new(Admit::WhenReady);
    script.request(1);
    assert_eq!(
        script.scheduler.next_deadline(),
        Some(script.now + Duration::from_mins(1))
    );
    assert_eq!(script.later(60), [refuse(1, Refusal::StillLoading)]);
    script.instance(READY);
    script.in_flight = 2;
    script.request(2);
    assert_eq!(script.later(60), [refuse(2, Refusal::TimedOut), open(1)]);
}

#[test]
fn a_client_that_leaves_the_queue_gives_way() {
    let mut script = Script::new(Admit::WhenReady);
    script.instance(READY);
    script.in_flight = 2;
    assert_eq!(script.request(1), [SHUT]);
    assert_eq!(script.play(Event::Cancel { id: RequestId(1) }), [open(1)]);
}

#[test]
fn a_death_shuts_the_gate_and_the_next_generation_opens_it() {
    let mut script = Script::new(Admit::WhenReady);
    script.instance(READY);
    assert_eq!(script.instance(InstanceIs::Loading), [SHUT]);
    assert_eq!(script.request(1), []);
    assert_eq!(
        script.instance(InstanceIs::Ready(Generation(2))),
        [grant(1), open(2)]
    );
}

#[test]
fn a_model_that_does_not_load_refuses_at_once() {
    let mut script = Script::new(Admit::WhenReady);
    script.request(1);
    assert_eq!(
        script.instance(InstanceIs::Failed),
        [refuse(1, Refusal::LoadFailed)]
    );
    assert_eq!(script.request(2), [refuse(2, Refusal::LoadFailed)]);
}

#[test]
fn shutdown_lets_what_is_in_flight_finish() {
    let mut script = Script::new(Admit::WhenReady);
    script.instance(READY);
    script.in_flight = 2;
    script.request(1);
    let deadline = script.now + Duration::from_secs(30);
    assert_eq!(
        script.play(Event::Shutdown { deadline }),
        [SHUT, refuse(1, Refusal::ShuttingDown)]
    );
    assert_eq!(script.request(2), [refuse(2, Refusal::ShuttingDown)]);
    assert_eq!(script.release(), []);
    assert_eq!(script.release(), [Action::Stop { model: MODEL }]);
    assert_eq!(script.later(30), []);
    assert_eq!(script.scheduler.next_deadline(), None);
}

#[test]
fn shutdown_cuts_at_the_deadline() {
    let mut script = Script::new(Admit::WhenReady);
    script.instance(READY);
    script.in_flight = 1;
    let deadline = script.now + Duration::from_secs(30);
    script.play(Event::Shutdown { deadline });
    assert_eq!(script.scheduler.next_deadline(), Some(deadline));
    assert_eq!(
        script.later(30),
        [Action::Cut { model: MODEL }, Action::Stop { model: MODEL }]
    );
}

/// Random events; after each one, what must always hold. The seed is printed on failure.
#[test]
fn whatever_happens_every_request_is_answered_once_and_the_cap_holds() {
    for seed in 0..2_000 {
        simulate(seed);
    }
}

fn simulate(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut script = Script::new(Admit::WhenReady);
    let mut waiting = HashSet::new();
    let mut generation = 0;
    for id in 0..random.u64(20..200) {
        let actions = match random.u8(0..10) {
            0..4 => {
                waiting.insert(id);
                script.request(id)
            }
            4..6 if script.in_flight > 0 => script.release(),
            6 => {
                generation += 1;
                script.instance(InstanceIs::Ready(Generation(generation)))
            }
            7 => script.instance(
                *random
                    .choice(&[InstanceIs::Loading, InstanceIs::Failed])
                    .unwrap(),
            ),
            8 => {
                let gone = random.u64(0..=id);
                waiting.remove(&gone);
                script.play(Event::Cancel {
                    id: RequestId(gone),
                })
            }
            _ => script.later(random.u64(0..30)),
        };
        for action in actions {
            if let Action::Grant { id, .. } | Action::Refuse { id, .. } = action {
                assert!(waiting.remove(&id.0), "seed {seed}: {id:?} answered twice");
            }
        }
        let model = &script.scheduler.models[0];
        assert!(
            script.in_flight <= model.spec.cap,
            "seed {seed}: above the cap"
        );
        assert!(model.queue.len() <= model.spec.queue_limit, "seed {seed}");
        assert!(
            !model.open || model.queue.is_empty(),
            "seed {seed}: open past a queue"
        );
        assert!(
            !model.open || model.routable().is_some(),
            "seed {seed}: open to nothing"
        );
        assert_eq!(
            model.queue.len(),
            waiting.len(),
            "seed {seed}: a request was lost"
        );
    }
    script.later(60);
    assert_eq!(
        script.scheduler.queued(MODEL),
        0,
        "seed {seed}: a wait without end"
    );
}
