//! Holds the state that all threads of the fake llama-server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::Value;

use super::clock;
use super::counters::Counters;
use super::crash::CrashPoint;
use super::fake_args::FakeArgs;
use super::impostor::StolenRequests;
use super::result_signal::ResultSignal;
use super::slots::Slots;
use super::sockets::Listener;

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) args: FakeArgs,
    pub(super) counters: Counters,
    pub(super) results: Arc<ResultSignal>,
    /// Counts requests to `/__fake/push`.
    pub(super) pushes: ResultSignal,
    pub(super) slots: Arc<Slots>,
    /// The model's name: its alias, or its path as given.
    pub(super) model: String,
    pub(super) created: u64,
    pub(super) listeners: Vec<Listener>,
    /// Requests received on sockets taken over from another model (`--fake-impersonate`).
    pub(super) loot: Arc<StolenRequests>,
    loaded: AtomicBool,
    stopping: AtomicBool,
    hung: AtomicBool,
    has_failed_to_compute: AtomicBool,
}

impl Server {
    pub(super) fn new(args: FakeArgs, listeners: Vec<Listener>) -> Self {
        let results = Arc::new(ResultSignal::default());
        let path = args.model.as_ref().map(|path| path.display().to_string());
        Self {
            counters: Counters::default(),
            slots: Arc::new(Slots::new(
                args.parallel,
                args.slot_save_path.is_some(),
                Arc::clone(&results),
            )),
            results,
            pushes: ResultSignal::default(),
            model: args.alias.clone().or(path).unwrap_or_else(|| "fake".into()),
            created: clock::unix_seconds(),
            listeners,
            loot: Arc::default(),
            loaded: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            hung: AtomicBool::new(false),
            has_failed_to_compute: AtomicBool::new(false),
            args,
        }
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.loaded.load(SeqCst)
    }

    pub(super) fn mark_loaded(&self) {
        self.counters.touch();
        self.loaded.store(true, SeqCst);
    }

    /// Returns true once the inference thread has ended: no more tokens, no more slots.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(SeqCst)
    }

    /// Stops answering and stops all running work.
    pub(super) fn hang(&self) {
        self.hung.store(true, SeqCst);
    }

    pub(super) fn is_hung(&self) -> bool {
        self.hung.load(SeqCst)
    }

    /// Returns true if the inference for `request` fails, and records the failure.
    pub(super) fn fails_to_compute(&self, request: &Value, is_completion: bool) -> bool {
        let Some(error) = &self.args.compute_error else {
            return false;
        };
        let has_failed = self.has_failed_to_compute.load(SeqCst);
        let fails = error.affects(request, is_completion, has_failed);
        if fails {
            self.has_failed_to_compute.store(true, SeqCst);
        }
        fails
    }

    /// Returns true while the last step of running work is held back.
    pub(super) fn is_held(&self) -> bool {
        let hold = self.args.hold.as_ref();
        self.is_hung() || hold.is_some_and(|file| !file.exists())
    }

    /// Ends the inference thread and the listeners. Running requests continue.
    pub(super) fn stop(&self) {
        self.stopping.store(true, SeqCst);
        for listener in &self.listeners {
            listener.stop();
        }
        self.results.announce();
    }

    /// Returns the context size of each slot.
    pub(super) fn slot_context(&self) -> u64 {
        self.args.context / self.args.parallel as u64
    }

    /// Crashes here if requested.
    pub(super) fn crash_at(&self, point: CrashPoint) {
        if let Some(death) = self.args.crash
            && death.point == point
        {
            death.happen();
        }
    }
}
