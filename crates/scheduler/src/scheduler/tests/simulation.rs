//! Thousands of random histories, each checked after every event.
//!
//! A failure prints its seed and the command that replays it: with `PADDOCK_SIM_SEED` set, the test plays the
//! history of that seed alone and prints its events.

mod events;
mod line;

use super::*;
use crate::model::UnloadReason;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU32;

const SEEDS: u64 = 10_000;
const STEPS: usize = 500;

/// Names the seed of the one history to replay.
const SEED_VARIABLE: &str = "PADDOCK_SIM_SEED";

/// The simulated child of one model.
#[derive(Default)]
struct Child {
    memory: Memory,
    process: Process,
    inspecting: bool,
    trying: bool,
    /// The engine has loaded the files before.
    is_proven: bool,
    /// The leases of requests, granted or passed.
    leases: Vec<Option<RequestId>>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Process {
    #[default]
    None,
    Loading,
    Ready,
    /// Told to stop.
    Stopping,
}

struct World {
    scheduler: Scheduler,
    random: fastrand::Rng,
    start: Instant,
    now: Instant,
    epoch: Epoch,
    gates: Vec<Arc<Gate>>,
    specs: Vec<ModelSpec>,
    /// The pinned models, whether by the operator or the configuration.
    pinned: Vec<bool>,
    children: Vec<Child>,
    budget: Memory,
    /// The latest moment at which each queued request must be answered.
    queued: HashMap<RequestId, (ModelId, Instant)>,
    answered: HashSet<RequestId>,
    removed: HashSet<ModelId>,
    generations: u32,
    last_id: u64,
    shut_down: bool,
    grants: u64,
    evictions: u64,
    /// Prints each event.
    is_replayed: bool,
}

#[test]
fn random_histories_keep_the_promises() {
    if let Some(seed) = replayed_seed() {
        play_history(seed, true);
        return;
    }
    let (mut grants, mut evictions) = (0, 0);
    for seed in 0..SEEDS {
        let outcome = std::panic::catch_unwind(|| play_history(seed, false));
        let Ok(world) = outcome else {
            panic!(
                "the history of seed {seed} breaks a promise; replay it with `{SEED_VARIABLE}={seed} cargo test -p \
                 paddock-scheduler random_histories -- --nocapture`"
            );
        };
        grants += world.grants;
        evictions += world.evictions;
    }
    assert!(
        grants > 5 * SEEDS,
        "{grants} grants are too few to tell anything"
    );
    assert!(
        evictions > SEEDS,
        "{evictions} evictions are too few to tell anything"
    );
}

/// Returns the seed of the history to replay, if any.
fn replayed_seed() -> Option<u64> {
    let seed = std::env::var(SEED_VARIABLE).ok()?;
    Some(seed.parse().expect("PADDOCK_SIM_SEED is a number"))
}

fn play_history(seed: u64, is_replayed: bool) -> World {
    let mut world = World::new(seed);
    world.is_replayed = is_replayed;
    for _ in 0..STEPS {
        world.step();
    }
    world.finish();
    world
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        #[expect(clippy::disallowed_methods, reason = "a start to count from")]
        let now = Instant::now();
        let epoch = Epoch::new(now);
        let budget = Memory::budget(random.u64(20..60), NonZeroU32::new(random.u32(0..4)))
            .with_device(0, 20);
        let policy = Policy {
            queue_limit: random.usize(1..12),
            queue_timeout: secs(random.u64(10..300)),
            max_wait: secs(random.u64(1..40)),
            min_residency: secs(random.u64(0..8)),
        };
        let mut world = Self {
            scheduler: Scheduler::new(policy, budget, epoch),
            random,
            start: now,
            now,
            epoch,
            gates: Vec::new(),
            specs: Vec::new(),
            pinned: Vec::new(),
            children: Vec::new(),
            budget,
            queued: HashMap::new(),
            answered: HashSet::new(),
            removed: HashSet::new(),
            generations: 0,
            last_id: 0,
            shut_down: false,
            grants: 0,
            evictions: 0,
            is_replayed: false,
        };
        for _ in 0..world.random.usize(1..7) {
            world.add();
        }
        world
    }

    fn add(&mut self) {
        let spec = ModelSpec {
            cap: self.random.u32(1..4),
            admit: Admission::WhenReady,
            keep_alive: self.random.bool().then(|| secs(self.random.u64(0..60))),
            pinned: self.random.u8(0..8) == 0,
            keep_loaded: self.random.u8(0..8) == 0,
        };
        let gate = Arc::new(Gate::default());
        let at = self.scheduler.add(spec, Arc::clone(&gate), self.now);
        assert_eq!(at.0, self.gates.len());
        self.gates.push(gate);
        self.specs.push(spec);
        self.pinned.push(spec.pinned);
        self.children.push(Child {
            memory: Memory::needed(self.random.u64(1..40)).with_device(0, self.random.u64(0..22)),
            ..Child::default()
        });
    }

    fn model(&mut self) -> ModelId {
        ModelId(self.random.usize(0..self.gates.len()))
    }

    fn play(&mut self, event: Event) {
        if self.is_replayed {
            println!("{:?} {event:?}", self.now - self.start);
        }
        for action in self.scheduler.handle(event, self.now) {
            self.obey(action);
        }
        self.check();
    }

    fn obey(&mut self, action: Action) {
        match action {
            Action::Grant { id, model, .. } => {
                assert!(
                    self.queued.remove(&id).is_some(),
                    "{id:?} was granted and had not waited"
                );
                assert!(self.answered.insert(id), "{id:?} was answered twice");
                let child = &mut self.children[model.0];
                assert!(child.process == Process::Ready, "{model:?} is not ready");
                child.leases.push(Some(id));
                self.grants += 1;
            }
            Action::Refuse { id, .. } => {
                // A refusal may come before its request is known to be queued.
                self.queued.remove(&id);
                assert!(self.answered.insert(id), "{id:?} was answered twice");
            }
            Action::Inspect { model } => {
                let child = &mut self.children[model.0];
                (child.inspecting, child.trying) = (true, false);
            }
            Action::Try { model } => self.children[model.0].trying = true,
            Action::Start { model } => self.start(model),
            Action::Stop { model } => {
                let child = &mut self.children[model.0];
                assert!(
                    matches!(child.process, Process::Loading | Process::Ready),
                    "{model:?} is stopped and has no process"
                );
                assert!(child.leases.is_empty(), "{model:?} is stopped and busy");
                child.process = Process::Stopping;
            }
            Action::Cut { model } => {
                assert!(
                    self.shut_down,
                    "{model:?} is cut though nothing is stopping"
                );
                let leases = std::mem::take(&mut self.children[model.0].leases);
                for _ in leases {
                    let _ = self.gates[model.0].release(self.epoch.stamp(self.now));
                }
            }
            Action::Note { model, note } => self.heed(model, &note),
            Action::Prefetch { .. } => {}
        }
    }

    fn start(&mut self, model: ModelId) {
        let child = &mut self.children[model.0];
        assert!(child.process == Process::None, "{model:?} is started twice");
        child.process = Process::Loading;
        child.is_proven = true;
        let used = self.scheduler.usage().used;
        // A start beyond the budget is no fault if a model was measured to hold more than expected.
        if self
            .children
            .iter()
            .all(|child| child.process == Process::None || child.memory.fits(&self.budget))
        {
            assert!(
                used.fits(&self.budget),
                "{model:?} is started beyond the budget: {used:?}"
            );
        }
    }

    fn heed(&mut self, model: ModelId, note: &Note) {
        let goes = matches!(
            note,
            Note::Evicted { .. } | Note::KeepAliveExpired { .. } | Note::OverBudget { .. }
        );
        if goes || matches!(note, Note::DrainsFor { .. }) {
            assert!(
                !self.pinned[model.0],
                "{model:?} is pinned and goes: {note:?}"
            );
            self.evictions += 1;
        }
        if let Note::Evicted { by: other, .. } | Note::DrainsFor { to: other, .. } = note {
            assert!(
                self.children[other.0].is_proven,
                "{model:?} goes for {other:?}, which may not load"
            );
        }
        if goes {
            assert!(
                self.children[model.0].leases.is_empty(),
                "{model:?} is busy and goes: {note:?}"
            );
        }
    }

    /// Checks what holds after every event.
    fn check(&mut self) {
        let mut waiting: BTreeMap<ModelId, usize> = BTreeMap::new();
        for (model, _) in self.queued.values() {
            *waiting.entry(*model).or_default() += 1;
        }
        for (at, child) in self.children.iter().enumerate() {
            let look = self.scheduler.snapshot(ModelId(at)).unwrap();
            let queued = waiting.get(&ModelId(at)).copied().unwrap_or(0);
            assert_eq!(look.queued, queued, "requests of {at} are lost");
            let leases = u32::try_from(child.leases.len()).unwrap();
            assert_eq!(look.in_flight, leases, "leases of {at} are lost");
            let has_memory = look.memory != Memory::NONE;
            assert_eq!(
                has_memory,
                child.process != Process::None,
                "{at} holds {:?}",
                look.memory
            );
            self.check_pin(at, &look);
            let open = self.gates[at].is_open();
            assert!(
                !open || (child.process == Process::Ready && queued == 0),
                "{at} is open"
            );
            if look.status == ModelStatus::Ready && queued > 0 {
                assert!(
                    look.in_flight >= self.specs[at].cap,
                    "{at} has room and lets wait"
                );
            }
        }
        self.check_line();
        let longest = self.scheduler.policy.queue_timeout;
        for (id, (_, since)) in &self.queued {
            assert!(self.now <= *since + longest, "{id:?} waits beyond its time");
        }
    }

    /// Checks that a pinned model is reported as pinned and is not drained for another one.
    fn check_pin(&self, at: usize, look: &ModelSnapshot) {
        if self.removed.contains(&ModelId(at)) {
            return;
        }
        assert_eq!(look.pinned, self.pinned[at], "the pin of {at} is lost");
        let yields = matches!(
            self.scheduler.models[at].residency,
            Residency::Draining {
                reason: UnloadReason::MakesRoom { .. },
                ..
            }
        );
        assert!(!look.pinned || !yields, "{at} is pinned and yields");
    }

    /// Ends the history with a shutdown, after which no request and no process is left.
    fn finish(&mut self) {
        self.shut_down = true;
        self.play(Event::Shutdown {
            deadline: self.now + secs(30),
        });
        assert!(self.queued.is_empty(), "{:?} are left waiting", self.queued);
        self.now += secs(30);
        self.play(Event::Tick);
        for model in (0..self.children.len()).map(ModelId) {
            if self.children[model.0].process != Process::None {
                assert!(
                    self.children[model.0].process == Process::Stopping,
                    "{model:?} stays"
                );
                self.children[model.0].process = Process::None;
                self.play(Event::Instance {
                    model,
                    status: InstanceStatus::Stopped,
                });
            }
        }
        assert!(self.scheduler.is_stopped());
    }
}
