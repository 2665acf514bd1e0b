//! Resolves the raw configuration into a valid [`Config`]: defaults, flags, paths, and checks between keys.

mod api_keys;
mod context_cache;
mod models;
mod server;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use toml::de::DeTable;

use super::cross_checks::fault_problem;
use super::engine_search::{self, PathFault};
use super::key_reader::Sourced;
use super::problem::{Problem, Problems};
use super::problem_report::{ProblemReport, merge_by_line};
use super::raw::{self, Env, List, Raw, RawEngine, RawMemory, RawScheduler};
use super::shared_limits::{Memory, Ram, Scheduler, Vram};
use super::source_text::SourceText;
use super::{
    Collector, Config, Engine, EventReceiver, HttpUrl, Mode, Overrides, ProcessEnv, SandboxMode,
    home_dir, log_filter, otlp_headers, owned_flags, sandbox,
};

pub(super) use server::default_state_dir;

pub(super) const DEFAULT_ADMIN: ([u8; 4], u16) = ([127, 0, 0, 1], 8081);
pub(super) const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const DEFAULT_LOG: &str = "info";
const DEFAULT_ACTIVITY_RETENTION: Duration = Duration::from_hours(30 * 24);
const DEFAULT_ENGINE_COMMAND: &str = "llama-server";

/// Reads and checks a file's text together with the settings of the command line.
pub(super) fn from_toml(
    text: &str,
    file: &Path,
    overrides: &Overrides,
    process_env: &ProcessEnv,
) -> Result<Config, Problems> {
    let source = SourceText { file, text };
    let report = ProblemReport::new(source);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // Keys after a broken line may be lost, so nothing else is checked.
        for error in errors {
            let span = error.span().map(|span| source.span(&span));
            report.push(Problem::new(error.message()).span(span));
        }
        return Err(Problems::from_nonempty(report.into_parts().0));
    }
    let raw = raw::read(&report, table.get_ref());
    let resolver = Resolver {
        report: &report,
        overrides,
        process_env,
    };
    let config = resolver.config(raw);
    let (problems, faults) = report.into_parts();
    let Some(mut config) = config.filter(|_| problems.is_empty()) else {
        return Err(Problems::from_nonempty(merge_by_line(problems, faults)));
    };
    config.faults = faults;
    Ok(config)
}

struct Resolver<'a> {
    report: &'a ProblemReport<'a>,
    overrides: &'a Overrides,
    process_env: &'a ProcessEnv,
}

impl Resolver<'_> {
    /// Returns the configuration, or `None` after reporting why there is none.
    fn config(&self, mut raw: Raw) -> Option<Config> {
        let default_model = raw.server.default_model.take();
        let mut server = self.server(raw.server, &raw.api_keys);
        let engine = self.engine(raw.engine);
        let listed = raw.discover_dirs.as_ref();
        let discovers = !self.overrides.models_dirs.is_empty()
            || listed.is_some_and(|dirs| !dirs.value.is_empty());
        let (models, skipped) = self.models(raw.models, raw.defaults, raw.discover_dirs);
        server.default_model = self.default_model(default_model, &models);
        Some(Config {
            mode: Mode::Serve,
            server,
            engine: engine?,
            memory: self.memory(raw.memory),
            scheduler: scheduler(raw.scheduler),
            context_cache: self.context_cache(raw.context_cache),
            api_keys: self.api_keys(raw.api_keys, &models),
            models,
            skipped,
            discovers,
            faults: Vec::new(),
            activity_retention: value_or(raw.activity_retention, Some(DEFAULT_ACTIVITY_RETENTION)),
            otlp: self.collector(raw.otlp),
            events: self.events(raw.events_url, raw.events_token_file),
            log: self.log(raw.log),
        })
    }

    fn events(
        &self,
        url: Option<Sourced<Option<HttpUrl>>>,
        token_file: Option<Sourced<PathBuf>>,
    ) -> Option<EventReceiver> {
        let token_file = self.optional_path(token_file);
        let url = value_or(url, None);
        if let Some(at) = &token_file {
            let path = at.value.display();
            if url.is_none() {
                let problem = at.problem("`events_url` is not set, so the token would not be used");
                self.report.push(problem);
            } else if !at.value.is_file() {
                let help = format!("create it with the token: (umask 077; cat > {path})");
                let problem = at.problem(format!("there is no file {path}"));
                self.report.push(problem.help(help));
            }
        }
        let token_file = token_file.map(|at| at.value);
        url.map(|url| EventReceiver { url, token_file })
    }

    fn collector(&self, url: Option<Sourced<Option<HttpUrl>>>) -> Option<Collector> {
        let url = value_or(url, None)?;
        let fields = self
            .process_env
            .otlp_headers
            .as_deref()
            .map(otlp_headers::parse);
        let fields = fields.transpose().unwrap_or_else(|flaw| {
            let problem = Problem::new(flaw.to_string()).key(otlp_headers::HEADERS_VARIABLE);
            self.report.push(problem.help(otlp_headers::HEADERS_HELP));
            None
        });
        let fields = fields.unwrap_or_default();
        Some(Collector { url, fields })
    }

    fn log(&self, raw: Option<Sourced<String>>) -> String {
        let Some(filter) = &self.overrides.log else {
            return value_or(raw, DEFAULT_LOG.to_owned());
        };
        if let Err(message) = log_filter::check(filter) {
            self.report.push(Problem::new(message).key("--log"));
        }
        filter.clone()
    }

    fn memory(&self, raw: RawMemory) -> Memory {
        if let Some(at) = &raw.vram
            && let Vram::Devices(devices) = &at.value
            && (devices.is_empty() || devices.contains_key(""))
        {
            let help = "write, for example, { CUDA0 = \"20GiB\" }, with device names from \
                `llama-server --list-devices`, or \"auto\"";
            self.report
                .push(at.problem("needs device names").help(help));
        }
        let default = Memory::default();
        Memory {
            ram: value_or(raw.ram, Ram::Auto),
            vram: value_or(raw.vram, Vram::Auto),
            reserve: value_or(raw.reserve, default.reserve),
        }
    }

    fn engine(&self, raw: RawEngine) -> Option<Engine> {
        let command = raw.command.unwrap_or_else(|| Sourced {
            value: DEFAULT_ENGINE_COMMAND.to_owned(),
            key: "engine.command".to_owned(),
            span: None,
        });
        let path = if command.value.contains('/') {
            self.resolve(Path::new(&command.value))
        } else {
            PathBuf::from(&command.value)
        };
        let program = engine_search::find_engine(&path, self.process_env);
        let args = self.args(raw.args);
        let env = self.env(raw.env);
        let lacks = raw.sandbox.as_ref();
        if let Some(problem) =
            lacks.and_then(|mode| sandbox::missing_support(mode, self.process_env.parts))
        {
            self.report.push(problem);
        }
        Some(Engine {
            program: self.report_fault(&command, program)?,
            args,
            env,
            sandbox: value_or(raw.sandbox, SandboxMode::Auto),
        })
    }

    fn args(&self, args: Option<List<String>>) -> Vec<OsString> {
        let args = args.map(|args| args.value).unwrap_or_default();
        args.iter()
            .filter_map(owned_flags::check_arg)
            .for_each(|problem| self.report.push(problem));
        args.into_iter().map(|arg| arg.value.into()).collect()
    }

    fn env(&self, env: Option<Env>) -> BTreeMap<String, String> {
        let env = env.unwrap_or_default();
        for (name, value) in &env {
            if name.is_empty() || name.contains(['=', '\0']) || value.value.contains('\0') {
                let message = format!(
                    "`{}` is not a valid name of an environment variable",
                    name.escape_debug()
                );
                self.report.push(value.problem(message));
            }
            if let Some(problem) = owned_flags::check_env(name, value) {
                self.report.push(problem);
            }
        }
        env.into_iter().map(|(name, at)| (name, at.value)).collect()
    }

    /// Makes a path absolute: relative to the home directory after `~/` or `$HOME/`, else to the file's directory.
    fn resolve(&self, path: &Path) -> PathBuf {
        let home = self
            .process_env
            .home
            .as_ref()
            .zip(home_dir::below_home(path));
        let directory = self.report.source.file.parent().unwrap_or(Path::new(""));
        let path = match home {
            Some((home, rest)) => home.join(rest),
            None => directory.join(path),
        };
        absolute(&path).unwrap_or(path)
    }

    /// Resolves a path; an empty one means none.
    fn optional_path(&self, path: Option<Sourced<PathBuf>>) -> Option<Sourced<PathBuf>> {
        let path = path.filter(|path| !path.value.as_os_str().is_empty())?;
        // Paths in flags are relative to the working directory, not to the file.
        Some(match path.span {
            Some(_) => path.with_value(self.resolve(&path.value)),
            None => path.with_value(absolute(&path.value).unwrap_or_else(|_| path.value.clone())),
        })
    }

    fn report_fault<T, U>(&self, at: &Sourced<T>, result: Result<U, PathFault>) -> Option<U> {
        result
            .map_err(|fault| self.report.push(fault_problem(at, fault)))
            .ok()
    }
}

fn scheduler(raw: RawScheduler) -> Scheduler {
    let default = Scheduler::default();
    Scheduler {
        max_loaded: NonZeroU32::new(value_or(raw.max_loaded, 0)),
        queue_limit: raw
            .queue_limit
            .map_or(default.queue_limit, |at| at.value as usize),
        queue_timeout: value_or(raw.queue_timeout, default.queue_timeout),
        max_wait: value_or(raw.max_wait, default.max_wait),
        min_residency: value_or(raw.min_residency, default.min_residency),
    }
}

fn value_or<T>(at: Option<Sourced<T>>, default: T) -> T {
    at.map_or(default, |at| at.value)
}
