//! The random events of a history.

use super::*;

impl World {
    /// Plays one random event.
    pub(super) fn step(&mut self) {
        let model = self.model();
        match self.random.u8(0..30) {
            0..10 => self.request(model),
            10..15 => self.end_lease(model),
            15..20 => self.child_moves(model),
            20..22 => self.inspect(model),
            22..25 => self.wait(),
            25 => self.client_leaves(),
            26 => self.operator(model),
            27 => self.reload(model),
            28 => self.measure(model),
            _ => self.crash(model),
        }
    }

    fn request(&mut self, model: ModelId) {
        if self.gates[model.0]
            .try_acquire(self.specs[model.0].cap)
            .is_some()
        {
            let child = &mut self.children[model.0];
            assert!(
                child.process == Process::Ready,
                "{model:?} lets pass and is not ready"
            );
            child.leases.push(None);
            return;
        }
        self.last_id += 1;
        let id = RequestId(self.last_id);
        self.queued.insert(id, (model, self.now));
        let client = ClientId(self.random.u64(0..4));
        let takes_slot = self.random.u8(0..5) > 0;
        self.play(Event::Request {
            id,
            model,
            client,
            takes_slot,
        });
    }

    fn end_lease(&mut self, model: ModelId) {
        let leases = &mut self.children[model.0].leases;
        if leases.is_empty() {
            return;
        }
        leases.swap_remove(self.random.usize(0..leases.len()));
        if self.gates[model.0].release(self.epoch.stamp(self.now)) {
            self.play(Event::Released { model });
        }
    }

    fn child_moves(&mut self, model: ModelId) {
        let status = match self.children[model.0].process {
            Process::Loading => match self.random.u8(0..8) {
                0 => InstanceStatus::OutOfMemory,
                1 => InstanceStatus::Failed { until: None },
                2 => InstanceStatus::Failed {
                    until: Some(self.now + secs(20)),
                },
                _ => {
                    self.generations += 1;
                    self.children[model.0].process = Process::Ready;
                    return self.play(Event::Instance {
                        model,
                        status: InstanceStatus::Ready(Generation(self.generations)),
                    });
                }
            },
            Process::Stopping => InstanceStatus::Stopped,
            Process::None | Process::Ready => return,
        };
        self.children[model.0].process = Process::None;
        self.play(Event::Instance { model, status });
    }

    fn inspect(&mut self, model: ModelId) {
        for model in (0..self.children.len()).map(ModelId).chain([model]) {
            let child = &mut self.children[model.0];
            let tried = std::mem::take(&mut child.trying);
            if std::mem::take(&mut child.inspecting) || tried {
                let memory = self.children[model.0].memory;
                let demand = Demand {
                    memory,
                    load: secs(self.random.u64(0..20)),
                    is_proven: tried || self.random.bool(),
                };
                let demand = (self.random.u8(0..10) > 0).then_some(demand);
                self.children[model.0].is_proven = demand.is_some_and(|demand| demand.is_proven);
                self.play(Event::Inspected { model, demand });
            }
        }
    }

    /// Advances the clock, tick by tick.
    fn wait(&mut self) {
        let end = self.now + Duration::from_millis(self.random.u64(1..20_000));
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
                "the deadline {due:?} comes again and again"
            );
        }
        self.now = end;
    }

    fn client_leaves(&mut self) {
        let mut ids: Vec<_> = self.queued.keys().copied().collect();
        ids.sort_unstable();
        if let Some(id) = self.random.choice(ids) {
            self.queued.remove(&id);
            self.answered.insert(id);
            self.play(Event::Cancel { id });
        }
    }

    fn operator(&mut self, model: ModelId) {
        let event = match self.random.u8(0..4) {
            0 => Event::Load { model },
            1 => Event::Unload { model },
            _ => {
                let pinned = self.random.bool();
                self.pinned[model.0] = pinned;
                Event::Pin { model, pinned }
            }
        };
        self.play(event);
    }

    fn reload(&mut self, model: ModelId) {
        match self.random.u8(0..4) {
            0 if self.gates.len() < 12 => self.add(),
            1 => {
                self.removed.insert(model);
                self.play(Event::Remove { model });
            }
            _ if self.removed.contains(&model) => {}
            _ => {
                let spec = ModelSpec {
                    pinned: self.random.u8(0..8) == 0,
                    ..self.specs[model.0]
                };
                if spec.pinned != self.specs[model.0].pinned {
                    self.pinned[model.0] = spec.pinned;
                }
                self.specs[model.0] = spec;
                let restart = self.random.bool();
                self.play(Event::Change {
                    model,
                    spec,
                    restart,
                });
            }
        }
    }

    fn measure(&mut self, model: ModelId) {
        if self.children[model.0].process == Process::Ready {
            let memory = Memory::needed(self.random.u64(1..40));
            self.children[model.0].memory = memory;
            self.play(Event::Measured { model, memory });
        }
    }

    /// Crashes a child, which the supervisor restarts.
    fn crash(&mut self, model: ModelId) {
        let child = &mut self.children[model.0];
        if child.process != Process::Ready {
            return;
        }
        child.process = Process::Loading;
        self.play(Event::Instance {
            model,
            status: InstanceStatus::Loading,
        });
        while self.children[model.0].leases.pop().is_some() {
            if self.gates[model.0].release(self.epoch.stamp(self.now)) {
                self.play(Event::Released { model });
            }
        }
    }
}
