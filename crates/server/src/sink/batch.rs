use super::Fact;
use crate::routes::{lifecycle_json, request_json};
use axum::body::Bytes;
use serde_json::Value;

/// The most facts in a batch: some 300 KB.
pub(super) const MOST: usize = 500;

/// Facts that are posted together.
#[derive(Debug)]
pub(super) struct Batch {
    /// What is posted, every time the same.
    pub(super) body: Bytes,
    /// By this the receiver knows a batch that it has taken before.
    pub(super) key: String,
    /// How many there are.
    pub(super) facts: usize,
}

impl Batch {
    /// Puts facts together, in their order, as an array of what the admin plane lists; what each is stands
    /// with it as its `type`.
    pub(super) fn of(facts: &[Fact], key: String) -> Self {
        let all: Vec<Value> = facts.iter().map(shown).collect();
        Self {
            body: Value::from(all).to_string().into(),
            key,
            facts: facts.len(),
        }
    }
}

fn shown(fact: &Fact) -> Value {
    let (kind, mut shown) = match fact {
        Fact::Request(ended) => ("request", request_json(ended)),
        Fact::Lifecycle(event) => ("lifecycle", lifecycle_json(event)),
    };
    shown["type"] = kind.into();
    shown
}
