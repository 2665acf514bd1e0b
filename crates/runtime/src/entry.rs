use super::death::Row;
use super::inspect::Found;
use super::repeats::Repeats;
use super::tally::Tally;
use crate::learned::FileIdentity;
use paddock_admission::error::LoadFailure;
use paddock_admission::model::Model;
use paddock_config as config;
use paddock_scheduler::Memory;
use paddock_supervisor::{Instance, Logs};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What the actor knows of a model besides what the scheduler does.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) config: Arc<config::Model>,
    pub(super) model: Arc<Model>,
    /// It is no longer configured.
    pub(super) removed: bool,
    /// Its instance, where there is one.
    pub(super) running: Option<Running>,
    /// The output of its children, of all instances.
    pub(super) logs: Logs,
    /// How often its files have been looked at; an older answer is of older files.
    pub(super) inspections: u64,
    /// What was found the last time.
    pub(super) found: Option<Arc<Found>>,
    /// The files that the engine has loaded, or has begun to load in a trial.
    pub(super) proven: Option<FileIdentity>,
    /// Why it does not load, or did not stay.
    pub(super) failed: Option<Failed>,
    /// The failures of the model that have been logged and counted.
    pub(super) repeats: Repeats,
    /// How often its children have died in a row.
    pub(super) deaths: Row,
    /// How many children it has had.
    pub(super) generations: u64,
    /// When its last load ended, and how long it took.
    pub(super) last_load: Option<(Instant, Duration)>,
    /// What has become of its loads and children.
    pub(super) tally: Tally,
}

/// An instance, and which one it is.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) instance: Instance,
    /// Tells its news from those of an instance before it.
    pub(super) serial: u64,
    /// Its last child, 0 before there is one.
    pub(super) pid: u32,
    /// The last generation that was ready.
    pub(super) ready: Option<u64>,
    /// What it was seen to hold, once it was ready.
    pub(super) measured: Option<Memory>,
}

/// A failure, and what it takes to try again.
#[derive(Debug, Clone)]
pub struct Failed {
    pub failure: LoadFailure,
    /// When time can help.
    pub until: Option<Instant>,
    /// The files it failed with: with the same it would fail again. Nothing where that is not so.
    pub(super) files: Option<FileIdentity>,
    /// The restart budget was spent.
    pub(super) broke: bool,
}

impl Entry {
    pub(super) fn new(config: Arc<config::Model>, model: Arc<Model>) -> Self {
        Self {
            config,
            model,
            removed: false,
            running: None,
            logs: Logs::new(),
            inspections: 0,
            found: None,
            proven: None,
            failed: None,
            repeats: Repeats::default(),
            deaths: Row::default(),
            generations: 0,
            last_load: None,
            tally: Tally::default(),
        }
    }

    /// For how long it was loading, the last time, after this moment.
    pub(super) fn load_since(&self, since: Instant) -> Duration {
        self.last_load.map_or(Duration::ZERO, |(end, took)| {
            took.min(end.saturating_duration_since(since))
        })
    }
}
