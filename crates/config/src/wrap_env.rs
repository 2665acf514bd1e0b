//! Builds the environment of a wrapped command (`paddock wrap`), and reads the variables that stand for flags.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use paddock_supervisor::env::is_inheritable;

use super::problem::Problem;
use super::wrap::{WrapFlags, read_flag, tls_problem};

/// Variables that paddock sets itself, or that a service manager sets for paddock (`sd_notify(3)`,
/// `sd_watchdog_enabled(3)`, `sd_listen_fds(3)`).
const WITHHELD_VARIABLES: [&str; 11] = [
    "LLAMA_ARG_HOST",
    "LLAMA_ARG_PORT",
    "LLAMA_ARG_REUSE_PORT",
    "LLAMA_SERVER_ROUTER_PORT",
    "LLAMA_SERVER_CHILD_MODE",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

/// Variables of llama-server's mode for Google's Vertex AI, in which a variable overrides `--port`
/// (llama.cpp b11434, tools/server/server-http.cpp `gcp_params`).
const VERTEX_MODE: (&str, &str) = ("AIP_MODE", "PREDICTION");
const VERTEX_PORT: &str = "AIP_HTTP_PORT";
const VERTEX_DEFAULT_PORT: &str = "8080";

/// Prefixes of variables that llama-server reads; some name files.
const SERVER_FAMILIES: [&str; 2] = ["LLAMA_", "HF_"];

/// Other variables that llama-server reads and that may name files.
const SERVER_NAMES: [&str; 4] = [
    "HUGGINGFACE_HUB_CACHE",
    "MODEL_ENDPOINT",
    "MTMD_BACKEND_DEVICE",
    "XDG_CACHE_HOME",
];

/// The parts of an environment that paddock needs.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// The variables that reach the command, except those that are not UTF-8.
    pub(super) env: BTreeMap<String, String>,
    /// The port that overrides every flag.
    pub(super) port: Option<String>,
}

/// Returns the variables of this process that a wrapped command gets: all except those that paddock
/// or its service manager sets.
pub fn wrapped_environment() -> Vec<(OsString, OsString)> {
    let vars = std::env::vars_os();
    vars.filter(|(name, _)| is_passed(name)).collect()
}

/// Returns whether a wrapped command gets a variable.
fn is_passed(name: &OsStr) -> bool {
    !WITHHELD_VARIABLES.iter().any(|other| name == *other)
}

/// Returns whether a sandboxed command may read the paths in a variable's value. `PWD` and others name directories that
/// the command need not see.
pub fn may_name_files(name: &OsStr) -> bool {
    is_inheritable(name)
        || name.to_str().is_some_and(|name| {
            let mut families = SERVER_FAMILIES.iter();
            SERVER_NAMES.contains(&name) || families.any(|family| name.starts_with(family))
        })
}

/// Reads the variables that stand for flags, and returns all that the command gets.
pub(super) fn read(
    vars: impl Iterator<Item = (OsString, OsString)>,
    found: &mut WrapFlags,
    problems: &mut Vec<Problem>,
) -> Variables {
    let mut env = BTreeMap::new();
    let (mut mode, mut port) = (None, None);
    for (name, value) in vars {
        let Some(text) = name.to_str() else { continue };
        if let Some(flag) = flag_for_variable(text) {
            read_flag(flag, value.clone(), found);
        }
        problems.extend(tls_problem(text, text.starts_with("LLAMA_ARG_SSL_")));
        let is_passed = is_passed(&name);
        let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else {
            continue;
        };
        match name.as_str() {
            name if name == VERTEX_MODE.0 => mode = Some(value.clone()),
            VERTEX_PORT => port = Some(value.clone()).filter(|port| !port.is_empty()),
            _ => {}
        }
        if is_passed {
            env.insert(name, value);
        }
    }
    let is_vertex = mode.as_deref() == Some(VERTEX_MODE.1);
    let port = port.unwrap_or_else(|| VERTEX_DEFAULT_PORT.to_owned());
    Variables {
        env,
        port: is_vertex.then_some(port),
    }
}

/// Returns the flag that a variable stands for, of those that paddock reads.
fn flag_for_variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "LLAMA_ARG_HOST" => "--host",
        "LLAMA_ARG_PORT" => "--port",
        "LLAMA_ARG_MODEL" => "--model",
        "LLAMA_ARG_HF_REPO" => "--hf-repo",
        "LLAMA_ARG_DOCKER_REPO" => "--docker-repo",
        "LLAMA_ARG_ALIAS" => "--alias",
        "LLAMA_ARG_N_PARALLEL" => "--parallel",
        _ => return None,
    })
}
