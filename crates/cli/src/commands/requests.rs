//! `paddock requests`: prints the last requests that have ended, and with `--follow` each further one.

use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use paddock_api::{EndedRequest, EndedRequests};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::admin::{AdminArgs, CommandError, TypedAnswer};
use crate::exit::Exit;
use crate::output::{self, ReaderState};
use crate::table::{ColumnWidths, fill_empty, join_with_tabs};
use crate::threads;

/// Time between two polls with `--follow`.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Highest number of requests in one response of `GET /api/requests`; paddock sets this limit.
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

/// Titles of the columns.
const TABLE_HEAD: [&str; 12] = [
    "ENDED", "MODEL", "ROUTE", "STATUS", "OUTCOME", "TTFT", "TOTAL", "IN", "OUT", "TOK/S", "ID",
    "KEY",
];

/// Prints ended requests, newest last: aligned, with a head, on a terminal; tab-separated in a pipe.
pub(super) fn run(args: RequestsArgs) -> Exit {
    let mut printer = RequestPrinter::new(args.json);
    args.admin.run(|client| async move {
        threads::ensure_available(threads::TERMINAL_THREADS)?;
        let model = args.model.as_deref();
        let following = async {
            let page = client.requests(args.number, None, model).await?;
            let mut last_seq = print_page(page, &mut printer, 0).await?;
            while let Some(after) = last_seq.filter(|_| args.follow) {
                sleep(POLL_INTERVAL).await;
                let page = client.requests(MAX_PAGE, Some(after), model).await?;
                last_seq = print_page(page, &mut printer, after).await?;
            }
            Ok(())
        };
        if !args.follow {
            return following.await;
        }
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
    page: TypedAnswer<EndedRequests>,
    printer: &mut RequestPrinter,
    last_seq: u64,
) -> Result<Option<u64>, CommandError> {
    let requests = page.read().await?.requests;
    let newest = requests.first().map_or(last_seq, |newest| newest.seq);
    let text = printer.format_page(&requests);
    // Writing may block, during which an interrupt must be handled.
    let printed = spawn_blocking(move || output::print_lines(&text)).await;
    Ok(matches!(printed, Ok(ReaderState::Present)).then_some(newest))
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
    fn format_page(&mut self, requests: &[EndedRequest]) -> String {
        let requests = requests.iter().rev();
        match self {
            Self::Json => requests
                .flat_map(|request| [json_object(request), "\n".to_owned()])
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

/// Formats a request as JSON, with its members sorted by name.
fn json_object(request: &EndedRequest) -> String {
    // The conversion of these members does not fail.
    let object = serde_json::to_value(request).unwrap_or_default();
    object.to_string()
}

/// Returns a request's cells; missing values are `-`.
fn request_row(
    request: &EndedRequest,
    when: fn(Timestamp) -> String,
) -> [String; TABLE_HEAD.len()] {
    let text = |text: &Option<String>| text.as_deref().map(output::printable);
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let rate = request.tokens_per_second;
    let cells = [
        end_time(request).map(when),
        text(&request.model),
        Some(output::printable(&request.route)),
        request.status.map(|status| status.to_string()),
        Some(output::printable(outcome(request))),
        request.ttft_seconds.map(format_seconds),
        Some(format_seconds(request.total_seconds)),
        number(request.tokens.prompt),
        number(request.tokens.generated),
        rate.map(|rate| format!("{rate:.1}")),
        Some(output::printable(&request.id)),
        text(&request.key),
    ];
    fill_empty(cells)
}

/// Returns a request's error, if paddock answered with one, or its outcome.
pub(super) fn outcome(request: &EndedRequest) -> &str {
    request.error.as_ref().unwrap_or(&request.outcome)
}

/// Returns the time when a request ended.
fn end_time(request: &EndedRequest) -> Option<Timestamp> {
    let at = Duration::try_from_secs_f64(request.at + request.total_seconds).ok()?;
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
    use paddock_api::Tokens;
    use serde_json::Value;

    fn requests() -> [EndedRequest; 2] {
        let refused = EndedRequest {
            seq: 8,
            at: 1_800_000_000.5,
            id: "a\u{1b}[2J".to_owned(),
            route: "other".to_owned(),
            status: Some(404),
            outcome: "refused".to_owned(),
            error: Some("unknown_model".to_owned()),
            total_seconds: 0.0004,
            ..EndedRequest::default()
        };
        let complete = EndedRequest {
            seq: 7,
            at: 1_800_000_000.0,
            id: "r-1".to_owned(),
            model: Some("gemma".to_owned()),
            key: Some("laptop".to_owned()),
            route: "chat_completions".to_owned(),
            status: Some(200),
            outcome: "complete".to_owned(),
            ttft_seconds: Some(0.0524),
            total_seconds: 2.25,
            tokens: Tokens {
                prompt: Some(26),
                cached: Some(0),
                generated: Some(256),
            },
            tokens_per_second: Some(116.31),
            ..EndedRequest::default()
        };
        [refused, complete]
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
