//! From what is written to a configuration that is valid.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use toml::de::DeTable;

use super::checks::{
    addresses, check_names, check_overlaps, check_public, fault_problem, file_name,
};
use super::engine::{self, Fault};
use super::problem::{Problem, Problems};
use super::raw::{self, Env, List, Raw, RawEngine, RawModel, RawServer};
use super::section::{At, Report};
use super::source::Source;
use super::{
    Config, Engine, GpuLayers, Listen, Mode, Model, ModelFlag, Overrides, Queue, Server,
    Surroundings, files, log_filter, owned,
};

/// The longest runtime directory: a socket's path has 107 bytes (unix(7)), and in it are also a
/// directory of 15, the shortest name of an instance, and the number of its start.
const MOST_RUNTIME_DIR: usize = 107 - "/paddock-XXXXXX".len() - "/ABCDEFGHI-12345.sock".len();

pub(super) const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);
pub(super) const ADMIN: ([u8; 4], u16) = ([127, 0, 0, 1], 8081);
pub(super) const BODY_LIMIT: u64 = 100 << 20;
pub(super) const DRAIN: Duration = Duration::from_secs(30);
pub(super) const QUEUE_LIMIT: u32 = 256;
pub(super) const QUEUE_TIMEOUT: Duration = Duration::from_mins(5);
pub(super) const STARTUP: Duration = Duration::from_mins(2);
pub(super) const FIRST_BYTE: Duration = Duration::from_mins(10);
pub(super) const STREAM_IDLE: Duration = Duration::from_mins(5);
const COMMAND: &str = "llama-server";
pub(super) const LOG: &str = "info";

/// Reads and checks a file's text together with the command line's part.
pub(super) fn from_toml(
    text: &str,
    file: &Path,
    overrides: &Overrides,
    around: &Surroundings,
) -> Result<Config, Problems> {
    let source = Source { file, text };
    let report = Report::new(source);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // Keys after a broken line may be lost, so nothing else is judged.
        for error in errors {
            let place = error.span().map(|span| source.place(&span));
            report.push(Problem::new(error.message()).place(place));
        }
        return Err(Problems::of(report.into_problems()));
    }
    let raw = raw::read(&report, table.get_ref());
    let build = Build {
        report: &report,
        overrides,
        around,
    };
    let config = build.config(raw);
    let problems = report.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Problems::of(problems)),
    }
}

struct Build<'a> {
    report: &'a Report<'a>,
    overrides: &'a Overrides,
    around: &'a Surroundings,
}

impl Build<'_> {
    /// Returns the configuration, or `None` after reporting why there can be none.
    fn config(&self, raw: Raw) -> Option<Config> {
        let server = self.server(raw.server);
        let engine = self.engine(raw.engine);
        let model = self.choose(raw.models);
        let model = model.and_then(|(name, model)| self.model(&name, model, raw.defaults));
        Some(Config {
            mode: Mode::Serve,
            server,
            engine: engine?,
            queue: Queue {
                limit: value(raw.queue_limit, QUEUE_LIMIT) as usize,
                timeout: value(raw.queue_timeout, QUEUE_TIMEOUT),
            },
            model: model?,
            log: self.log(raw.log),
        })
    }

    fn log(&self, raw: Option<At<String>>) -> String {
        let Some(filter) = &self.overrides.log else {
            return value(raw, LOG.to_owned());
        };
        if let Err(message) = log_filter::check(filter) {
            self.report.push(Problem::new(message).key("--log"));
        }
        filter.clone()
    }

    fn server(&self, raw: RawServer) -> Server {
        let listen = addresses("listen", &self.overrides.listen, raw.listen, LISTEN);
        let admin = addresses("admin", &self.overrides.admin, raw.admin, ADMIN);
        if listen.value.is_empty() {
            self.report
                .push(listen.problem("needs at least one address"));
        }
        let public = self.overrides.allow_public || value(raw.allow_public, false);
        if !public {
            check_public(&listen.value)
                .chain(check_public(&admin.value))
                .for_each(|problem| self.report.push(problem));
        }
        for problem in check_overlaps(&listen.value, &admin.value) {
            self.report.push(problem);
        }
        let values = |list: List<Listen>| list.value.into_iter().map(|at| at.value).collect();
        Server {
            listen: values(listen),
            admin: values(admin),
            body_limit: value(raw.body_limit, BODY_LIMIT),
            drain_timeout: value(raw.drain_timeout, DRAIN),
            runtime_dir: self.runtime_dir(raw.runtime_dir),
        }
    }

    fn runtime_dir(&self, raw: Option<At<PathBuf>>) -> Option<PathBuf> {
        let at = self.optional_path(raw)?;
        if !at.value.is_dir() {
            let path = at.value.display();
            let problem = at.problem(format!("there is no directory {path}"));
            self.report
                .push(problem.help(format!("make it: mkdir -p -m 700 {path}")));
        }
        let bytes = at.value.as_os_str().len();
        if bytes > MOST_RUNTIME_DIR {
            let message = format!("is too long for a place of sockets: {bytes} bytes");
            let help = format!("choose a shorter one, of at most {MOST_RUNTIME_DIR} bytes");
            self.report.push(at.problem(message).help(help));
        }
        Some(at.value)
    }

    fn engine(&self, raw: RawEngine) -> Option<Engine> {
        let command = raw.command.unwrap_or_else(|| At {
            value: COMMAND.to_owned(),
            key: "engine.command".to_owned(),
            place: None,
        });
        let path = if command.value.contains('/') {
            self.resolve(Path::new(&command.value))
        } else {
            PathBuf::from(&command.value)
        };
        let program = engine::find(&path, self.around.search_path.as_deref());
        let args = self.args(raw.args);
        let env = self.env(raw.env);
        Some(Engine {
            program: self.report_fault(&command, program)?,
            args,
            env,
        })
    }

    /// Returns the one model: of the file, of a flag, or of the file with the flag's path.
    fn choose(&self, mut models: Vec<(At<String>, RawModel)>) -> Option<(At<String>, RawModel)> {
        for flag in &self.overrides.models {
            let (name, path) = flag_model(flag);
            let known = models
                .iter_mut()
                .find(|(known, _)| known.value == name.value);
            if let Some((_, model)) = known {
                model.path = Some(path);
            } else {
                let path = Some(path);
                models.push((
                    name,
                    RawModel {
                        path,
                        ..RawModel::default()
                    },
                ));
            }
        }
        let names: Vec<_> = models.iter().map(|(name, _)| name.value.clone()).collect();
        for (name, _) in models.iter().skip(1) {
            let message = format!("this version serves one model; `{}` is another", name.value);
            let help = format!("keep one of: {}", names.join(", "));
            self.report.push(name.problem(message).help(help));
        }
        let model = models.into_iter().next();
        if model.is_none() {
            let help = "add [models.NAME] with `path = \"FILE.gguf\"`, or give --model FILE.gguf";
            self.report
                .push(Problem::new("no model is configured").help(help));
        }
        model
    }

    fn model(&self, name: &At<String>, raw: RawModel, defaults: RawModel) -> Option<Model> {
        let aliases = raw.aliases.map(|list| list.value).unwrap_or_default();
        for problem in check_names(name, &aliases) {
            self.report.push(problem);
        }
        let mmproj = self.optional_path(raw.mmproj.or(defaults.mmproj));
        let draft = self.optional_path(raw.draft.or(defaults.draft));
        let path = self.optional_path(raw.path);
        if path.is_none() {
            let problem = name.problem("needs `path`, the model's file");
            self.report.push(problem.help("write path = \"FILE.gguf\""));
        }
        for file in [&path, &mmproj, &draft].into_iter().flatten() {
            self.report_fault(file, files::check(&file.value));
        }
        // A list of the model's own replaces the default one, which is checked all the same.
        let default_args = self.args(defaults.args);
        let default_env = self.env(defaults.env);
        let args = raw.args.map(|args| self.args(Some(args)));
        let env = raw.env.map(|env| self.env(Some(env)));
        Some(Model {
            id: name.value.clone(),
            aliases: aliases.into_iter().map(|alias| alias.value).collect(),
            path: Some(path?.value),
            mmproj: mmproj.map(|at| at.value),
            draft: draft.map(|at| at.value),
            context: value(raw.context.or(defaults.context), 0),
            parallel: value(raw.parallel.or(defaults.parallel), 1),
            gpu_layers: value(raw.gpu_layers.or(defaults.gpu_layers), GpuLayers::Auto),
            args: args.unwrap_or(default_args),
            env: env.unwrap_or(default_env),
            max_in_flight: value(raw.max_in_flight.or(defaults.max_in_flight), 0),
            startup_timeout: value(raw.startup_timeout.or(defaults.startup_timeout), STARTUP),
            first_byte_timeout: value(
                raw.first_byte_timeout.or(defaults.first_byte_timeout),
                FIRST_BYTE,
            ),
            stream_idle_timeout: value(
                raw.stream_idle_timeout.or(defaults.stream_idle_timeout),
                STREAM_IDLE,
            ),
        })
    }

    fn args(&self, args: Option<List<String>>) -> Vec<OsString> {
        let args = args.map(|args| args.value).unwrap_or_default();
        args.iter()
            .filter_map(owned::check_arg)
            .for_each(|problem| self.report.push(problem));
        args.into_iter().map(|arg| arg.value.into()).collect()
    }

    fn env(&self, env: Option<Env>) -> BTreeMap<String, String> {
        let env = env.unwrap_or_default();
        for (name, value) in &env {
            if name.is_empty() || name.contains(['=', '\0']) || value.value.contains('\0') {
                let message = format!(
                    "`{}` cannot be an environment variable",
                    name.escape_debug()
                );
                self.report.push(value.problem(message));
            }
            if let Some(problem) = owned::check_env(name, value) {
                self.report.push(problem);
            }
        }
        env.into_iter().map(|(name, at)| (name, at.value)).collect()
    }

    /// Makes a path absolute: `~/` is the home directory, the file's directory is where others begin.
    fn resolve(&self, path: &Path) -> PathBuf {
        let home = self.around.home.as_ref().zip(path.strip_prefix("~").ok());
        let directory = self.report.source.file.parent().unwrap_or(Path::new(""));
        let path = match home {
            Some((home, rest)) => home.join(rest),
            None => directory.join(path),
        };
        absolute(&path).unwrap_or(path)
    }

    /// Resolves a path; an empty one stands for none.
    fn optional_path(&self, path: Option<At<PathBuf>>) -> Option<At<PathBuf>> {
        let path = path.filter(|path| !path.value.as_os_str().is_empty())?;
        // A flag's path begins where paddock was started, not where the file is.
        Some(match path.place {
            Some(_) => path.with(self.resolve(&path.value)),
            None => path.with(absolute(&path.value).unwrap_or_else(|_| path.value.clone())),
        })
    }

    fn report_fault<T, U>(&self, at: &At<T>, result: Result<U, Fault>) -> Option<U> {
        result
            .map_err(|fault| self.report.push(fault_problem(at, fault)))
            .ok()
    }
}

/// Reads `--model` as the name and the path of a model.
fn flag_model(flag: &ModelFlag) -> (At<String>, At<PathBuf>) {
    let at = At {
        value: (),
        key: "--model".to_owned(),
        place: None,
    };
    let name = flag.name.clone().unwrap_or_else(|| file_name(&flag.path));
    (at.with(name), at.with(flag.path.clone()))
}

fn value<T>(at: Option<At<T>>, default: T) -> T {
    at.map_or(default, |at| at.value)
}
