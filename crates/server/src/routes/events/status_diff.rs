//! Compares the current status with the last one that a subscriber of `GET /api/events` got.

use paddock_api::{Event, MemoryUsage, Model, RemovedModel, Status};

/// The last status that a subscriber got.
#[derive(Debug)]
pub(super) struct SentStatus {
    models: Vec<Model>,
    memory: Option<MemoryUsage>,
}

impl SentStatus {
    /// Records the status that was sent.
    pub(super) fn new(status: &Status) -> Self {
        Self {
            models: status.models.iter().map(without_clocks).collect(),
            memory: status.memory.clone(),
        }
    }

    /// Records `status` as sent and returns the events that describe its changes.
    pub(super) fn changes_to(&mut self, status: &Status) -> Vec<Event> {
        let before = std::mem::replace(self, Self::new(status));
        let mut changes = Vec::new();
        for Model { id, .. } in &before.models {
            if find(&self.models, id).is_none() {
                changes.push(Event::Removed(RemovedModel { id: id.clone() }));
            }
        }
        for (model, now) in status.models.iter().zip(&self.models) {
            if find(&before.models, &model.id) != Some(now) {
                changes.push(Event::Model(Box::new(model.clone())));
            }
        }
        if before.memory != self.memory {
            changes.extend(self.memory.clone().map(Event::Memory));
        }
        changes
    }
}

fn find<'a>(models: &'a [Model], id: &str) -> Option<&'a Model> {
    models.iter().find(|model| model.id == id)
}

/// Sets each duration that grows or shrinks with time to zero, if present, so that the passing of time is no change.
fn without_clocks(model: &Model) -> Model {
    Model {
        since: model.since.map(|_| 0.0),
        retry_after: model.retry_after.map(|_| 0.0),
        ..model.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_api::{Memory, ModelStatus};

    fn memory(used: u64) -> MemoryUsage {
        let used = Memory {
            host: Some(used),
            ..Memory::default()
        };
        MemoryUsage {
            used,
            ..MemoryUsage::default()
        }
    }

    fn status(models: &[(&str, ModelStatus, Option<f64>)], used: u64) -> Status {
        let model = |(id, status, since): &(&str, ModelStatus, Option<f64>)| Model {
            id: (*id).to_owned(),
            status: *status,
            since: *since,
            ..Model::default()
        };
        Status {
            models: models.iter().map(model).collect(),
            memory: Some(memory(used)),
            ..Status::default()
        }
    }

    #[test]
    fn only_what_has_changed_is_news() {
        use ModelStatus::{Loading, Ready, Unloaded};
        let model =
            |status: &Status, index: usize| Event::Model(Box::new(status.models[index].clone()));
        let first = status(&[("a", Ready, Some(1.0)), ("b", Unloaded, None)], 7);
        let mut sent = SentStatus::new(&first);
        let later = status(&[("a", Ready, Some(2.0)), ("b", Unloaded, None)], 7);
        assert_eq!(sent.changes_to(&later), [], "time passes");
        let loads = status(&[("a", Ready, Some(3.0)), ("b", Loading, Some(0.0))], 8);
        assert_eq!(
            sent.changes_to(&loads),
            [model(&loads, 1), Event::Memory(memory(8))]
        );
        let other = status(&[("c", Unloaded, None), ("b", Loading, Some(0.1))], 8);
        let removed = Event::Removed(RemovedModel { id: "a".to_owned() });
        assert_eq!(sent.changes_to(&other), [removed, model(&other, 0)]);
        assert_eq!(sent.changes_to(&other), []);
    }

    #[test]
    fn a_time_that_begins_to_pass_is_news() {
        let at = |since| status(&[("a", ModelStatus::Ready, since)], 7);
        let mut sent = SentStatus::new(&at(None));
        assert_eq!(sent.changes_to(&at(Some(0.1))).len(), 1);
    }
}
