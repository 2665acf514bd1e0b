//! Defines snapshots: copies of the state of all models and their memory, for people.

use super::contexts::ModelContexts;
use super::inspection::{ModelInspection, PromptCache};
use super::model_counters::ModelCounters;
use super::model_knowledge::FailedLoad;
use crate::sandbox::SandboxExemptions;
use paddock_admission::slot_queue::WaitingInEngine;
use paddock_config as config;
use paddock_scheduler::{Memory, MemoryUsage, ModelId, ModelSnapshot};
use paddock_supervisor::State;
use paddock_supervisor::sandbox::SandboxSupport;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A snapshot of all models. No scheduling decision depends on it.
#[derive(Debug)]
pub struct RuntimeSnapshot {
    /// The models, in the order of the configuration.
    pub models: Vec<ModelDetails>,
    /// Memory in use and its limits.
    pub usage: MemoryUsage,
    /// Names of the devices, in the order of [`Memory`]'s.
    pub devices: Vec<String>,
}

/// A snapshot of one model.
#[derive(Debug)]
pub struct ModelDetails {
    /// Index of the model.
    pub id: ModelId,
    /// Configuration of the model.
    pub config: Arc<config::Model>,
    /// The model's state in the scheduler.
    pub scheduling: ModelSnapshot,
    /// Requests that wait inside the child for a slot, estimated; `None` if its slots are unknown.
    pub waiting_in_engine: Option<WaitingInEngine>,
    /// State of the instance, if one exists.
    pub state: Option<State>,
    /// The last failure, if the model cannot be loaded or its child ended.
    pub failed: Option<FailedLoad>,
    /// Facts from the model's header.
    pub facts: Option<ModelFacts>,
    /// Memory predicted from the header alone, or the configured size; includes the prompt cache.
    pub predicted: Option<Memory>,
    /// The prompt cache, part of the counted memory.
    pub prompt_cache: Option<PromptCache>,
    /// Measured memory.
    pub measured: Option<Memory>,
    /// Restrictions that apply to the child, and the exemptions from them.
    pub sandbox: (SandboxSupport, SandboxExemptions),
    /// Number of children started so far.
    pub generations: u64,
    /// Time in the current state, while loading or ready.
    pub since: Option<Duration>,
    /// Counts since paddock started.
    pub counters: ModelCounters,
    /// Stored contexts and results of restores.
    pub contexts: ModelContexts,
}

/// Facts from a model's header.
#[derive(Debug)]
pub struct ModelFacts {
    pub architecture: Option<String>,
    /// Trained context in tokens.
    pub context: Option<u64>,
    pub parameters: u64,
    /// Bytes of all part files.
    pub size: u64,
}

impl ModelFacts {
    pub(super) fn from_inspection(inspection: &ModelInspection) -> Option<Self> {
        let headers = &inspection.headers.as_ref()?.model;
        let first = headers.first()?;
        Some(Self {
            architecture: first.architecture().map(str::to_owned),
            context: first.trained_context(),
            parameters: headers.iter().map(paddock_gguf::Header::parameters).sum(),
            size: headers.iter().map(|header| header.file_len).sum(),
        })
    }
}

/// Adds the counters of removed models to those of the same name: a counter reset to zero would look like a restart
/// of paddock.
pub(super) fn add_earlier_counts<'a>(
    models: impl Iterator<Item = (&'a str, &'a mut ModelCounters)>,
    removed: impl Iterator<Item = (&'a str, &'a ModelCounters)>,
) {
    let mut earlier: HashMap<&str, ModelCounters> = HashMap::new();
    for (name, counters) in removed {
        earlier.entry(name).or_default().merge(counters);
    }
    for (name, counters) in models {
        if let Some(earlier) = earlier.get(name) {
            counters.merge(earlier);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::inspection;
    use crate::inspection::ModelHeaders;
    use paddock_gguf::builder::GgufBuilder;
    use paddock_gguf::{GgmlType, Header, Value};
    use paddock_scheduler::Note;

    #[test]
    fn facts_come_from_the_headers_of_all_parts() {
        let header = |rows: u64| {
            let file = GgufBuilder::new("llama")
                .set("llama.context_length", Value::U32(64))
                .tensor("x", &[32, rows], GgmlType::F32)
                .build();
            let mut header = Header::read(&file[..]).unwrap();
            header.file_len = rows;
            header
        };
        let mut inspection = inspection();
        assert!(ModelFacts::from_inspection(&inspection).is_none());
        let headers = ModelHeaders {
            model: vec![header(2), header(3)],
            projector: None,
            draft: None,
        };
        inspection.headers = Some(Arc::new(headers));
        let facts = ModelFacts::from_inspection(&inspection).unwrap();
        assert_eq!(facts.architecture.as_deref(), Some("llama"));
        assert_eq!(facts.context, Some(64));
        assert_eq!((facts.parameters, facts.size), (32 * 5, 5));
    }

    #[test]
    fn counters_of_removed_models_go_on_under_their_name() {
        let loaded = |times: usize| {
            let mut counters = ModelCounters::default();
            for _ in 0..times {
                counters.count_note(&Note::Ready {
                    took: Duration::from_secs(1),
                });
            }
            counters
        };
        let mut models = [("a", loaded(1)), ("b", loaded(1)), ("c", loaded(0))];
        let removed = [("a", loaded(2)), ("a", loaded(3)), ("gone", loaded(9))];
        add_earlier_counts(
            models.iter_mut().map(|(name, counters)| (*name, counters)),
            removed.iter().map(|(name, counters)| (*name, counters)),
        );
        let [a, b, c] = models.map(|(_, counters)| counters.loads);
        assert_eq!(a, [("complete", 6)]);
        assert_eq!(b, [("complete", 1)]);
        assert_eq!(c, []);
    }
}
