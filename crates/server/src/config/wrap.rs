//! `paddock wrap`: an existing `llama-server` command line, put behind paddock.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use super::problem::{Problem, Problems};
use super::{Listen, owned};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PORT: u16 = 8080;

/// Families of variables that belong to the command.
const FAMILIES: [&str; 2] = ["LLAMA_", "HF_"];
/// Single variables that belong to the command: where it downloads from and to, and a device.
const NAMES: [&str; 4] = [
    "HUGGINGFACE_HUB_CACHE",
    "MODEL_ENDPOINT",
    "MTMD_BACKEND_DEVICE",
    "XDG_CACHE_HOME",
];
/// Variables that paddock or the supervisor set themselves.
const NOT_PASSED: [&str; 5] = [
    "LLAMA_ARG_HOST",
    "LLAMA_ARG_PORT",
    "LLAMA_ARG_REUSE_PORT",
    "LLAMA_SERVER_ROUTER_PORT",
    "LLAMA_SERVER_CHILD_MODE",
];

/// What a `llama-server` command line says, as far as paddock must know.
#[derive(Debug, Default)]
pub(super) struct Wrap {
    pub(super) program: PathBuf,
    /// The arguments, without the address.
    pub(super) args: Vec<OsString>,
    /// The variables that belong to the command, without the address.
    pub(super) env: BTreeMap<String, String>,
    /// The address the command would listen on.
    pub(super) listen: Vec<Listen>,
    /// Whether the command names no model and would serve many.
    ///
    /// A Hugging Face repository can turn out to hold a preset of many; only the child finds that out.
    pub(super) router: bool,
    /// The names given by `--alias`.
    pub(super) aliases: Vec<String>,
    /// The file given by `--model`.
    pub(super) model: Option<PathBuf>,
    /// Where the command gets its model from otherwise.
    pub(super) origin: Option<String>,
    /// The slots given by `--parallel`; 0 when it leaves them to `llama-server`.
    pub(super) parallel: u32,
}

/// The values of flags that paddock reads; the last one given counts.
#[derive(Debug, Default)]
struct Found {
    host: Option<String>,
    port: Option<String>,
    model: Option<OsString>,
    origin: Option<String>,
    alias: Option<String>,
    parallel: Option<String>,
}

impl Wrap {
    /// Reads a command line and the environment it is started in.
    pub(super) fn parse(
        command: &[OsString],
        vars: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let Some((program, words)) = command.split_first() else {
            let help = "write: paddock wrap -- llama-server -m FILE.gguf";
            let problem = Problem::new("there is no command to wrap").help(help);
            return Err(Problems::of(vec![problem]));
        };
        let mut found = Found::default();
        let env = read_vars(vars, &mut found, &mut problems);
        let args = read_args(words, &mut found, &mut problems);
        let listen = listeners(&found, &mut problems);
        if let Some(problems) = Problems::new(problems) {
            return Err(problems);
        }
        let aliases = found.alias.as_deref().unwrap_or_default().split(',');
        let aliases = aliases.map(str::trim).filter(|alias| !alias.is_empty());
        let parallel = found.parallel.and_then(|slots| slots.parse().ok());
        Ok(Self {
            program: program.into(),
            args,
            env,
            listen,
            router: found.model.is_none() && found.origin.is_none(),
            aliases: aliases.map(str::to_owned).collect(),
            model: found.model.map(PathBuf::from),
            origin: found.origin,
            parallel: parallel.unwrap_or(0),
        })
    }

    /// Returns what the model is called: its alias, its file, its origin, or the program.
    pub(super) fn name(&self) -> String {
        let file = || self.model.as_deref().map(super::checks::file_name);
        let alias = self.aliases.first().cloned();
        let name = alias.or_else(file).or_else(|| self.origin.clone());
        name.unwrap_or_else(|| super::checks::file_name(&self.program))
    }
}

/// Takes the variables that belong to the command; those that stand for flags are read too.
fn read_vars(
    vars: impl Iterator<Item = (OsString, OsString)>,
    found: &mut Found,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (name, value) in vars {
        let Some(name) = name.to_str() else { continue };
        let family = FAMILIES.iter().any(|family| name.starts_with(family));
        if !family && !NAMES.contains(&name) {
            continue;
        }
        let Some(text) = value.to_str().map(str::to_owned) else {
            problems.push(Problem::new("is not UTF-8").key(name));
            continue;
        };
        if let Some(flag) = flag_of(name) {
            read_flag(flag, value, found);
        }
        if let Some(problem) = no_tls(name, name.contains("_ARG_SSL_")) {
            problems.push(problem);
        }
        if !NOT_PASSED.contains(&name) {
            env.insert(name.to_owned(), text);
        }
    }
    env
}

/// Returns the flag that a variable stands for, of those that paddock reads.
fn flag_of(name: &str) -> Option<&'static str> {
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

/// Reads the arguments and returns those that the child gets.
///
/// `llama-server` takes a flag's value as the next argument only, never after a `=`.
fn read_args(words: &[OsString], found: &mut Found, problems: &mut Vec<Problem>) -> Vec<OsString> {
    let mut args = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = owned::normal(&word.to_string_lossy());
        if let Some(help) = owned::exits(&flag) {
            let message = "makes llama-server print something and exit";
            problems.push(Problem::new(message).key(&flag).help(help));
        }
        if let Some(problem) = no_tls(&flag, flag.starts_with("--ssl-")) {
            problems.push(problem);
        }
        if let Some(port) = owned::preset_port(&flag) {
            found.port = Some(port.to_string());
            found.origin = Some(flag.trim_start_matches('-').to_owned());
        }
        let address = ["--host", "--port"].contains(&flag.as_str());
        if !address {
            args.push(word.clone());
        }
        if !takes_value(&flag) {
            continue;
        }
        match words.next() {
            Some(value) => {
                read_flag(&flag, value.clone(), found);
                args.extend((!address).then(|| value.clone()));
            }
            None => problems.push(Problem::new("needs a value after it").key(&flag)),
        }
    }
    args
}

fn takes_value(flag: &str) -> bool {
    read_flag(flag, OsString::new(), &mut Found::default())
}

/// Remembers a flag's value, and returns whether it is a flag that paddock reads.
fn read_flag(flag: &str, value: OsString, found: &mut Found) -> bool {
    let text = value.to_string_lossy().into_owned();
    match flag {
        "--host" => found.host = Some(text),
        "--port" => found.port = Some(text),
        "-m" | "--model" => found.model = (!value.is_empty()).then_some(value),
        "-hf" | "-hfr" | "--hf-repo" | "-dr" | "--docker-repo" => {
            found.origin = (!text.is_empty()).then_some(text);
        }
        "-a" | "--alias" => found.alias = Some(text),
        "-np" | "--parallel" => found.parallel = Some(text),
        _ => return false,
    }
    true
}

fn no_tls(key: &str, is_tls: bool) -> Option<Problem> {
    let help = "remove it and put a TLS proxy in front of paddock";
    let problem = Problem::new("TLS is not supported in this version").key(key);
    is_tls.then(|| problem.help(help))
}

/// Returns where the command would listen.
fn listeners(found: &Found, problems: &mut Vec<Problem>) -> Vec<Listen> {
    let port = found
        .port
        .as_deref()
        .map_or(Some(PORT), |port| port.trim().parse().ok());
    let Some(port) = port else {
        let text = found.port.as_deref().unwrap_or_default();
        problems.push(Problem::new(format!("`{text}` is not a port")).key("--port"));
        return Vec::new();
    };
    let Some(hosts) = &found.host else {
        return vec![Listen::Tcp(SocketAddr::new(HOST, port))];
    };
    let mut listen = Vec::new();
    let hosts = hosts.split(',').map(|host| host.trim().trim_matches('"'));
    for host in hosts.filter(|host| !host.is_empty()) {
        match listener(host, port) {
            Ok(address) => listen.push(address),
            Err(message) => problems.push(Problem::new(message).key("--host")),
        }
    }
    if listen.is_empty() && problems.is_empty() {
        problems.push(Problem::new("needs at least one address").key("--host"));
    }
    listen
}

fn listener(host: &str, port: u16) -> Result<Listen, String> {
    let path = Path::new(host);
    if path.extension().is_some_and(|end| end == "sock") {
        return Listen::unix(path).map_err(|error| error.to_string());
    }
    if host == super::listen::LOCALHOST {
        return Ok(Listen::Localhost(port));
    }
    if let Ok(ip) = host.parse() {
        return Ok(Listen::Tcp(SocketAddr::new(ip, port)));
    }
    let found = (host, port).to_socket_addrs();
    let first = found.ok().and_then(|mut addresses| addresses.next());
    first
        .map(Listen::Tcp)
        .ok_or_else(|| format!("`{host}` has no address"))
}

#[cfg(test)]
mod tests;
