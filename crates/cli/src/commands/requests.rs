//! `paddock requests`.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::admin::{AdminArgs, Client, Trouble};
use crate::exit::Exit;
use crate::output::{self, Reader};
use crate::table::{Columns, filled, tabbed};
use crate::threads;

/// How often those who follow ask for what has ended since.
const AGAIN: Duration = Duration::from_secs(1);

/// The most that paddock gives at once.
const PAGE: u32 = 1_000;

/// Flags of `paddock requests`.
#[derive(Debug, Args)]
pub(super) struct RequestsArgs {
    /// Go on with the requests that end, until paddock stops.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last requests, at most 1000.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE)))]
    number: u32,
    /// Only those of this model, by its name.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Print JSON, an object for each request.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

const HEAD: [&str; 12] = [
    "ENDED", "MODEL", "ROUTE", "STATUS", "OUTCOME", "TTFT", "TOTAL", "IN", "OUT", "TOK/S", "ID",
    "KEY",
];

/// Prints what is known of the requests that have ended, the newest last: on a terminal aligned, with a
/// head; in a pipe tabs stand between the cells.
pub(super) fn run(args: RequestsArgs) -> Exit {
    let model = args.model.as_deref().map_or_else(String::new, |model| {
        format!("&model={}", utf8_percent_encode(model, NON_ALPHANUMERIC))
    });
    let mut printer = Printer::new(args.json);
    args.admin.run(|client| async move {
        threads::ensure(threads::BLOCKING)?;
        let first = format!("limit={}{model}", args.number);
        if !args.follow {
            return print(&client, &first, &mut printer, 0).await.map(drop);
        }
        let following = async {
            let mut seen = print(&client, &first, &mut printer, 0).await?;
            while let Some(after) = seen {
                sleep(AGAIN).await;
                let next = format!("limit={PAGE}&after={after}{model}");
                seen = print(&client, &next, &mut printer, after).await?;
            }
            Ok(())
        };
        tokio::select! {
            biased;
            // Who follows ends it so: nothing has failed.
            _ = tokio::signal::ctrl_c() => Ok(()),
            ended = following => ended,
        }
    })
}

/// Prints a page. Says what the newest request's place is, or nothing where nobody reads any more.
async fn print(
    client: &Client,
    query: &str,
    printer: &mut Printer,
    seen: u64,
) -> Result<Option<u64>, Trouble> {
    let answer = client
        .ask(Method::GET, &format!("/api/requests?{query}"))
        .await?;
    let page = answer.json().await?;
    let requests = page["requests"].as_array().map_or(&[][..], Vec::as_slice);
    let newest = requests.first().and_then(|newest| newest["seq"].as_u64());
    let text = printer.page(requests);
    // A terminal or a pipe may take its time, in which an interrupt has to be heard.
    let printed = spawn_blocking(move || output::lines(&text)).await;
    Ok(matches!(printed, Ok(Reader::There)).then_some(newest.unwrap_or(seen)))
}

/// How requests are shown.
#[derive(Debug)]
enum Printer {
    Json,
    Tabs,
    /// Aligned; the head has been shown or has not.
    Table {
        columns: Columns<{ HEAD.len() }>,
        has_head: bool,
    },
}

impl Printer {
    fn new(json: bool) -> Self {
        match (json, output::is_terminal()) {
            (true, _) => Self::Json,
            (false, false) => Self::Tabs,
            (false, true) => Self::Table {
                columns: Columns::new(&HEAD),
                has_head: false,
            },
        }
    }

    /// The lines of these requests, of which the newest come first.
    fn page(&mut self, requests: &[Value]) -> String {
        let requests = requests.iter().rev();
        match self {
            Self::Json => requests
                .flat_map(|request| [request.to_string(), "\n".to_owned()])
                .collect(),
            Self::Tabs => tabbed(&requests.map(|it| row(it, when)).collect::<Vec<_>>()),
            Self::Table { columns, has_head } => {
                let rows = requests.map(|it| row(it, when_here)).collect::<Vec<_>>();
                let aligned = columns.lines(&rows);
                if std::mem::replace(has_head, true) {
                    aligned
                } else {
                    columns.lines(&[HEAD]) + &aligned
                }
            }
        }
    }
}

/// A request's cells; what there is not is `-`.
fn row(request: &Value, when: fn(Timestamp) -> String) -> [String; HEAD.len()] {
    let word = |value: &Value| value.as_str().map(output::printable);
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    let seconds = |value: &Value| value.as_f64().map(seconds);
    let tokens = &request["tokens"];
    // What was refused says why.
    let outcome = word(&request["error"]).or_else(|| word(&request["outcome"]));
    let cells = [
        ended(request).map(when),
        word(&request["model"]),
        word(&request["route"]),
        number(&request["status"]),
        outcome,
        seconds(&request["ttft_seconds"]),
        seconds(&request["total_seconds"]),
        number(&tokens["prompt"]),
        number(&tokens["generated"]),
        request["tokens_per_second"]
            .as_f64()
            .map(|rate| format!("{rate:.1}")),
        word(&request["id"]),
        word(&request["key"]),
    ];
    filled(cells)
}

/// When it ended: it came at `at`.
fn ended(request: &Value) -> Option<Timestamp> {
    let total = request["total_seconds"].as_f64().unwrap_or(0.0);
    let at = Duration::try_from_secs_f64(request["at"].as_f64()? + total).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(at).ok()
}

/// For programs.
fn when(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// For who is here.
fn when_here(at: Timestamp) -> String {
    let here = ZonedDateTime::new(at, TimeZone::system());
    here.strftime("%m-%d %H:%M:%S").to_string()
}

fn seconds(seconds: f64) -> String {
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
        let text = Printer::Tabs.page(&requests());
        let expected = "\
2027-01-15T08:00:02.250Z\tgemma\tchat_completions\t200\tcomplete\t52 ms\t2.2 s\t26\t256\t116.3\tr-1\tlaptop
2027-01-15T08:00:00.500Z\t-\tother\t404\tunknown_model\t-\t0 ms\t-\t-\t-\ta\u{fffd}[2J\t-
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_terminal_has_one_head() {
        let mut printer = Printer::Table {
            columns: Columns::new(&HEAD),
            has_head: false,
        };
        let text = printer.page(&requests()) + &printer.page(&requests());
        let heads = text.lines().filter(|line| line.starts_with("ENDED"));
        assert_eq!((heads.count(), text.lines().count()), (1, 5));
    }

    #[test]
    fn json_is_an_object_a_line() {
        let text = Printer::Json.page(&requests());
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!((&lines[0]["seq"], &lines[1]["seq"]), (&7.into(), &8.into()));
    }
}
