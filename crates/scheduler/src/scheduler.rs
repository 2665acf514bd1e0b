use crate::model::{Model, Waiting};
use crate::{Action, Event, InstanceIs, ModelId, ModelSpec, Refusal, RequestId};
use std::time::Instant;

/// Decides who goes, who waits and who is refused.
#[derive(Debug)]
pub struct Scheduler {
    models: Vec<Model>,
    phase: Phase,
}

/// What is going on as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests are served.
    Serving,
    /// Nothing new is let in. Each instance stops when nothing is in flight to it, or at the
    /// deadline.
    Draining { deadline: Instant },
}

impl Scheduler {
    /// A scheduler of these models, all of them about to be loaded. A [`ModelId`] is a place in
    /// the list.
    pub fn new(models: impl IntoIterator<Item = ModelSpec>) -> Self {
        Self {
            models: models.into_iter().map(Model::new).collect(),
            phase: Phase::Serving,
        }
    }

    /// Takes an event into account and says what is to be done, in order. An event about an
    /// unknown model changes nothing.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Request {
                id,
                model,
                in_flight,
            } => self.request(id, model, in_flight, now, &mut actions),
            Event::Cancel { id } => self.cancel(id, &mut actions),
            Event::Instance {
                model,
                is,
                in_flight,
            } => self.instance(model, is, in_flight, &mut actions),
            Event::Released { model, in_flight } => self.released(model, in_flight, &mut actions),
            Event::Shutdown { deadline } => self.shutdown(deadline, &mut actions),
            Event::Tick => self.tick(now, &mut actions),
        }
        actions
    }

    /// When [`Event::Tick`] is due next, if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        let queued = self
            .models
            .iter()
            .filter_map(|model| model.queue.front().map(|waiting| waiting.until))
            .min();
        match self.phase {
            Phase::Draining { deadline } if self.models.iter().any(|model| !model.stopping) => {
                Some(deadline)
            }
            Phase::Draining { .. } | Phase::Serving => queued,
        }
    }

    /// How many requests wait for the model.
    pub fn queued(&self, model: ModelId) -> usize {
        self.models
            .get(model.0)
            .map_or(0, |model| model.queue.len())
    }

    /// A request that could not pass the gate:
    /// 1. while stopping, or when its model does not load, it is refused;
    /// 2. when the queue is full, it is refused;
    /// 3. else it waits its turn, which may be now.
    fn request(
        &mut self,
        id: RequestId,
        at: ModelId,
        in_flight: u32,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        let refusal = match model.instance {
            _ if self.phase != Phase::Serving => Some(Refusal::ShuttingDown),
            InstanceIs::Failed | InstanceIs::Stopped => Some(Refusal::LoadFailed),
            _ if model.queue.len() >= model.spec.queue_limit => Some(Refusal::QueueFull),
            _ => None,
        };
        if let Some(refusal) = refusal {
            actions.push(Action::Refuse { id, refusal });
            return;
        }
        let until = now + model.spec.queue_timeout;
        model.queue.push_back(Waiting { id, until });
        advance(at, model, in_flight, actions);
    }

    fn cancel(&mut self, id: RequestId, actions: &mut Vec<Action>) {
        for (at, model) in self.models.iter_mut().enumerate() {
            let before = model.queue.len();
            model.queue.retain(|waiting| waiting.id != id);
            if model.queue.len() < before {
                reopen(ModelId(at), model, actions);
            }
        }
    }

    fn instance(&mut self, at: ModelId, is: InstanceIs, in_flight: u32, actions: &mut Vec<Action>) {
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        let before = model.routable();
        model.instance = is;
        if before.is_some() && before != model.routable() && model.open {
            model.open = false;
            actions.push(Action::Shut { model: at });
        }
        if matches!(is, InstanceIs::Failed | InstanceIs::Stopped) {
            refuse_all(model, Refusal::LoadFailed, actions);
        }
        if self.phase == Phase::Serving {
            advance(at, model, in_flight, actions);
        }
    }

    fn released(&mut self, at: ModelId, in_flight: u32, actions: &mut Vec<Action>) {
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        match self.phase {
            Phase::Serving => advance(at, model, in_flight, actions),
            Phase::Draining { .. } if in_flight == 0 => stop(at, model, actions),
            Phase::Draining { .. } => {}
        }
    }

    /// Shuts every gate and empties every queue; asked again, it can only bring the deadline
    /// forward. The runtime answers each `Shut` with
    /// [`Event::Released`], so that a model with nothing in flight stops at once.
    fn shutdown(&mut self, deadline: Instant, actions: &mut Vec<Action>) {
        if let Phase::Draining { deadline: before } = self.phase {
            self.phase = Phase::Draining {
                deadline: before.min(deadline),
            };
            return;
        }
        self.phase = Phase::Draining { deadline };
        for (at, model) in self.models.iter_mut().enumerate() {
            model.open = false;
            actions.push(Action::Shut { model: ModelId(at) });
            refuse_all(model, Refusal::ShuttingDown, actions);
        }
    }

    fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for (at, model) in self.models.iter_mut().enumerate() {
            let refusal = model.too_long();
            while let Some(first) = model.queue.front().filter(|first| first.until <= now) {
                actions.push(Action::Refuse {
                    id: first.id,
                    refusal,
                });
                model.queue.pop_front();
            }
            if self.phase == Phase::Serving {
                reopen(ModelId(at), model, actions);
            }
        }
        if matches!(self.phase, Phase::Draining { deadline } if deadline <= now) {
            for (at, model) in self.models.iter_mut().enumerate() {
                if !model.stopping {
                    actions.push(Action::Cut { model: ModelId(at) });
                }
                stop(ModelId(at), model, actions);
            }
        }
    }
}

/// Grants as many queued requests as there is room for, first come first served. The gate is
/// open only while nobody is queued.
fn advance(at: ModelId, model: &mut Model, in_flight: u32, actions: &mut Vec<Action>) {
    if model.routable().is_none() {
        return;
    }
    if !model.queue.is_empty() && model.open {
        model.open = false;
        actions.push(Action::Shut { model: at });
    }
    let mut room = model.spec.cap.saturating_sub(in_flight);
    while room > 0 {
        let Some(next) = model.queue.pop_front() else {
            break;
        };
        actions.push(Action::Grant {
            id: next.id,
            model: at,
        });
        room -= 1;
    }
    reopen(at, model, actions);
}

fn reopen(at: ModelId, model: &mut Model, actions: &mut Vec<Action>) {
    if let (Some(generation), true, false) = (model.routable(), model.queue.is_empty(), model.open)
    {
        model.open = true;
        actions.push(Action::Open {
            model: at,
            generation,
        });
    }
}

fn stop(at: ModelId, model: &mut Model, actions: &mut Vec<Action>) {
    if !model.stopping {
        model.stopping = true;
        actions.push(Action::Stop { model: at });
    }
}

fn refuse_all(model: &mut Model, refusal: Refusal, actions: &mut Vec<Action>) {
    for waiting in model.queue.drain(..) {
        actions.push(Action::Refuse {
            id: waiting.id,
            refusal,
        });
    }
}

#[cfg(test)]
mod tests;
