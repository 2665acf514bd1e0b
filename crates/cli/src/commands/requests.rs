//! `paddock requests`: lists or follows ended requests.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::admin::{AdminArgs, AdminClient, CommandError};
use crate::exit::Exit;
use crate::output::{self, ReaderState};
use crate::table::{ColumnWidths, fill_empty, join_with_tabs};
use crate::threads;

/// Time between two polls with `--follow`.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Highest number of requests in an answer.
const MAX_PAGE: u32 = 1_000;

/// Flags of `paddock requests`.
#[derive(Debug, Args)]
pub(super) struct RequestsArgs {
    /// Keep printing requests as they finish, until paddock stops.
    #[arg(short, long)]
    follow: bool,
    /// Number of recent requests to print, at most 1000.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    number: u32,
    /// Print only requests to the model with this name.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Print JSON, one object per request.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

const TABLE_HEAD: [&str; 12] = [
    "ENDED", "MODEL", "ROUTE", "STATUS", "OUTCOME", "TTFT", "TOTAL", "IN", "OUT", "TOK/S", "ID",
    "KEY",
];

/// Prints ended requests, newest last: aligned, with a head, on a terminal; tab-separated in a pipe.
pub(super) fn run(args: RequestsArgs) -> Exit {
    let model = args.model.as_deref().map_or_else(String::new, |model| {
        format!("&model={}", utf8_percent_encode(model, NON_ALPHANUMERIC))
    });
    let mut printer = RequestPrinter::new(args.json);
    args.admin.run(|client| async move {
        threads::ensure_available(threads::TERMINAL_THREADS)?;
        let first = format!("limit={}{model}", args.number);
        if !args.follow {
            return print_page(&client, &first, &mut printer, 0).await.map(drop);
        }
        let following = async {
            let mut last_seq = print_page(&client, &first, &mut printer, 0).await?;
            while let Some(after) = last_seq {
                sleep(POLL_INTERVAL).await;
                let next = format!("limit={MAX_PAGE}&after={after}{model}");
                last_seq = print_page(&client, &next, &mut printer, after).await?;
            }
            Ok(())
        };
        tokio::select! {
            biased;
            // An interrupt is the usual end of `--follow`, not a failure.
            _ = tokio::signal::ctrl_c() => Ok(()),
            ended = following => ended,
        }
    })
}

/// Prints a page. Returns the newest request's `seq`, or `None` if the reader has gone.
async fn print_page(
    client: &AdminClient,
    query: &str,
    printer: &mut RequestPrinter,
    last_seq: u64,
) -> Result<Option<u64>, CommandError> {
    let answer = client
        .request(Method::GET, &format!("/api/requests?{query}"))
        .await?;
    let page = answer.read_json().await?;
    let requests = page["requests"].as_array().map_or(&[][..], Vec::as_slice);
    let newest = requests.first().and_then(|newest| newest["seq"].as_u64());
    let text = printer.format_page(requests);
    // Writing may block, during which an interrupt must be handled.
    let printed = spawn_blocking(move || output::print_lines(&text)).await;
    Ok(matches!(printed, Ok(ReaderState::Present)).then_some(newest.unwrap_or(last_seq)))
}

/// An output format of requests.
#[derive(Debug)]
enum RequestPrinter {
    Json,
    Tabs,
    /// Aligned columns, with the head on the first page.
    Table {
        columns: ColumnWidths<{ TABLE_HEAD.len() }>,
        has_head: bool,
    },
}

impl RequestPrinter {
    fn new(json: bool) -> Self {
        match (json, output::is_terminal()) {
            (true, _) => Self::Json,
            (false, false) => Self::Tabs,
            (false, true) => Self::Table {
                columns: ColumnWidths::new(&TABLE_HEAD),
                has_head: false,
            },
        }
    }

    /// Formats requests, which are sorted newest first, as lines.
    fn format_page(&mut self, requests: &[Value]) -> String {
        let requests = requests.iter().rev();
        match self {
            Self::Json => requests
                .flat_map(|request| [request.to_string(), "\n".to_owned()])
                .collect(),
            Self::Tabs => join_with_tabs(
                &requests
                    .map(|it| request_row(it, format_utc))
                    .collect::<Vec<_>>(),
            ),
            Self::Table { columns, has_head } => {
                let rows = requests
                    .map(|it| request_row(it, format_local))
                    .collect::<Vec<_>>();
                let aligned = columns.align(&rows);
                if std::mem::replace(has_head, true) {
                    aligned
                } else {
                    columns.align(&[TABLE_HEAD]) + &aligned
                }
            }
        }
    }
}

/// Returns a request's cells; missing values are `-`.
fn request_row(request: &Value, when: fn(Timestamp) -> String) -> [String; TABLE_HEAD.len()] {
    let text = |value: &Value| value.as_str().map(output::printable);
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    let seconds = |value: &Value| value.as_f64().map(format_seconds);
    let tokens = &request["tokens"];
    // A refused request shows its error.
    let outcome = text(&request["error"]).or_else(|| text(&request["outcome"]));
    let cells = [
        end_time(request).map(when),
        text(&request["model"]),
        text(&request["route"]),
        number(&request["status"]),
        outcome,
        seconds(&request["ttft_seconds"]),
        seconds(&request["total_seconds"]),
        number(&tokens["prompt"]),
        number(&tokens["generated"]),
        request["tokens_per_second"]
            .as_f64()
            .map(|rate| format!("{rate:.1}")),
        text(&request["id"]),
        text(&request["key"]),
    ];
    fill_empty(cells)
}

/// Returns the time when a request ended.
fn end_time(request: &Value) -> Option<Timestamp> {
    let total = request["total_seconds"].as_f64().unwrap_or(0.0);
    let at = Duration::try_from_secs_f64(request["at"].as_f64()? + total).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(at).ok()
}

/// Formats a time in UTC, for programs.
fn format_utc(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Formats a time in the local time zone, for people.
fn format_local(at: Timestamp) -> String {
    let local = ZonedDateTime::new(at, TimeZone::system());
    local.strftime("%m-%d %H:%M:%S").to_string()
}

fn format_seconds(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{:.0} ms", seconds * 1_000.0),
        1.0..100.0 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn requests() -> [Value; 2] {
        [
            json!({ "seq": 8, "at": 1_800_000_000.5, "id": "a\u{1b}[2J", "model": null,
                "route": "other", "status": 404, "outcome": "refused", "error": "unknown_model",
                "ttft_seconds": null, "total_seconds": 0.0004, "tokens_per_second": null,
                "tokens": { "prompt": null, "cached": null, "generated": null } }),
            json!({ "seq": 7, "at": 1_800_000_000, "id": "r-1", "model": "gemma", "key": "laptop",
                "route": "chat_completions", "status": 200, "outcome": "complete", "error": null,
                "ttft_seconds": 0.0524, "total_seconds": 2.25, "tokens_per_second": 116.31,
                "tokens": { "prompt": 26, "cached": 0, "generated": 256 } }),
        ]
    }

    #[test]
    fn the_newest_is_the_last_row() {
        let text = RequestPrinter::Tabs.format_page(&requests());
        let expected = "\
2027-01-15T08:00:02.250Z\tgemma\tchat_completions\t200\tcomplete\t52 ms\t2.2 s\t26\t256\t116.3\tr-1\tlaptop
2027-01-15T08:00:00.500Z\t-\tother\t404\tunknown_model\t-\t0 ms\t-\t-\t-\ta\u{fffd}[2J\t-
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_terminal_has_one_head() {
        let mut printer = RequestPrinter::Table {
            columns: ColumnWidths::new(&TABLE_HEAD),
            has_head: false,
        };
        let text = printer.format_page(&requests()) + &printer.format_page(&requests());
        let heads = text.lines().filter(|line| line.starts_with("ENDED"));
        assert_eq!((heads.count(), text.lines().count()), (1, 5));
    }

    #[test]
    fn json_is_an_object_a_line() {
        let text = RequestPrinter::Json.format_page(&requests());
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!((&lines[0]["seq"], &lines[1]["seq"]), (&7.into(), &8.into()));
    }
}
