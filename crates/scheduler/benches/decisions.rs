//! Measures the cost of a decision for growing numbers of models and queued requests.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use paddock_scheduler::{
    Action, Admission, ClientId, Demand, Epoch, Event, Gate, Generation, InstanceStatus, Memory,
    ModelId, ModelSpec, Policy, RequestId, Scheduler,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SPEC: ModelSpec = ModelSpec {
    cap: 4,
    admit: Admission::WhenReady,
    keep_alive: Some(Duration::from_mins(10)),
    pinned: false,
    keep_loaded: false,
};

const POLICY: Policy = Policy {
    queue_limit: 100_000,
    queue_timeout: Duration::from_mins(5),
    max_wait: Duration::from_secs(30),
    min_residency: Duration::from_secs(5),
};

/// A scheduler with models of one byte each: the first `loaded` are loaded and in use, and requests wait for
/// the others in turn.
struct World {
    scheduler: Scheduler,
    gates: Vec<Arc<Gate>>,
    epoch: Epoch,
    now: Instant,
    last_id: u64,
    models: usize,
    loaded: usize,
}

impl World {
    fn new(models: usize, loaded: usize, queued: usize) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a start to count from")]
        let now = Instant::now();
        let epoch = Epoch::new(now);
        let budget = Memory::budget(loaded as u64, None);
        let mut scheduler = Scheduler::new(POLICY, budget, epoch);
        let gates: Vec<_> = (0..models).map(|_| Arc::new(Gate::default())).collect();
        for gate in &gates {
            scheduler.add(SPEC, Arc::clone(gate), now);
        }
        let mut world = Self {
            scheduler,
            gates,
            epoch,
            now,
            last_id: 0,
            models,
            loaded,
        };
        for model in (0..loaded).map(ModelId) {
            // One request stays in flight, so that the model is in use.
            world.request(model);
            world.inspected(model);
            let status = InstanceStatus::Ready(Generation(1));
            world.play(Event::Instance { model, status });
        }
        for at in 0..queued {
            let model = ModelId(loaded + at % (models - loaded).max(1));
            if model.0 < models {
                world.request(model);
                world.inspected(model);
            }
        }
        world
    }

    fn play(&mut self, event: Event) -> Vec<Action> {
        self.scheduler.handle(event, self.now)
    }

    fn inspected(&mut self, model: ModelId) {
        let demand = Some(Demand {
            memory: Memory::needed(1),
            load: Duration::from_secs(1),
            is_proven: true,
        });
        self.play(Event::Inspected { model, demand });
    }

    fn request(&mut self, model: ModelId) -> RequestId {
        self.last_id += 1;
        let id = RequestId(self.last_id);
        self.play(Event::Request {
            id,
            model,
            client: ClientId(self.last_id % 100),
            takes_slot: true,
        });
        id
    }

    fn release(&mut self, model: ModelId) -> Vec<Action> {
        let gate = &self.gates[model.0];
        if gate.release(self.epoch.stamp(self.now)) {
            self.play(Event::Released { model })
        } else {
            Vec::new()
        }
    }
}

const SIZES: [(usize, usize, usize); 4] = [
    (10, 5, 100),
    (100, 10, 1_000),
    (1_000, 20, 10_000),
    (1_000, 500, 10_000),
];

fn decisions(criterion: &mut Criterion) {
    for (models, loaded, queued) in SIZES {
        let name = format!("{models} models, {loaded} loaded, {queued} queued");
        let mut group = criterion.benchmark_group(name);
        let mut world = World::new(models, loaded, queued);
        group.bench_function("a request joins a queue and leaves it", |bencher| {
            bencher.iter(|| {
                let last = ModelId(world.models - 1);
                let id = world.request(last);
                black_box(world.play(Event::Cancel { id }))
            });
        });
        let now = world.now;
        group.bench_function("when the next tick is due", |bencher| {
            bencher.iter(|| black_box(world.scheduler.next_deadline(now)));
        });
        group.bench_function("a busy model has room for its next request", |bencher| {
            let busy = ModelId(0);
            for _ in 0..8 {
                world.request(busy);
            }
            bencher.iter(|| {
                world.request(busy);
                black_box(world.release(busy))
            });
        });
        group.bench_function(
            "a model falls idle and the first in line gets its place",
            |bencher| {
                bencher.iter_batched(
                    || {
                        let mut world = World::new(models, loaded, queued);
                        world.now += Duration::from_secs(10);
                        world
                    },
                    |mut world| {
                        let last = ModelId(world.loaded - 1);
                        black_box(world.release(last));
                        world
                    },
                    BatchSize::LargeInput,
                );
            },
        );
        group.finish();
    }
}

fn leases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a lease for a warm model");
    for models in [1, 1_000] {
        let world = World::new(models, models, 0);
        let stamp = world.epoch.stamp(world.now);
        let mut at = 0;
        group.bench_function(BenchmarkId::from_parameter(models), |bencher| {
            bencher.iter(|| {
                at = (at + 1) % models;
                let gate = &world.gates[at];
                black_box(gate.try_acquire(4));
                black_box(gate.release(stamp))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions, leases);
criterion_main!(benches);
