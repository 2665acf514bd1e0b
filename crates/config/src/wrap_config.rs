//! Resolves a wrapped command line into a configuration.
//!
//! The user wrote the command, so paddock checks only the parts that it uses itself: the program, the addresses, TLS
//! flags, the log filter and the sandbox. The command checks its other arguments and its files.

use std::ffi::OsString;
use std::net::SocketAddr;

use super::cross_checks::{check_overlaps, check_public, fault_problem, with_key};
use super::key_reader::Sourced;
use super::problem::{Problem, Problems};
use super::wrap::WrapCommand;
use super::{
    Config, ContextCache, Engine, KeepAlive, Listen, Memory, Mode, Model, Overrides, ProcessEnv,
    SandboxMode, Scheduler, Server, engine_search, log_filter, resolve, sandbox,
};

/// Resolves a command line and its environment into a configuration.
pub(super) fn config(
    command: &[OsString],
    vars: impl Iterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
    process_env: &ProcessEnv,
) -> Result<Config, Problems> {
    let wrap = WrapCommand::parse(command, vars)?;
    let mut problems = Vec::new();
    let mut note = |key: &str, fault| {
        let at = Sourced {
            value: (),
            key: key.to_owned(),
            span: None,
        };
        problems.push(fault_problem(&at, fault));
    };
    let program = engine_search::find_wrapped(&wrap.program, process_env);
    let program = program.map_err(|fault| note("the command", fault)).ok();
    let log = overrides
        .log
        .clone()
        .unwrap_or_else(|| resolve::DEFAULT_LOG.to_owned());
    if let Err(message) = log_filter::check(&log) {
        problems.push(Problem::new(message).key("--log"));
    }
    // A command, above all a script, may read, run and write files that paddock cannot know beforehand.
    let mode = overrides.sandbox.unwrap_or(SandboxMode::Off);
    let at = Sourced {
        value: mode,
        key: "--sandbox".to_owned(),
        span: None,
    };
    problems.extend(sandbox::missing_support(&at, process_env.parts));
    let server = server(&wrap, overrides, process_env, &mut problems);
    match program {
        Some(program) if problems.is_empty() => Ok(Config {
            mode: Mode::Wrap {
                router: wrap.router,
                is_launched: wrap.is_launched,
            },
            server,
            memory: Memory::default(),
            scheduler: Scheduler::default(),
            context_cache: ContextCache::default(),
            models: vec![model(&wrap)],
            skipped: Vec::new(),
            discovers: false,
            engine: Engine {
                program,
                args: wrap.args,
                env: wrap.env,
                sandbox: mode,
            },
            faults: Vec::new(),
            api_keys: Vec::new(),
            activity_retention: None,
            otlp: None,
            events: None,
            log,
        }),
        _ => Err(Problems::from_nonempty(problems)),
    }
}

fn server(
    wrap: &WrapCommand,
    overrides: &Overrides,
    process_env: &ProcessEnv,
    problems: &mut Vec<Problem>,
) -> Server {
    let listen = if overrides.listen.is_empty() {
        with_key("--host/--port", &wrap.listen)
    } else {
        with_key("--listen", &overrides.listen)
    };
    let admin_may_move = overrides.admin.is_empty();
    let mut admin = with_key("--admin", &overrides.admin);
    if admin_may_move {
        let default = SocketAddr::from(resolve::DEFAULT_ADMIN);
        admin = with_key("--admin", &[Listen::Tcp(default)]);
        if !check_overlaps(&listen.value, &admin.value).is_empty() {
            let free = SocketAddr::new(default.ip(), 0);
            admin = with_key("--admin", &[Listen::Tcp(free)]);
        }
    }
    // The user chose the command's own address; the admin address is paddock's addition.
    if !overrides.allow_public {
        problems.extend(check_public(&admin.value, ""));
    }
    problems.extend(check_overlaps(&listen.value, &admin.value));
    let values = |list: Vec<Sourced<_>>| list.into_iter().map(|at| at.value).collect();
    Server {
        listen: values(listen.value),
        admin: values(admin.value),
        allow_public: overrides.allow_public,
        // The child has its own limit and its own error message.
        body_limit: u64::MAX,
        max_connections: 0,
        max_connections_per_address: 0,
        drain_timeout: resolve::DEFAULT_DRAIN_TIMEOUT,
        runtime_dir: None,
        state_dir: resolve::default_state_dir(process_env),
        default_model: None,
        // The command's flags define the allowed origins.
        allowed_origins: None,
        admin_may_move,
        admin_hosts: Vec::new(),
    }
}

/// Describes the model; the command's arguments configure it.
fn model(wrap: &WrapCommand) -> Model {
    let id = wrap.name();
    Model {
        aliases: wrap
            .aliases
            .iter()
            .filter(|alias| **alias != id)
            .cloned()
            .collect(),
        id,
        path: wrap.model.clone(),
        parallel: wrap.parallel,
        // The user expects the command to keep running.
        keep_alive: KeepAlive::Forever,
        pinned: true,
        preload: true,
        ..Model::blank()
    }
}
