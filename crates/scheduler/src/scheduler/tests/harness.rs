//! The harness of scripted tests: a scheduler, its clock, and its actions.

use super::*;

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn mib(mib: u64) -> Memory {
    Memory::needed(mib << 20)
}

/// Plays events to a scheduler, keeps the clock and collects the actions.
pub(super) struct Harness {
    pub(super) scheduler: Scheduler,
    pub(super) now: Instant,
    epoch: Epoch,
    gates: Vec<Arc<Gate>>,
    sizes: Vec<Memory>,
    starts: u32,
    last_id: u64,
    /// The actions since the last call of `take_actions`.
    actions: Vec<Action>,
    pub(super) notes: Vec<(ModelId, Note)>,
}

pub(super) const SPEC: ModelSpec = ModelSpec {
    cap: 2,
    admit: Admission::WhenReady,
    keep_alive: None,
    pinned: false,
    keep_loaded: false,
};

pub(super) const POLICY: Policy = Policy {
    queue_limit: 100,
    queue_timeout: secs(300),
    max_wait: secs(30),
    min_residency: secs(5),
};

impl Harness {
    /// Makes a scheduler with a budget and models of these sizes, in MiB.
    pub(super) fn new(budget: u64, sizes: &[u64]) -> Self {
        Self::with(budget, sizes, SPEC)
    }

    pub(super) fn with(budget: u64, sizes: &[u64], spec: ModelSpec) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a start to count from")]
        let now = Instant::now();
        let epoch = Epoch::new(now);
        let mut scheduler = Scheduler::new(POLICY, Memory::budget(budget << 20, None), epoch);
        let gates: Vec<_> = sizes.iter().map(|_| Arc::new(Gate::default())).collect();
        for gate in &gates {
            scheduler.add(spec, Arc::clone(gate), now);
        }
        Self {
            scheduler,
            now,
            epoch,
            gates,
            sizes: sizes.iter().map(|size| mib(*size)).collect(),
            starts: 0,
            last_id: 0,
            actions: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn play(&mut self, event: Event) {
        for action in self.scheduler.handle(event, self.now) {
            match action {
                Action::Note { model, note } => self.notes.push((model, note)),
                action => self.actions.push(action),
            }
        }
    }

    /// Returns the actions since the last call.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Sends a request of a new client.
    pub(super) fn request(&mut self, model: usize) -> RequestId {
        self.request_of(model, self.last_id + 1000)
    }

    pub(super) fn request_of(&mut self, model: usize, client: u64) -> RequestId {
        self.last_id += 1;
        let id = RequestId(self.last_id);
        self.play(Event::Request {
            id,
            model: ModelId(model),
            client: ClientId(client),
            takes_slot: true,
        });
        id
    }

    pub(super) fn inspected(&mut self, model: usize) {
        let memory = self.sizes[model];
        self.play(Event::Inspected {
            model: ModelId(model),
            demand: Some(Demand {
                memory,
                load: secs(2),
                is_proven: true,
            }),
        });
    }

    pub(super) fn instance(&mut self, model: usize, status: InstanceStatus) {
        self.play(Event::Instance {
            model: ModelId(model),
            status,
        });
    }

    pub(super) fn ready(&mut self, model: usize) {
        self.starts += 1;
        self.instance(model, InstanceStatus::Ready(Generation(self.starts)));
    }

    pub(super) fn stopped(&mut self, model: usize) {
        self.instance(model, InstanceStatus::Stopped);
    }

    /// Pins or unpins a model for the operator.
    pub(super) fn pin(&mut self, model: usize, pinned: bool) {
        self.play(Event::Pin {
            model: ModelId(model),
            pinned,
        });
    }

    /// Sends a request that does not count as use of its model. Returns true if it passes.
    pub(super) fn observes(&self, model: usize) -> bool {
        self.scheduler.observe(ModelId(model)).is_some()
    }

    /// Ends the lease of a request that does not count as use of its model.
    pub(super) fn release_unused(&mut self, model: usize) {
        self.gates[model].release_unused();
        self.play(Event::Released {
            model: ModelId(model),
        });
    }

    /// Ends a lease.
    pub(super) fn release(&mut self, model: usize) {
        if self.gates[model].release(self.epoch.stamp(self.now)) {
            self.play(Event::Released {
                model: ModelId(model),
            });
        }
    }

    /// Returns true if a request passes the gate by itself.
    pub(super) fn passes(&self, model: usize) -> bool {
        self.gates[model].try_acquire(2).is_some()
    }

    /// Advances the clock, with every tick that is due.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self
            .scheduler
            .next_deadline(self.now)
            .filter(|due| *due <= end)
        {
            self.now = self.now.max(due);
            self.play(Event::Tick);
            let next = self.scheduler.next_deadline(self.now);
            assert!(
                next.is_none_or(|next| next > due),
                "the deadline that has come is the next one once more"
            );
        }
        self.now = end;
    }

    /// Loads a model for a request, which then ends.
    pub(super) fn loaded(&mut self, model: usize) {
        self.request(model);
        self.inspected(model);
        self.ready(model);
        self.release(model);
        assert_eq!(self.status(model), ModelStatus::Ready);
        self.take_actions();
    }

    pub(super) fn status(&self, model: usize) -> ModelStatus {
        self.scheduler.snapshot(ModelId(model)).unwrap().status
    }

    pub(super) fn queued(&self, model: usize) -> usize {
        self.scheduler.snapshot(ModelId(model)).unwrap().queued
    }

    /// Returns the requests that the last actions granted.
    pub(super) fn granted(&mut self) -> Vec<u64> {
        self.take_actions()
            .iter()
            .filter_map(|action| match action {
                Action::Grant { id, .. } => Some(id.0),
                _ => None,
            })
            .collect()
    }

    pub(super) fn refused(&mut self) -> Vec<(u64, Refusal)> {
        self.take_actions()
            .iter()
            .filter_map(|action| match action {
                Action::Refuse { id, refusal, .. } => Some((id.0, *refusal)),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn starts(model: usize) -> Action {
    Action::Start {
        model: ModelId(model),
    }
}

pub(super) fn stops(model: usize) -> Action {
    Action::Stop {
        model: ModelId(model),
    }
}

pub(super) fn inspects(model: usize) -> Action {
    Action::Inspect {
        model: ModelId(model),
    }
}

pub(super) fn prefetches(model: usize) -> Action {
    Action::Prefetch {
        model: ModelId(model),
    }
}
