//! Parses the command line of `paddock wrap -- llama-server …`, which runs the user's own `llama-server` behind
//! paddock.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use super::problem::{Problem, Problems};
use super::wrap_env::{self, Variables};
use super::{Listen, owned_flags};

// Address of a llama-server without `--host` and `--port`.
const DEFAULT_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const DEFAULT_PORT: u16 = 8080;

/// Part of the file name of every llama-server, such as `llama-server-cuda`.
const SERVER_NAME: &str = "llama-server";

/// The parts of a `llama-server` command line that paddock needs.
#[derive(Debug, Default)]
pub(super) struct WrapCommand {
    pub(super) program: PathBuf,
    /// The arguments, without the address.
    pub(super) args: Vec<OsString>,
    /// The variables of the command that are UTF-8, without the address.
    pub(super) env: BTreeMap<String, String>,
    /// The program is not llama-server itself, but a script, `env` or `nice`.
    pub(super) is_launched: bool,
    /// The addresses on which the command would listen.
    pub(super) listen: Vec<Listen>,
    /// The command names no model and would serve many.
    ///
    /// A Hugging Face repository may contain a preset of many models; only the child finds out.
    pub(super) router: bool,
    /// The names given by `--alias`.
    pub(super) aliases: Vec<String>,
    /// The file given by `--model`.
    pub(super) model: Option<PathBuf>,
    /// Source of the model without `--model`, such as a repository.
    pub(super) origin: Option<String>,
    /// The slots given by `--parallel`; 0 without it.
    pub(super) parallel: u32,
}

/// Values of the flags that paddock reads; of a repeated flag, the last value.
#[derive(Debug, Default)]
pub(super) struct WrapFlags {
    host: Option<String>,
    port: Option<String>,
    model: Option<OsString>,
    origin: Option<String>,
    alias: Option<String>,
    parallel: Option<String>,
}

impl WrapCommand {
    /// Parses a command line and its environment.
    pub(super) fn parse(
        command: &[OsString],
        vars: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let Some((program, words)) = command.split_first() else {
            let help = "usage: paddock wrap -- llama-server -m FILE.gguf";
            let problem = Problem::new("no command to wrap").help(help);
            return Err(Problems::from_nonempty(vec![problem]));
        };
        let mut found = WrapFlags::default();
        let Variables { env, port } = wrap_env::read(vars, &mut found, &mut problems);
        let (launcher, words) = words.split_at(launcher_word_count(command));
        let mut args = launcher.to_vec();
        args.extend(read_args(words, &mut found, &mut problems));
        found.port = port.or(found.port);
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
            is_launched: !is_server(program),
            listen,
            router: found.model.is_none() && found.origin.is_none(),
            aliases: aliases.map(str::to_owned).collect(),
            model: found.model.map(PathBuf::from),
            origin: found.origin,
            parallel: parallel.unwrap_or(0),
        })
    }

    /// Returns the model's name: its alias, else its file, its origin, or the program.
    pub(super) fn name(&self) -> String {
        let file = || self.model.as_deref().map(super::cross_checks::file_name);
        let alias = self.aliases.first().cloned();
        let name = alias.or_else(file).or_else(|| self.origin.clone());
        name.unwrap_or_else(|| super::cross_checks::file_name(&self.program))
    }
}

/// Returns the number of words after the program that belong to the launcher, as in `nice -n 5 llama-server`. Flags
/// among them are not the server's.
fn launcher_word_count(command: &[OsString]) -> usize {
    command.iter().position(|word| is_server(word)).unwrap_or(0)
}

fn is_server(word: &OsStr) -> bool {
    let name = Path::new(word).file_name().unwrap_or_default();
    name.to_string_lossy().contains(SERVER_NAME)
}

/// Reads the arguments and returns those that the child gets.
///
/// `llama-server` takes a flag's value only as the next argument, never after a `=`.
fn read_args(
    words: &[OsString],
    found: &mut WrapFlags,
    problems: &mut Vec<Problem>,
) -> Vec<OsString> {
    let mut args = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = owned_flags::normalize_flag(&word.to_string_lossy());
        if let Some(problem) = tls_problem(&flag, flag.starts_with("--ssl-")) {
            problems.push(problem);
        }
        if let Some(port) = owned_flags::preset_port(&flag) {
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
            // llama-server itself reports the missing value.
            None => args.extend(address.then(|| word.clone())),
        }
    }
    args
}

fn takes_value(flag: &str) -> bool {
    read_flag(flag, OsString::new(), &mut WrapFlags::default())
}

/// Stores a flag's value if paddock reads the flag; returns whether it does.
pub(super) fn read_flag(flag: &str, value: OsString, found: &mut WrapFlags) -> bool {
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

pub(super) fn tls_problem(key: &str, is_tls: bool) -> Option<Problem> {
    let help = "remove it and put a TLS proxy in front of paddock";
    let problem = Problem::new("TLS is not supported in this version").key(key);
    is_tls.then(|| problem.help(help))
}

/// Returns the addresses on which the command would listen.
fn listeners(found: &WrapFlags, problems: &mut Vec<Problem>) -> Vec<Listen> {
    let port = found
        .port
        .as_deref()
        .map_or(Some(DEFAULT_PORT), |port| port.trim().parse().ok());
    let Some(port) = port else {
        let text = found.port.as_deref().unwrap_or_default();
        problems.push(Problem::new(format!("`{text}` is not a port")).key("--port"));
        return Vec::new();
    };
    let Some(hosts) = &found.host else {
        return vec![Listen::Tcp(SocketAddr::new(DEFAULT_HOST, port))];
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
        .ok_or_else(|| format!("`{host}` resolves to no address"))
}

#[cfg(test)]
mod tests;
