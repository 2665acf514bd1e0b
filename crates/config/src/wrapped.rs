//! From a wrapped command line to a configuration.
//!
//! The command is the user's own: paddock refuses only what it cannot carry out itself, and leaves it to the command to
//! say what is wrong with its arguments and files.

use std::ffi::OsString;
use std::net::SocketAddr;

use super::checks::{check_overlaps, check_public, fault_problem, named};
use super::problem::{Problem, Problems};
use super::section::At;
use super::wrap::Wrap;
use super::{
    Config, Engine, KeepAlive, Listen, Memory, Mode, Model, Overrides, SandboxMode, Scheduler,
    Server, Surroundings, build, engine, log_filter, sandbox,
};

/// Reads a command line and its environment, and checks what it asks for.
pub(super) fn config(
    command: &[OsString],
    vars: impl Iterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
    around: &Surroundings,
) -> Result<Config, Problems> {
    let wrap = Wrap::parse(command, vars)?;
    let mut problems = Vec::new();
    let mut note = |key: &str, fault| {
        let at = At {
            value: (),
            key: key.to_owned(),
            place: None,
        };
        problems.push(fault_problem(&at, fault));
    };
    let program = engine::find(&wrap.program, around);
    let program = program.map_err(|fault| note("the command", fault)).ok();
    let log = overrides
        .log
        .clone()
        .unwrap_or_else(|| build::LOG.to_owned());
    if let Err(message) = log_filter::check(&log) {
        problems.push(Problem::new(message).key("--log"));
    }
    // A command may read, run and write what neither its words nor paddock can tell beforehand, a script above all.
    let mode = overrides.sandbox.unwrap_or(SandboxMode::Off);
    let at = At {
        value: mode,
        key: "--sandbox".to_owned(),
        place: None,
    };
    problems.extend(sandbox::lacks(&at, around.parts));
    let server = server(&wrap, overrides, around, &mut problems);
    match program {
        Some(program) if problems.is_empty() => Ok(Config {
            mode: Mode::Wrap {
                router: wrap.router,
                is_launched: wrap.is_launched,
            },
            server,
            memory: Memory::default(),
            scheduler: Scheduler::default(),
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
        _ => Err(Problems::of(problems)),
    }
}

fn server(
    wrap: &Wrap,
    overrides: &Overrides,
    around: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Server {
    let listen = if overrides.listen.is_empty() {
        named("--host/--port", &wrap.listen)
    } else {
        named("--listen", &overrides.listen)
    };
    let admin_may_move = overrides.admin.is_empty();
    let mut admin = named("--admin", &overrides.admin);
    if admin_may_move {
        let default = SocketAddr::from(build::ADMIN);
        admin = named("--admin", &[Listen::Tcp(default)]);
        if !check_overlaps(&listen.value, &admin.value).is_empty() {
            let free = SocketAddr::new(default.ip(), 0);
            admin = named("--admin", &[Listen::Tcp(free)]);
        }
    }
    // The command's own address is as public as its writer made it; the admin plane is new to them.
    if !overrides.allow_public {
        problems.extend(check_public(&admin.value, ""));
    }
    problems.extend(check_overlaps(&listen.value, &admin.value));
    let values = |list: Vec<At<_>>| list.into_iter().map(|at| at.value).collect();
    Server {
        listen: values(listen.value),
        admin: values(admin.value),
        allow_public: overrides.allow_public,
        // The child has a limit of its own, and its own words for it.
        body_limit: u64::MAX,
        max_connections: 0,
        max_connections_per_address: 0,
        drain_timeout: build::DRAIN,
        runtime_dir: None,
        state_dir: build::default_state_dir(around),
        default_model: None,
        // The command's own flags say it.
        allowed_origins: None,
        admin_may_move,
        admin_hosts: Vec::new(),
    }
}

/// Says what is known of the model; what the arguments say of it is theirs.
fn model(wrap: &Wrap) -> Model {
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
        // Nobody asked for the command to come and go.
        keep_alive: KeepAlive::Forever,
        pinned: true,
        preload: true,
        ..Model::blank()
    }
}
