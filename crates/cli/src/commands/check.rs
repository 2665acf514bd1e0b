//! `paddock check`: validates the configuration, the files that it names, and whether its addresses are free.

use clap::Args;
use paddock_server::config::{Config, Listen, Problem, Problems, Warning, warnings};
use serde_json::{Value, json};

use super::ConfigArgs;
use crate::config_file::LoadedConfig;
use crate::exit::Exit;
use crate::{config_file, output, port_check, service};

/// Flags of `paddock check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON: what would be served, or every problem with its position in the file.
    #[arg(long)]
    json: bool,
}

/// Prints every problem that `paddock serve` would meet, or a summary if there is none.
pub(super) fn run(args: CheckArgs) -> Exit {
    let (file, overrides) = args.config.overrides();
    let loaded = config_file::load(file.as_deref(), &overrides);
    let checked = loaded.and_then(
        |loaded| match Problems::new(find_problems(&loaded.config)) {
            Some(problems) => Err(problems),
            None => Ok(loaded),
        },
    );
    match (&checked, args.json) {
        (Ok(loaded), true) => output::print(&format!("{:#}", success_json(loaded))),
        (Ok(loaded), false) => {
            let server = &loaded.config.server;
            let summary = service::format_summary(
                &loaded.config,
                loaded.path(),
                &server.listen,
                &server.admin,
            );
            output::print(&format!("ok\n{summary}"));
            for warning in warnings(&loaded.config, &server.listen, &server.admin) {
                output::print_error(&warning.to_string());
            }
        }
        (Err(problems), true) => output::print(&format!("{:#}", failure_json(problems))),
        (Err(problems), false) => service::print_problems(problems),
    }
    if checked.is_ok() {
        Exit::Done
    } else {
        Exit::Config
    }
}

/// Finds problems outside a valid configuration: files that `serve` would skip, and addresses in use.
fn find_problems(config: &Config) -> Vec<Problem> {
    let faults = config.faults.iter().map(|fault| fault.problem.clone());
    faults.chain(port_check::find_unavailable(config)).collect()
}

fn success_json(loaded: &LoadedConfig) -> Value {
    let config = &loaded.config;
    let models = config.models.iter().map(|model| {
        let source = model.source.as_ref().map(ToString::to_string);
        json!({ "id": model.id, "aliases": model.aliases, "path": model.path, "source": source })
    });
    let skipped = config.skipped.iter();
    let skipped = skipped.map(|skipped| json!({ "path": skipped.path, "reason": skipped.reason }));
    let warnings = warnings(config, &config.server.listen, &config.server.admin);
    let warnings = warnings
        .iter()
        .map(|Warning { message, help }| json!({ "message": message, "help": help }));
    let addresses = |all: &[Listen]| -> Vec<_> { all.iter().map(Listen::to_string).collect() };
    json!({
        "ok": true,
        "config": loaded.path(),
        "models": models.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
        "engine": config.engine.program,
        "listen": addresses(&config.server.listen),
        "admin": addresses(&config.server.admin),
        "warnings": warnings.collect::<Vec<_>>(),
        "problems": [],
    })
}

fn failure_json(problems: &Problems) -> Value {
    let problems = problems.as_slice().iter().map(problem_json);
    json!({ "ok": false, "problems": problems.collect::<Vec<_>>() })
}

fn problem_json(problem: &Problem) -> Value {
    let place = problem.span.as_ref();
    json!({
        "key": problem.key,
        "message": problem.message,
        "help": problem.help,
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "width": place.map(|place| place.width),
        "text": place.map(|place| &place.text),
    })
}
