//! `paddock key list`: prints the API keys of the configuration file.

use std::time::SystemTime;

use clap::Args;
use paddock_server::config::{ApiKey, Overrides, Scope};
use serde_json::{Value, json};

use super::FileArgs;
use crate::exit::Exit;
use crate::table::{ColumnWidths, fill_empty, join_with_tabs};
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

/// Titles of the columns.
const TABLE_HEAD: [&str; 7] = [
    "KEY",
    "ALLOWS",
    "MODELS",
    "EXPIRES",
    "CONCURRENT",
    "REQUESTS/MIN",
    "TOKENS/MIN",
];

/// Prints a table of keys: aligned, with a head, on a terminal; tab-separated in a pipe.
pub(super) fn run(args: &ListArgs) -> Exit {
    let loaded = config_file::load(args.file.config.as_deref(), &Overrides::default());
    let keys = match loaded {
        Ok(loaded) => loaded.config.api_keys,
        Err(problems) => {
            service::print_problems(&problems);
            return Exit::Config;
        }
    };
    if args.json {
        let keys: Vec<_> = keys.iter().map(key_json).collect();
        output::print(&format!("{:#}", json!({ "keys": keys })));
        return Exit::Done;
    }
    let rows: Vec<_> = keys.iter().map(key_row).collect();
    if !output::is_terminal() {
        output::print_lines(&join_with_tabs(&rows));
    } else if rows.is_empty() {
        output::print_lines("no keys: clients need no API key\n");
    } else {
        let mut columns = ColumnWidths::new(&TABLE_HEAD);
        let rows = columns.align(&rows);
        output::print_lines(&(columns.align(&[TABLE_HEAD]) + &rows));
    }
    Exit::Done
}

/// Returns the cells of a key's row. `-` means no limit; a past expiry is marked.
fn key_row(key: &ApiKey) -> [String; 7] {
    let limit = |limit: u32| (limit > 0).then(|| limit.to_string());
    let allow: Vec<_> = key.allow.iter().map(|scope| scope.as_str()).collect();
    let models = key.models.as_ref();
    fill_empty([
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

fn key_json(key: &ApiKey) -> Value {
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
