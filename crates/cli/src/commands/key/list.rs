//! `paddock key list`.

use std::time::SystemTime;

use clap::Args;
use paddock_server::config::{ApiKey, Overrides, Scope};
use serde_json::{Value, json};

use super::FileArgs;
use crate::exit::Exit;
use crate::table::{Columns, filled, tabbed};
use crate::{config_file, output, service};

/// Flags of `paddock key list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const HEAD: [&str; 7] = [
    "KEY",
    "ALLOWS",
    "MODELS",
    "EXPIRES",
    "CONCURRENT",
    "REQUESTS/MIN",
    "TOKENS/MIN",
];

/// Prints a table of keys: on a terminal aligned, with a head; in a pipe tabs stand between the cells.
pub(super) fn run(args: &ListArgs) -> Exit {
    let loaded = config_file::load(args.file.config.as_deref(), &Overrides::default());
    let keys = match loaded {
        Ok(loaded) => loaded.config.api_keys,
        Err(problems) => {
            service::report(&problems);
            return Exit::Config;
        }
    };
    if args.json {
        let keys: Vec<_> = keys.iter().map(entry).collect();
        output::text(&format!("{:#}", json!({ "keys": keys })));
        return Exit::Done;
    }
    let rows: Vec<_> = keys.iter().map(row).collect();
    if !output::is_terminal() {
        output::lines(&tabbed(&rows));
    } else if rows.is_empty() {
        output::lines("no keys: nobody has to show one\n");
    } else {
        let mut columns = Columns::new(&HEAD);
        let rows = columns.lines(&rows);
        output::lines(&(columns.lines(&[HEAD]) + &rows));
    }
    Exit::Done
}

/// A key's cells; no limit is `-`. An expiry that has passed says so.
fn row(key: &ApiKey) -> [String; 7] {
    let limit = |limit: u32| (limit > 0).then(|| limit.to_string());
    let allow: Vec<_> = key.allow.iter().map(|scope| scope.as_str()).collect();
    let models = key.models.as_ref();
    filled([
        Some(key.name.clone()),
        Some(allow.join(",")),
        Some(models.map_or_else(|| "*".to_owned(), |models| models.join(","))),
        key.expires
            .map(|expires| match expires.has_passed(SystemTime::now()) {
                true => format!("{expires} (expired)"),
                false => expires.to_string(),
            }),
        limit(key.max_concurrent),
        limit(key.requests_per_minute),
        limit(key.tokens_per_minute),
    ])
}

fn entry(key: &ApiKey) -> Value {
    let all = || vec!["*".to_owned()];
    json!({
        "name": key.name,
        "hash": key.hash.to_string(),
        "allow": key.allow.iter().map(|scope| Scope::as_str(*scope)).collect::<Vec<_>>(),
        "models": key.models.clone().unwrap_or_else(all),
        "expires": key.expires.map(|expires| expires.to_string()),
        "max_concurrent": key.max_concurrent,
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
    })
}
