//! Measures the memory of a model that has become ready, and corrects the amount that the scheduler counts for it.

use super::Runtime;
use crate::load_history::LoadMeasurement;
use crate::measure::{MeasuredLoad, measure};
use crate::message::RuntimeMessage;
use paddock_scheduler::{Event, ModelId};
use paddock_supervisor::blocking;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

impl Runtime {
    /// Measures a model that has just become ready.
    pub(super) fn measure(&self, id: ModelId) {
        let (Some(entry), Some(engine)) = (self.entries.get(id.0), self.context.engine.clone())
        else {
            return;
        };
        let (Some(running), Some(inspection)) = (&entry.running, &entry.knowledge.inspection)
        else {
            return;
        };
        let pid = running.instance.watch().borrow().pid();
        let (Some(pid), true) = (pid, inspection.key.is_some()) else {
            return;
        };
        let (serial, logs) = (running.serial, running.instance.logs());
        let inspection = Arc::clone(inspection);
        let load_history = self.context.load_history.clone();
        let (key, prompt_cache) = (inspection.key.clone(), inspection.prompt_cache.counted);
        // Contexts that were restored fill a part of the prompt cache already.
        let restored = running.restored_bytes;
        let load = self.scheduler.snapshot(id);
        let load = load.map_or(Duration::ZERO, |snapshot| snapshot.load);
        self.spawn_task(async move {
            let measuring =
                blocking::run(move || measure(pid, &logs, &inspection, &engine, restored));
            let measured = measuring.await.ok()?;
            if let (Some(history), Some(key)) = (load_history, key) {
                history.record(key, measurement(&measured, load));
            }
            Some(RuntimeMessage::Measured {
                model: id,
                serial,
                measured: Box::new(measured),
                prompt_cache,
            })
        });
    }

    /// Stores a measurement and reports it to the scheduler, unless the size is configured. The prompt cache, still
    /// empty when measured, may take `prompt_cache` bytes later.
    pub(super) fn on_measured(
        &mut self,
        id: ModelId,
        serial: u64,
        measured: &MeasuredLoad,
        prompt_cache: u64,
    ) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        let running = entry.running.as_mut();
        let Some(running) = running.filter(|running| running.serial == serial) else {
            return;
        };
        running.measured = Some(measured.memory);
        if entry.config.memory.is_none() {
            let memory = measured.memory.with_host(prompt_cache);
            self.handle_event(Event::Measured { model: id, memory });
        }
    }
}

/// Returns the entry of one load in the load history.
fn measurement(measured: &MeasuredLoad, load: Duration) -> LoadMeasurement {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    LoadMeasurement {
        reported: measured.reported.clone(),
        observed: measured.observed.clone(),
        load,
        context: None,
        loads: 1,
        measured_at: now.map_or(0, |since| since.as_secs()),
    }
}
