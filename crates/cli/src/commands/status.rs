//! `paddock status`: prints the models and their memory.

use clap::Args;
use hyper::Method;
use serde_json::Value;

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
        let answer = client.request(Method::GET, "/api/status").await?;
        if args.json {
            output::print_bytes(&answer.read_to_end().await?);
            output::print("");
            return Ok(());
        }
        let status = answer.read_json().await?;
        let models = status["models"].as_array().into_iter().flatten();
        let rows: Vec<[String; 8]> = models.map(model_row).collect();
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

/// Returns a model's cells; missing values are `-`.
fn model_row(model: &Value) -> [String; 8] {
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    let memory = &model["memory"];
    let cells = [
        model["id"].as_str().map(output::printable),
        model["status"].as_str().map(output::printable),
        model["since"].as_f64().map(format_age),
        format_in_flight(model),
        number(&model["queued"]),
        total_bytes(&memory["measured"])
            .or_else(|| total_bytes(&memory["predicted"]))
            .map(format_bytes),
        number(&model["pid"]),
        (model["pinned"] == true).then(|| "yes".to_owned()),
    ];
    fill_empty(cells)
}

/// Formats the number of in-flight requests and, estimated, of those that wait for a slot inside the child.
fn format_in_flight(model: &Value) -> Option<String> {
    let count = model["in_flight"].as_u64()?;
    Some(match model["waiting_in_engine"]["estimated"].as_u64() {
        None | Some(0) => count.to_string(),
        Some(waiting) => format!("{count} (~{waiting} waiting)"),
    })
}

/// Sums the bytes of host and devices.
pub(super) fn total_bytes(memory: &Value) -> Option<u64> {
    let host = memory["host"].as_u64()?;
    let devices = memory["devices"].as_object().into_iter().flatten();
    Some(
        devices
            .filter_map(|(_, bytes)| bytes.as_u64())
            .fold(host, u64::saturating_add),
    )
}

fn format_memory(status: &Value) -> String {
    let memory = &status["memory"];
    let used = format_bytes(total_bytes(&memory["used"]).unwrap_or(0));
    match total_bytes(&memory["budget"]) {
        Some(budget) => format!("memory: {used} of {} used", format_bytes(budget)),
        None => format!("memory: {used} used"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_model_is_a_row() {
        let ready = json!({ "id": "gemma", "status": "ready", "since": 61.7, "in_flight": 5,
            "queued": 0, "waiting_in_engine": { "estimated": 3, "longest_seconds": 0.5 }, "pid": 7, "pinned": true, "memory": { "predicted": { "host": 1, "devices": {} },
            "measured": { "host": 1 << 20, "devices": { "CUDA0": 1 << 20 } } } });
        let cold = json!({ "id": "b", "status": "unloaded", "since": null, "in_flight": 0,
            "queued": 0, "pid": null, "pinned": false, "memory": { "predicted": null, "measured": null } });
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
        let status = json!({ "memory": { "used": { "host": 1 << 30, "devices": {} },
            "budget": { "host": 1u64 << 31, "devices": { "CUDA0": 1u64 << 31 } } } });
        assert_eq!(format_memory(&status), "memory: 1.0 GiB of 4.0 GiB used");
        let status = json!({ "memory": { "used": null, "budget": { "host": null } } });
        assert_eq!(format_memory(&status), "memory: 0 B used");
    }
}
