//! What all threads share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::Value;

use super::args::Args;
use super::clock;
use super::counters::Counters;
use super::die::Point;
use super::impostor::Loot;
use super::net::Listener;
use super::results::Results;
use super::slots::Slots;

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) args: Args,
    pub(super) counters: Counters,
    pub(super) results: Arc<Results>,
    /// The requests to `/__fake/push`.
    pub(super) pushes: Results,
    pub(super) slots: Arc<Slots>,
    /// The model's name: its alias, else its path as given.
    pub(super) model: String,
    pub(super) created: u64,
    pub(super) listeners: Vec<Listener>,
    /// Requests that reached the sockets of another model.
    pub(super) loot: Arc<Loot>,
    loaded: AtomicBool,
    stopping: AtomicBool,
    hung: AtomicBool,
    lost: AtomicBool,
}

impl Server {
    pub(super) fn new(args: Args, listeners: Vec<Listener>) -> Self {
        let results = Arc::new(Results::default());
        let path = args.model.as_ref().map(|path| path.display().to_string());
        Self {
            counters: Counters::default(),
            slots: Arc::new(Slots::new(args.parallel, Arc::clone(&results))),
            results,
            pushes: Results::default(),
            model: args.alias.clone().or(path).unwrap_or_else(|| "fake".into()),
            created: clock::unix_seconds(),
            listeners,
            loot: Arc::default(),
            loaded: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            hung: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            args,
        }
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.loaded.load(SeqCst)
    }

    pub(super) fn loaded(&self) {
        self.counters.touch();
        self.loaded.store(true, SeqCst);
    }

    /// Whether the inference thread has ended: no token comes any more, no slot is given.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(SeqCst)
    }

    /// Answers nothing any more, and goes on with nothing.
    pub(super) fn hang(&self) {
        self.hung.store(true, SeqCst);
    }

    pub(super) fn is_hung(&self) -> bool {
        self.hung.load(SeqCst)
    }

    /// Returns true if the inference that a request asks for fails.
    pub(super) fn fails_to_compute(&self, request: &Value, is_completion: bool) -> bool {
        let Some(error) = &self.args.compute_error else {
            return false;
        };
        let fails = error.hits(request, is_completion, self.lost.load(SeqCst));
        if fails {
            self.lost.store(true, SeqCst);
        }
        fails
    }

    /// Whether the last step of whatever goes on is held back.
    pub(super) fn is_held(&self) -> bool {
        let hold = self.args.hold.as_ref();
        self.is_hung() || hold.is_some_and(|file| !file.exists())
    }

    /// Ends the inference thread and the listeners. Requests that run are left to themselves.
    pub(super) fn stop(&self) {
        self.stopping.store(true, SeqCst);
        for listener in &self.listeners {
            listener.stop();
        }
        self.results.announce();
    }

    /// The context of each slot.
    pub(super) fn slot_context(&self) -> u64 {
        self.args.context / self.args.parallel as u64
    }

    /// Dies here if that is ordered.
    pub(super) fn die_at(&self, point: Point) {
        if let Some(death) = self.args.die
            && death.point == point
        {
            death.happen();
        }
    }
}
