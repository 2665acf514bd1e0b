//! `paddock engine list`.

use clap::Args;
use paddock_download::Release;
use paddock_engines::{EngineDirs, EngineName, Flavour, InstalledEngine, Platform, choose_asset};
use serde_json::{Value, json};

use super::block_on;
use crate::engine_install::{EngineInstallError, engine_dirs, releases};
use crate::exit::Exit;
use crate::table::{ColumnWidths, join_with_tabs};
use crate::{output, this_platform};

/// Flags of `paddock engine list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// List llama.cpp's newest releases instead, with the build that suits this machine.
    #[arg(long)]
    available: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &ListArgs) -> Exit {
    let dirs = engine_dirs();
    if !args.available {
        print_installed(&dirs, args.json);
        return Exit::Done;
    }
    match block_on(read_available()) {
        Ok((platform, releases)) => {
            print_available(&dirs, &platform, &releases, args.json);
            Exit::Done
        }
        Err(exit) => exit,
    }
}

async fn read_available() -> Result<(Platform, Vec<Release>), EngineInstallError> {
    let (_client, releases) = releases()?;
    let releases = releases.list().await.map_err(EngineInstallError::Feed)?;
    Ok((this_platform::detect().await, releases))
}

fn print_installed(dirs: &EngineDirs, as_json: bool) {
    let current = dirs.current().map(|engine| engine.name);
    let engines = dirs.installed();
    if as_json {
        let engines = engines.iter();
        let engines: Vec<_> = engines
            .map(|engine| engine_json(engine, current.as_ref()))
            .collect();
        return output::print(&format!("{:#}", json!({ "engines": engines })));
    }
    if engines.is_empty() {
        return output::print_error("no engine is installed\n  = help: paddock engine install");
    }
    let rows = engines.iter().map(|engine| {
        let is_current = current.as_ref() == Some(&engine.name);
        [
            if is_current { "*" } else { " " }.to_owned(),
            engine.name.to_string(),
            Flavour::new(&*engine.receipt.flavour).to_string(),
            output::printable(&engine.receipt.version),
            engine.program.display().to_string(),
        ]
    });
    print_table(
        ["", "NAME", "BACKEND", "VERSION", "PROGRAM"],
        &rows.collect::<Vec<_>>(),
    );
}

fn engine_json(engine: &InstalledEngine, current: Option<&EngineName>) -> Value {
    json!({
        "name": engine.name.as_str(),
        "current": current == Some(&engine.name),
        "program": engine.program,
        "tag": engine.receipt.tag,
        "backend": Flavour::new(&*engine.receipt.flavour).backend(),
        "flavour": engine.receipt.flavour,
        "version": engine.receipt.version,
        "installed": engine.receipt.installed,
        "archives": engine.receipt.archives,
        "source": engine.receipt.source,
    })
}

/// A release, and its build for this machine.
struct AvailableRow<'a> {
    release: &'a Release,
    /// The name that the engine would have, its flavour, and whether it is installed; or the reason against it.
    build: Result<(EngineName, Flavour, bool), String>,
}

fn print_available(dirs: &EngineDirs, platform: &Platform, releases: &[Release], as_json: bool) {
    let rows = releases.iter().map(|release| {
        let names: Vec<_> = release
            .assets
            .iter()
            .map(|asset| asset.name.as_str())
            .collect();
        let choice = choose_asset(platform, &names, None).map_err(|error| error.to_string());
        let build = choice.and_then(|choice| {
            let name = EngineName::from_release(&release.tag, &choice.flavour);
            let name = name.map_err(|error| error.to_string())?;
            let is_installed = dirs.find(&name).is_some();
            Ok((name, choice.flavour, is_installed))
        });
        AvailableRow { release, build }
    });
    let rows: Vec<_> = rows.collect();
    if as_json {
        let releases: Vec<_> = rows.iter().map(AvailableRow::to_json).collect();
        return output::print(&format!("{:#}", json!({ "releases": releases })));
    }
    let rows: Vec<_> = rows.iter().map(AvailableRow::to_cells).collect();
    print_table(["TAG", "PUBLISHED", "BUILD", "INSTALLED"], &rows);
}

impl AvailableRow<'_> {
    fn to_json(&self) -> Value {
        let (name, flavour, is_installed, why_not) = match &self.build {
            Ok((name, flavour, is_installed)) => (
                Some(name.as_str()),
                Some(flavour.as_str()),
                *is_installed,
                None,
            ),
            Err(why_not) => (None, None, false, Some(why_not)),
        };
        json!({
            "tag": self.release.tag,
            "published": self.release.published,
            "name": name,
            "flavour": flavour,
            "installed": is_installed,
            "unsuitable": why_not,
        })
    }

    fn to_cells(&self) -> [String; 4] {
        let (build, installed) = match &self.build {
            Ok((_, flavour, is_installed)) => (
                flavour.to_string(),
                if *is_installed { "yes" } else { "no" },
            ),
            Err(why_not) => (why_not.clone(), "-"),
        };
        [
            output::printable(&self.release.tag),
            output::printable(self.release.published.as_deref().unwrap_or("-")),
            build,
            installed.to_owned(),
        ]
    }
}

fn print_table<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    if output::is_terminal() {
        let mut columns = ColumnWidths::new(&head);
        // Widths grow with the rows, so they are set before the head is printed.
        let _widths = columns.align(rows);
        output::print(&(columns.align(&[head]) + &columns.align(rows)));
    } else {
        output::print(&join_with_tabs(rows));
    }
}
