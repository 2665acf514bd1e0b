//! `paddock version`: prints the version, and with `--check` whether a newer one has been published.

use std::env;

use clap::Args;
use paddock_download::{HttpClient, HttpError, Releases};
use semver::Version;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::engine_install::engine_dirs;
use crate::exit::Exit;
use crate::output;

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const USER_AGENT: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));

/// Flags of `paddock version`.
#[derive(Debug, Args)]
pub(super) struct VersionArgs {
    /// Ask the releases feed whether a newer version exists. Without this flag, the command uses no network.
    #[arg(long)]
    check: bool,
    /// Address of the releases feed for --check, such as `https://api.github.com/repos/OWNER/NAME/releases`.
    #[arg(long, value_name = "URL", env = "PADDOCK_RELEASES")]
    feed: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The reason why the newest version is unknown.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(
        "no releases feed is configured\n  = help: give one with --feed URL, or set PADDOCK_RELEASES"
    )]
    NoFeed,
    #[error("cannot read the releases feed: {0}")]
    Feed(#[from] HttpError),
    #[error("the feed's latest release has the tag `{0}`, which is no version")]
    NoVersion(String),
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Runs the command.
pub(super) fn run(args: &VersionArgs) -> Exit {
    let latest = match args.check {
        false => None,
        true => match find_latest(args.feed.as_deref()) {
            Ok(latest) => Some(latest),
            Err(error) => {
                output::print_error(&format!("error: {error}"));
                return Exit::Failed;
            }
        },
    };
    if args.json {
        output::print(&format!("{:#}", to_json(latest.as_ref())));
        return Exit::Done;
    }
    output::print(&format!("paddock {VERSION}"));
    if let Some(engine) = engine_dirs().current() {
        let text = format!("engine {}, {}", engine.name, engine.program.display());
        output::print(&output::printable(&text));
    }
    if let Some(latest) = &latest {
        output::print(&match is_newer(latest) {
            true => format!("version {latest} is available"),
            false => "this is the newest version".to_owned(),
        });
    }
    Exit::Done
}

fn to_json(latest: Option<&Version>) -> Value {
    let engine = engine_dirs().current();
    json!({
        "version": VERSION,
        "engine": engine.map(|engine| json!({ "name": engine.name.as_str(), "program": engine.program })),
        "latest": latest.map(ToString::to_string),
        "newer": latest.map(is_newer),
    })
}

/// Asks the feed for the version of its latest release.
fn find_latest(feed: Option<&str>) -> Result<Version, CheckError> {
    let feed = feed
        .filter(|feed| !feed.is_empty())
        .ok_or(CheckError::NoFeed)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let client = HttpClient::new(USER_AGENT)?;
    let latest = runtime.block_on(Releases::new(client, feed).latest())?;
    parse_tag(&latest.tag).ok_or(CheckError::NoVersion(latest.tag))
}

/// Parses a tag such as `v1.2.3`.
fn parse_tag(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// Returns whether a version follows this program's.
fn is_newer(latest: &Version) -> bool {
    Version::parse(VERSION).is_ok_and(|this| *latest > this)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_versions_that_can_be_compared() {
        for (tag, version) in [
            ("v1.2.3", Some("1.2.3")),
            ("0.1.0-rc.1", Some("0.1.0-rc.1")),
            ("b11434", None),
            ("v1", None),
        ] {
            let parsed = parse_tag(tag).map(|version| version.to_string());
            assert_eq!(parsed.as_deref(), version, "{tag}");
        }
        let newer = |tag: &str| is_newer(&parse_tag(tag).unwrap());
        assert!(newer("v999.0.0"));
        assert!(!newer(VERSION));
        assert!(!newer("v0.0.1"));
    }
}
