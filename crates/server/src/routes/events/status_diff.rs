//! Compares a status with the last one that a subscriber got.

use serde_json::{Value, json};

/// Fields that change with time alone, which is no event.
const CLOCK_FIELDS: [&str; 2] = ["since", "retry_after"];

/// The last status that a subscriber got.
#[derive(Debug)]
pub(super) struct SentStatus {
    models: Vec<Value>,
    memory: Value,
}

impl SentStatus {
    /// Records the status that was sent.
    pub(super) fn new(status: &Value) -> Self {
        Self {
            models: models(status).map(without_clocks).collect(),
            memory: status["memory"].clone(),
        }
    }

    /// Records `status` as sent and returns the events, with data, that describe its changes.
    pub(super) fn changes_to(&mut self, status: &Value) -> Vec<(&'static str, Value)> {
        let before = std::mem::replace(self, Self::new(status));
        let position =
            |models: &[Value], id: &Value| models.iter().position(|model| &model["id"] == id);
        let mut changes = Vec::new();
        for model in &before.models {
            if position(&self.models, &model["id"]).is_none() {
                changes.push(("removed", json!({ "id": model["id"] })));
            }
        }
        for (model, now) in models(status).zip(&self.models) {
            let previous =
                position(&before.models, &model["id"]).and_then(|index| before.models.get(index));
            if previous != Some(now) {
                changes.push(("model", model.clone()));
            }
        }
        if before.memory != self.memory {
            changes.push(("memory", self.memory.clone()));
        }
        changes
    }
}

fn models(status: &Value) -> impl Iterator<Item = &Value> {
    status["models"].as_array().into_iter().flatten()
}

/// Replaces the clock fields of a model by whether they are set.
fn without_clocks(model: &Value) -> Value {
    let mut model = model.clone();
    for clock in CLOCK_FIELDS {
        model[clock] = json!(!model[clock].is_null());
    }
    model
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(models: &[(&str, &str, Option<f64>)], used: u64) -> Value {
        let models = models.iter();
        let models =
            models.map(|(id, status, since)| json!({ "id": id, "status": status, "since": since }));
        json!({ "models": models.collect::<Vec<_>>(), "memory": { "used": used } })
    }

    #[test]
    fn only_what_has_changed_is_news() {
        let mut sent = SentStatus::new(&status(
            &[("a", "ready", Some(1.0)), ("b", "unloaded", None)],
            7,
        ));
        let later = status(&[("a", "ready", Some(2.0)), ("b", "unloaded", None)], 7);
        assert_eq!(sent.changes_to(&later), [], "time passes");
        let loads = status(&[("a", "ready", Some(3.0)), ("b", "loading", Some(0.0))], 8);
        let b = loads["models"][1].clone();
        assert_eq!(
            sent.changes_to(&loads),
            [("model", b), ("memory", json!({ "used": 8 }))]
        );
        let other = status(&[("c", "unloaded", None), ("b", "loading", Some(0.1))], 8);
        let c = other["models"][0].clone();
        assert_eq!(
            sent.changes_to(&other),
            [("removed", json!({ "id": "a" })), ("model", c)]
        );
        assert_eq!(sent.changes_to(&other), []);
    }

    #[test]
    fn a_time_that_begins_to_pass_is_news() {
        let mut sent = SentStatus::new(&status(&[("a", "ready", None)], 7));
        assert_eq!(
            sent.changes_to(&status(&[("a", "ready", Some(0.1))], 7))
                .len(),
            1
        );
    }
}
