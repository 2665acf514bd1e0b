//! `paddock status`: prints the models and their memory, or one model in detail.

mod contexts;
mod model_details;

use clap::Args;
use paddock_api::{Memory, Model, ModelMemory, Status};

use crate::admin::{AdminArgs, CommandError};
use crate::exit::Exit;
use crate::format::{format_age, format_bytes, seconds_since_1970};
use crate::output;
use crate::table::{ColumnWidths, EMPTY_CELL, fill_empty, join_with_tabs};

/// Flags of `paddock status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Name or alias of a model to show in detail.
    #[arg(conflicts_with = "json")]
    model: Option<String>,
    /// Print the API's JSON response.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Titles of the columns.
const TABLE_HEAD: [&str; 9] = [
    "MODEL",
    "STATUS",
    "SINCE",
    "IN FLIGHT",
    "QUEUED",
    "MEMORY",
    "PID",
    "PINNED",
    "CONTEXTS",
];

/// Prints a table of models: aligned, with a head, on a terminal; tab-separated in a pipe. With a model's name, prints
/// the details of this model.
pub(super) fn run(args: StatusArgs) -> Exit {
    args.admin.run(|client| async move {
        let answer = client.status().await?;
        if args.json {
            return answer.print_json().await;
        }
        let status = answer.read().await?;
        if let Some(name) = &args.model {
            let model = find_model(&status, name)?;
            output::print_lines(&model_details::format(model, seconds_since_1970()));
            return Ok(());
        }
        let rows: Vec<[String; 9]> = status.models.iter().map(model_row).collect();
        if output::is_terminal() {
            output::print_lines(&align_table(rows));
            output::print_lines(&format!("{}\n", format_memory(&status)));
            output::print_lines(&contexts::format_totals(&status));
        } else {
            output::print_lines(&join_with_tabs(&rows));
        }
        Ok(())
    })
}

/// Returns the model with this name or alias.
fn find_model<'a>(status: &'a Status, name: &str) -> Result<&'a Model, CommandError> {
    let is_named =
        |model: &&Model| model.id == name || model.aliases.iter().any(|alias| alias == name);
    status
        .models
        .iter()
        .find(is_named)
        .ok_or_else(|| CommandError::Refused {
            message: format!("there is no model '{name}'; `paddock status` lists the models"),
            code: Some("unknown_model".to_owned()),
        })
}

/// Formats the table with its head. Omits the last column if no model has a context.
fn align_table(mut rows: Vec<[String; 9]>) -> String {
    let mut head = TABLE_HEAD;
    if rows.iter().all(|[.., contexts]| contexts == EMPTY_CELL) {
        head[8] = "";
        for [.., contexts] in &mut rows {
            contexts.clear();
        }
    }
    let mut columns = ColumnWidths::new(&head);
    let rows = columns.align(&rows);
    columns.align(&[head]) + &rows
}

/// Returns the cells of a model's row; `-` stands for a missing value.
fn model_row(model: &Model) -> [String; 9] {
    let cells = [
        Some(output::printable(&model.id)),
        Some(model.status.as_str().to_owned()),
        model.since.map(format_age),
        Some(format_in_flight(model)),
        Some(model.queued.to_string()),
        model_bytes(&model.memory).map(format_bytes),
        model.pid.map(|pid| pid.to_string()),
        model.pinned.then(|| "yes".to_owned()),
        contexts::format_cell(&model.contexts.counts),
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
    use paddock_api::{ContextCounts, MemoryUsage, ModelContexts, ModelStatus, WaitingInEngine};

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
        let kept = Model {
            id: "c".to_owned(),
            contexts: ModelContexts {
                counts: ContextCounts {
                    stored: 12,
                    bytes: 310 << 20,
                    ..ContextCounts::default()
                },
                ..ModelContexts::default()
            },
            ..Model::default()
        };
        let rows = |models: &[&Model]| models.iter().map(|model| model_row(model)).collect();
        let expected = "\
MODEL  STATUS    SINCE  IN FLIGHT       QUEUED  MEMORY   PID  PINNED
gemma  ready     1m 1s  5 (~3 waiting)  0       2.0 MiB  7    yes
b      unloaded  -      0               0       -        -    -
";
        assert_eq!(align_table(rows(&[&ready, &cold])), expected);
        let expected = "\
MODEL  STATUS    SINCE  IN FLIGHT  QUEUED  MEMORY  PID  PINNED  CONTEXTS
b      unloaded  -      0          0       -       -    -       -
c      unloaded  -      0          0       -       -    -       12 (310.0 MiB)
";
        assert_eq!(align_table(rows(&[&cold, &kept])), expected);
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
