//! Measures a loaded model's memory: combines the report in the log of its child (a llama-server process) with the
//! memory that the kernel and the GPU driver show for the process.

use super::inspection::ModelInspection;
use crate::engine_probe::Engine;
use crate::load_history::MeasuredMemory;
use crate::memory::report::MemoryReport;
use crate::memory::{buffer_log, process};
use paddock_scheduler::Memory;
use paddock_supervisor::Logs;

/// A measurement of a loaded model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MeasuredLoad {
    /// Memory reported by the child.
    pub(super) reported: Option<MeasuredMemory>,
    /// Memory as the system shows it.
    pub(super) observed: Option<MeasuredMemory>,
    /// For RAM and each device the maximum of both. Without a report the expected memory takes its place. Neither
    /// is complete: the process does not show pages of the file that were not touched yet, and the report does not
    /// include the driver's part.
    pub(super) memory: Memory,
}

/// Measures the process of a loaded model, without the `restored` bytes of contexts in its prompt cache. Blocks.
pub(super) fn measure(
    pid: u32,
    logs: &Logs,
    inspection: &ModelInspection,
    engine: &Engine,
    restored: u64,
) -> MeasuredLoad {
    let names = engine.device_names();
    let observed = process::used_bytes(pid).map(|host| MeasuredMemory {
        host: host.saturating_sub(restored),
        devices: engine.device_usage(pid),
    });
    let cache = inspection.prompt_cache.counted;
    let expected = expected_memory(&inspection.demand.memory, cache, &names);
    let report = find_report(&logs.last_child_lines());
    combine(report.as_ref(), observed, expected, &names)
}

/// Finds the last memory report in a child's output, else the buffers that the child has logged.
fn find_report(lines: &[String]) -> Option<MemoryReport> {
    let mut last = lines.iter().rev();
    last.find_map(|line| MemoryReport::parse(line.as_bytes()))
        .or_else(|| buffer_log::parse(lines.iter().map(String::as_str)))
}

/// Returns the memory that a load was expected to take, without its prompt cache, which is still empty.
fn expected_memory(demand: &Memory, cache: u64, names: &[String]) -> MeasuredMemory {
    let devices = names.iter().enumerate();
    MeasuredMemory {
        host: demand.host().saturating_sub(cache),
        devices: devices
            .map(|(index, name)| (name.clone(), demand.device(index)))
            .collect(),
    }
}

/// Combines a child's report, or else the expected memory, with the observed memory.
fn combine(
    report: Option<&MemoryReport>,
    observed: Option<MeasuredMemory>,
    expected: MeasuredMemory,
    names: &[String],
) -> MeasuredLoad {
    let reported = report.map(|report| MeasuredMemory {
        host: report.host_without_repacked(),
        devices: names
            .iter()
            .map(|name| (name.clone(), report.device(name)))
            .collect(),
    });
    let first = reported.clone().unwrap_or(expected);
    let all = || std::iter::once(&first).chain(&observed);
    let host = all().map(|memory| memory.host).max().unwrap_or(0);
    let names = names.iter().enumerate();
    let memory = names.fold(Memory::needed(host), |sum, (index, name)| {
        let most = all().filter_map(|memory| memory.devices.get(name)).max();
        sum.with_device(index, most.copied().unwrap_or(0))
    });
    MeasuredLoad {
        reported,
        observed,
        memory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn names() -> Vec<String> {
        ["CUDA0", "CUDA1"].map(str::to_owned).to_vec()
    }

    fn memory(host: u64, devices: &[(&str, u64)]) -> MeasuredMemory {
        let devices = devices.iter();
        MeasuredMemory {
            host: host * MIB,
            devices: devices
                .map(|(name, mib)| ((*name).to_owned(), mib * MIB))
                .collect(),
        }
    }

    fn needed(host: u64, first: u64, second: u64) -> Memory {
        let host = Memory::needed(host * MIB);
        host.with_device(0, first * MIB)
            .with_device(1, second * MIB)
    }

    /// Returns a report of 100 MiB in RAM, 7 MiB of which are repacked, and 300 MiB on CUDA1.
    fn report() -> MemoryReport {
        let lines = [
            "load_tensors:   CPU_Mapped model buffer size =    93.00 MiB",
            "load_tensors:   CPU_REPACK model buffer size =     7.00 MiB",
            "load_tensors:        CUDA1 model buffer size =   300.00 MiB",
        ];
        buffer_log::parse(lines).unwrap()
    }

    #[test]
    fn the_larger_of_report_and_system_counts_at_each_location() {
        let expected = || memory(50, &[("CUDA0", 500), ("CUDA1", 20)]);
        let table = [
            ("nothing is known", None, None, needed(50, 500, 20)),
            ("a report alone", Some(report()), None, needed(93, 0, 300)),
            (
                "the system alone, above and below what was expected",
                None,
                Some(memory(60, &[("CUDA0", 400), ("CUDA1", 30)])),
                needed(60, 500, 30),
            ),
            (
                "both",
                Some(report()),
                Some(memory(40, &[("CUDA1", 301)])),
                needed(93, 0, 301),
            ),
            (
                "the system counts a device that the report does not",
                Some(report()),
                Some(memory(94, &[("CUDA0", 9), ("OTHER", 99)])),
                needed(94, 9, 300),
            ),
        ];
        for (name, report, observed, expected_memory) in table {
            let measured = combine(report.as_ref(), observed.clone(), expected(), &names());
            assert_eq!(measured.memory, expected_memory, "{name}");
            assert_eq!(measured.observed, observed, "{name}");
            let reported = report.map(|_| memory(93, &[("CUDA0", 0), ("CUDA1", 300)]));
            assert_eq!(measured.reported, reported, "{name}");
        }
    }

    #[test]
    fn an_empty_prompt_cache_is_not_expected() {
        let demand = needed(80, 5, 6);
        let all = |host| memory(host, &[("CUDA0", 5), ("CUDA1", 6)]);
        assert_eq!(expected_memory(&demand, 30 * MIB, &names()), all(50));
        assert_eq!(expected_memory(&demand, 90 * MIB, &names()), all(0));
    }

    #[test]
    fn the_last_report_counts_and_else_the_named_buffers() {
        let line = |model: u64| {
            format!(
                r#"{{"type":"fit_memory_breakdown","data":{{"unit":"MiB","rows":[{{"kind":"host","name":"Host","model":{model},"context":0,"compute":0}}]}}}}"#
            )
        };
        let buffer = "load_tensors: CPU_Mapped model buffer size = 9.00 MiB".to_owned();
        let host = |lines: &[String]| find_report(lines).map(|report| report.host() / MIB);
        assert_eq!(host(&[line(1), line(2), buffer.clone()]), Some(2));
        assert_eq!(host(&["text".to_owned(), buffer]), Some(9));
        assert_eq!(host(&["text".to_owned()]), None);
    }
}
