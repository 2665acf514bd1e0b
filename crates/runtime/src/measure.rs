//! What a loaded model was seen to take: its child's own report, and what the system shows.

use super::actor::{News, Runtime};
use super::inspect::Found;
use crate::engine::Engine;
use crate::learned::{self, Lesson};
use crate::memory::report::Report;
use crate::memory::{buffers, process};
use paddock_scheduler::{Event, Memory, ModelId};
use paddock_supervisor::Logs;
use paddock_supervisor::blocking;
use std::time::{Duration, SystemTime};

/// What was seen.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    memory: Memory,
    /// Bytes that the child's prompt cache, empty when it was looked at, may take later.
    prompt_cache: u64,
}

impl Runtime {
    /// Looks at what a model takes that has just become ready, and remembers it.
    pub(super) fn measure(&mut self, id: ModelId) {
        let (Some(entry), Some(engine)) = (self.entries.get(id.0), self.world.engine.clone())
        else {
            return;
        };
        let (Some(running), Some(found)) = (&entry.running, entry.found.clone()) else {
            return;
        };
        let pid = running.instance.watch().borrow().pid();
        let (Some(pid), Some(key)) = (pid, found.key.clone()) else {
            return;
        };
        let serial = running.serial;
        let prompt_cache = found.prompt_cache.counted;
        let logs = running.instance.logs();
        let load = self
            .scheduler
            .snapshot(id)
            .map_or(Duration::ZERO, |look| look.load);
        let (tell, learned) = (self.tell.clone(), self.world.learned.clone());
        self.tasks.spawn(async move {
            let seeing = blocking::run(move || see(pid, &logs, &found, &engine));
            let Ok((reported, observed, memory)) = seeing.await else {
                return;
            };
            if let Some(learned) = learned {
                let lesson = Lesson {
                    reported,
                    observed,
                    load,
                    context: None,
                    loads: 1,
                    at: now(),
                };
                learned.learn(key, lesson);
            }
            let measured = Measured {
                memory,
                prompt_cache,
            };
            // The actor hears it unless it has ended.
            let _ = tell
                .send(News::Measured {
                    model: id,
                    serial,
                    measured,
                })
                .await;
        });
    }

    pub(super) fn measured(&mut self, id: ModelId, serial: u64, measured: Measured) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        let running = entry.running.as_mut();
        let Some(running) = running.filter(|running| running.serial == serial) else {
            return;
        };
        running.measured = Some(measured.memory);
        if entry.config.memory.is_none() {
            self.handle(Event::Measured {
                model: id,
                memory: measured.memory.with_host(measured.prompt_cache),
            });
        }
    }
}

type Seen = (Option<learned::Memory>, Option<learned::Memory>, Memory);

/// What the child reports, what the system shows, and what follows of both: in each place the greater
/// of the two. Where the child does not report, what was expected stands in for it. Pages of the file that were not touched yet are not seen in the process, and will be;
/// the driver's part is not in the report.
fn see(pid: u32, logs: &Logs, found: &Found, engine: &Engine) -> Seen {
    let lines = logs.last_child_lines();
    let mut last = lines.iter().rev();
    let report = last
        .find_map(|line| Report::parse(line.as_bytes()))
        .or_else(|| buffers::read(lines.iter().map(String::as_str)));
    let names = || engine.devices.iter().map(|device| &device.name);
    let reported = report.map(|report| learned::Memory {
        host: report.host_without_copies(),
        devices: names()
            .map(|name| (name.clone(), report.device(name)))
            .collect(),
    });
    let observed = process::occupied(pid).map(|host| learned::Memory {
        host,
        devices: engine.seen_on_devices(pid),
    });
    let expected = || learned::Memory {
        host: found
            .demand
            .memory
            .host()
            .saturating_sub(found.prompt_cache.counted),
        devices: names()
            .enumerate()
            .map(|(at, name)| (name.clone(), found.demand.memory.device(at)))
            .collect(),
    };
    let all = [reported.clone().unwrap_or_else(expected)];
    let all = || all.iter().chain(&observed);
    let host = all().map(|memory| memory.host).max().unwrap_or(0);
    let memory = names()
        .enumerate()
        .fold(Memory::needed(host), |sum, (at, name)| {
            let seen = all().filter_map(|seen| seen.devices.get(name)).max();
            sum.with_device(at, seen.copied().unwrap_or(0))
        });
    (reported, observed, memory)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
