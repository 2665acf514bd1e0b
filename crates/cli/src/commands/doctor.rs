//! `paddock doctor`: reads the facts about this machine, and finds what does not fit together.

mod facts;
mod findings;
mod report;

use std::path::PathBuf;

use clap::Args;
use tokio::runtime::Builder;

use crate::admin::AdminArgs;
use crate::exit::Exit;
use crate::output;
use facts::Facts;
use findings::{Severity, find};

/// Flags of `paddock doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Path of the configuration file.
    ///
    /// Default: the first of `./paddock.toml`, `$XDG_CONFIG_HOME/paddock/paddock.toml` and
    /// `/etc/paddock/paddock.toml` that exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON: the facts, and the findings.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Prints facts and findings. Fails if a finding prevents paddock from serving.
pub(super) fn run(args: DoctorArgs) -> Exit {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::print_error(&format!("error: cannot start: {error}"));
            return Exit::Failed;
        }
    };
    let facts = runtime.block_on(Facts::read(args.config.as_deref(), args.admin));
    let findings = find(&facts);
    if args.json {
        output::print(&format!("{:#}", report::to_json(&facts, &findings)));
    } else {
        output::print(&report::to_text(&facts, &findings));
    }
    let prevents = |severity| severity == Severity::Error;
    match findings.iter().any(|finding| prevents(finding.severity)) {
        true => Exit::Failed,
        false => Exit::Done,
    }
}
