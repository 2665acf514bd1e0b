//! `paddock status`: prints the models and their memory.

use clap::Args;
use paddock_api::{Memory, Model, ModelMemory, Status};

use crate::admin::AdminArgs;
use crate::exit::Exit;
use crate::format::{format_age, format_bytes};
use crate::output;
use crate::table::{ColumnWidths, fill_empty, join_with_tabs};

/// Flags of `paddock status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print the API's JSON response.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Titles of the columns.
const TABLE_HEAD: [&str; 8] = [
    "MODEL",
    "STATUS",
    "SINCE",
    "IN FLIGHT",
    "QUEUED",
    "MEMORY",
    "PID",
    "PINNED",
];

/// Prints a table of models: aligned, with a head, on a terminal; tab-separated in a pipe.
pub(super) fn run(args: StatusArgs) -> Exit {
    args.admin.run(|client| async move {
        let answer = client.status().await?;
        if args.json {
            return answer.print_json().await;
        }
        let status = answer.read().await?;
        let rows: Vec<[String; 8]> = status.models.iter().map(model_row).collect();
        if output::is_terminal() {
            let mut columns = ColumnWidths::new(&TABLE_HEAD);
            let rows = columns.align(&rows);
            output::print_lines(&(columns.align(&[TABLE_HEAD]) + &rows));
            output::print_lines(&format!("{}\n", format_memory(&status)));
        } else {
            output::print_lines(&join_with_tabs(&rows));
        }
        Ok(())
    })
}

/// Returns the cells of a model's row; `-` stands for a missing value.
fn model_row(model: &Model) -> [String; 8] {
    let cells = [
        Some(output::printable(&model.id)),
        Some(model.status.as_str().to_owned()),
        model.since.map(format_age),
        Some(format_in_flight(model)),
        Some(model.queued.to_string()),
        model_bytes(&model.memory).map(format_bytes),
        model.pid.map(|pid| pid.to_string()),
        model.pinned.then(|| "yes".to_owned()),
    ];
    fill_empty(cells)
}

/// Formats the number of in-flight requests and, estimated, of those that wait for a slot inside the child.
fn format_in_flight(model: &Model) -> String {
    let count = model.in_flight;
    match model.waiting_in_engine.map(|waiting| waiting.estimated) {
        None | Some(0) => count.to_string(),
        Some(waiting) => format!("{count} (~{waiting} waiting)"),
    }
}

/// Returns the measured bytes of a model or, without a measurement, the predicted ones.
pub(super) fn model_bytes(memory: &ModelMemory) -> Option<u64> {
    let total = |memory: &Option<Memory>| memory.as_ref().and_then(total_bytes);
    total(&memory.measured).or_else(|| total(&memory.predicted))
}

/// Sums the bytes of host and devices. Returns `None` if the host has no limit.
fn total_bytes(memory: &Memory) -> Option<u64> {
    let devices = memory.devices.values().flatten();
    let host = memory.host?;
    Some(devices.fold(host, |sum, bytes| sum.saturating_add(*bytes)))
}

fn format_memory(status: &Status) -> String {
    let total = |memory: Option<&Memory>| memory.and_then(total_bytes);
    let memory = status.memory.as_ref();
    let used = total(memory.map(|memory| &memory.used)).unwrap_or(0);
    let used = format_bytes(used);
    match total(memory.map(|memory| &memory.budget)) {
        Some(budget) => format!("memory: {used} of {} used", format_bytes(budget)),
        None => format!("memory: {used} used"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_api::{MemoryUsage, ModelStatus, WaitingInEngine};

    fn memory(host: Option<u64>, device: Option<u64>) -> Memory {
        let devices = device.map(|bytes| ("CUDA0".to_owned(), Some(bytes)));
        Memory {
            devices: devices.into_iter().collect(),
            host,
        }
    }

    #[test]
    fn a_model_is_a_row() {
        let ready = Model {
            id: "gemma".to_owned(),
            status: ModelStatus::Ready,
            since: Some(61.7),
            in_flight: 5,
            waiting_in_engine: Some(WaitingInEngine {
                estimated: 3,
                longest_seconds: 0.5,
            }),
            pid: Some(7),
            pinned: true,
            memory: ModelMemory {
                predicted: Some(memory(Some(1), None)),
                measured: Some(memory(Some(1 << 20), Some(1 << 20))),
                prompt_cache: None,
            },
            ..Model::default()
        };
        let cold = Model {
            id: "b".to_owned(),
            ..Model::default()
        };
        let rows = [model_row(&ready), model_row(&cold)];
        let expected = "\
MODEL  STATUS    SINCE  IN FLIGHT       QUEUED  MEMORY   PID  PINNED
gemma  ready     1m 1s  5 (~3 waiting)  0       2.0 MiB  7    yes
b      unloaded  -      0               0       -        -    -
";
        let mut columns = ColumnWidths::new(&TABLE_HEAD);
        let rows = columns.align(&rows);
        assert_eq!(columns.align(&[TABLE_HEAD]) + &rows, expected);
    }

    #[test]
    fn memory_is_told_with_its_limit_where_there_is_one() {
        let status = |used, budget| Status {
            memory: Some(MemoryUsage {
                budget,
                used,
                ..MemoryUsage::default()
            }),
            ..Status::default()
        };
        let limited = status(
            memory(Some(1 << 30), None),
            memory(Some(1 << 31), Some(1 << 31)),
        );
        assert_eq!(format_memory(&limited), "memory: 1.0 GiB of 4.0 GiB used");
        let unlimited = status(memory(Some(1 << 30), None), memory(None, None));
        assert_eq!(format_memory(&unlimited), "memory: 1.0 GiB used");
        assert_eq!(format_memory(&Status::default()), "memory: 0 B used");
    }
}
