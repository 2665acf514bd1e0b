//! What a reader has been told, and what is news to it.

use serde_json::{Value, json};

/// What goes on by itself, and is no change.
const CLOCKS: [&str; 2] = ["since", "retry_after"];

/// The last status that a reader was told.
#[derive(Debug)]
pub(super) struct Seen {
    models: Vec<Value>,
    memory: Value,
}

impl Seen {
    /// A reader was told this status.
    pub(super) fn of(status: &Value) -> Self {
        Self {
            models: models(status).map(still).collect(),
            memory: status["memory"].clone(),
        }
    }

    /// What this status holds that the reader does not know yet: events and their data.
    pub(super) fn news(&mut self, status: &Value) -> Vec<(&'static str, Value)> {
        let before = std::mem::replace(self, Self::of(status));
        let known =
            |models: &[Value], id: &Value| models.iter().position(|model| &model["id"] == id);
        let mut news = Vec::new();
        for model in &before.models {
            if known(&self.models, &model["id"]).is_none() {
                news.push(("removed", json!({ "id": model["id"] })));
            }
        }
        for (model, now) in models(status).zip(&self.models) {
            let then = known(&before.models, &model["id"]).and_then(|at| before.models.get(at));
            if then != Some(now) {
                news.push(("model", model.clone()));
            }
        }
        if before.memory != self.memory {
            news.push(("memory", self.memory.clone()));
        }
        news
    }
}

fn models(status: &Value) -> impl Iterator<Item = &Value> {
    status["models"].as_array().into_iter().flatten()
}

/// A model without the times that pass: only whether there are any.
fn still(model: &Value) -> Value {
    let mut model = model.clone();
    for clock in CLOCKS {
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
        let mut seen = Seen::of(&status(
            &[("a", "ready", Some(1.0)), ("b", "unloaded", None)],
            7,
        ));
        let later = status(&[("a", "ready", Some(2.0)), ("b", "unloaded", None)], 7);
        assert_eq!(seen.news(&later), [], "time passes");
        let loads = status(&[("a", "ready", Some(3.0)), ("b", "loading", Some(0.0))], 8);
        let b = loads["models"][1].clone();
        assert_eq!(
            seen.news(&loads),
            [("model", b), ("memory", json!({ "used": 8 }))]
        );
        let other = status(&[("c", "unloaded", None), ("b", "loading", Some(0.1))], 8);
        let c = other["models"][0].clone();
        assert_eq!(
            seen.news(&other),
            [("removed", json!({ "id": "a" })), ("model", c)]
        );
        assert_eq!(seen.news(&other), []);
    }

    #[test]
    fn a_time_that_begins_to_pass_is_news() {
        let mut seen = Seen::of(&status(&[("a", "ready", None)], 7));
        assert_eq!(seen.news(&status(&[("a", "ready", Some(0.1))], 7)).len(), 1);
    }
}
