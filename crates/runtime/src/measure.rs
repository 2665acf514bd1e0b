//! Measures a loaded model's memory: its child's own report, and what the system shows.

use super::actor::{Runtime, RuntimeMessage};
use super::inspection::ModelInspection;
use crate::engine_probe::Engine;
use crate::load_history::{self, LoadMeasurement};
use crate::memory::report::MemoryReport;
use crate::memory::{buffer_log, process};
use paddock_scheduler::{Event, Memory, ModelId};
use paddock_supervisor::Logs;
use paddock_supervisor::blocking;
use std::time::{Duration, SystemTime};

/// A measurement of a loaded model.
#[derive(Debug, Clone, Copy)]
pub struct MeasuredLoad {
    memory: Memory,
    /// Bytes that the child's prompt cache, still empty when measured, may take later.
    prompt_cache: u64,
}

impl Runtime {
    /// Measures a model that has just become ready, and records the result.
    pub(super) fn measure(&mut self, id: ModelId) {
        let (Some(entry), Some(engine)) = (self.entries.get(id.0), self.context.engine.clone())
        else {
            return;
        };
        let (Some(running), Some(inspection)) = (&entry.running, entry.inspection.clone()) else {
            return;
        };
        let pid = running.instance.watch().borrow().pid();
        let (Some(pid), Some(key)) = (pid, inspection.key.clone()) else {
            return;
        };
        let serial = running.serial;
        let prompt_cache = inspection.prompt_cache.counted;
        let logs = running.instance.logs();
        let load = self
            .scheduler
            .snapshot(id)
            .map_or(Duration::ZERO, |snapshot| snapshot.load);
        let (sender, load_history) = (
            self.messages_sender.clone(),
            self.context.load_history.clone(),
        );
        self.tasks.spawn(async move {
            let reading = blocking::run(move || read_memory(pid, &logs, &inspection, &engine));
            let Ok((reported, observed, memory)) = reading.await else {
                return;
            };
            if let Some(load_history) = load_history {
                let measurement = LoadMeasurement {
                    reported,
                    observed,
                    load,
                    context: None,
                    loads: 1,
                    measured_at: unix_now(),
                };
                load_history.record(key, measurement);
            }
            let measured = MeasuredLoad {
                memory,
                prompt_cache,
            };
            // Sending fails only if the actor has ended.
            let _ = sender
                .send(RuntimeMessage::Measured {
                    model: id,
                    serial,
                    measured,
                })
                .await;
        });
    }

    pub(super) fn on_measured(&mut self, id: ModelId, serial: u64, measured: MeasuredLoad) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        let running = entry.running.as_mut();
        let Some(running) = running.filter(|running| running.serial == serial) else {
            return;
        };
        running.measured = Some(measured.memory);
        if entry.config.memory.is_none() {
            self.handle_event(Event::Measured {
                model: id,
                memory: measured.memory.with_host(measured.prompt_cache),
            });
        }
    }
}

type MemoryReadings = (
    Option<load_history::MeasuredMemory>,
    Option<load_history::MeasuredMemory>,
    Memory,
);

/// Returns the memory reported by the child, the memory that the system shows, and for each location the maximum of
/// both. Without a report the expected memory takes its place. The process does not show pages of the file that
/// were not touched yet; the report does not include the driver's part.
fn read_memory(
    pid: u32,
    logs: &Logs,
    inspection: &ModelInspection,
    engine: &Engine,
) -> MemoryReadings {
    let lines = logs.last_child_lines();
    let mut last = lines.iter().rev();
    let report = last
        .find_map(|line| MemoryReport::parse(line.as_bytes()))
        .or_else(|| buffer_log::parse(lines.iter().map(String::as_str)));
    let names = || engine.devices.iter().map(|device| &device.name);
    let reported = report.map(|report| load_history::MeasuredMemory {
        host: report.host_without_repacked(),
        devices: names()
            .map(|name| (name.clone(), report.device(name)))
            .collect(),
    });
    let observed = process::used_bytes(pid).map(|host| load_history::MeasuredMemory {
        host,
        devices: engine.device_usage(pid),
    });
    let expected = || load_history::MeasuredMemory {
        host: inspection
            .demand
            .memory
            .host()
            .saturating_sub(inspection.prompt_cache.counted),
        devices: names()
            .enumerate()
            .map(|(index, name)| (name.clone(), inspection.demand.memory.device(index)))
            .collect(),
    };
    let all = [reported.clone().unwrap_or_else(expected)];
    let all = || all.iter().chain(&observed);
    let host = all().map(|memory| memory.host).max().unwrap_or(0);
    let memory = names()
        .enumerate()
        .fold(Memory::needed(host), |sum, (index, name)| {
            let seen = all().filter_map(|seen| seen.devices.get(name)).max();
            sum.with_device(index, seen.copied().unwrap_or(0))
        });
    (reported, observed, memory)
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
