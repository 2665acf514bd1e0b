//! What must hold between values, wherever they come from.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use paddock_gguf::strip_part_suffix;

use super::Listen;
use super::engine::Fault;
use super::problem::Problem;
use super::raw::List;
use super::section::At;

/// Bytes of a model's name or alias at most.
const NAME: usize = 200;

/// Makes a problem of a fault at a value.
pub(super) fn fault_problem<T>(at: &At<T>, fault: Fault) -> Problem {
    let problem = at.problem(fault.message);
    match fault.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// Returns the addresses that count: the command line's, else the file's, else the default.
pub(super) fn addresses(
    key: &str,
    flags: &[Listen],
    file: Option<List<Listen>>,
    default: ([u8; 4], u16),
) -> List<Listen> {
    match file {
        _ if !flags.is_empty() => named(&format!("--{key}"), flags),
        Some(file) => file,
        None => named(&format!("server.{key}"), &[Listen::Tcp(default.into())]),
    }
}

/// Gives addresses that are not from a file a name to be shown with.
pub(super) fn named(key: &str, addresses: &[Listen]) -> List<Listen> {
    let at = At {
        value: (),
        key: key.to_owned(),
        place: None,
    };
    let each = addresses.iter().map(|address| at.with(address.clone()));
    at.with(each.collect())
}

/// Finds addresses that are open to every network; `keys` says how an API key helps, where it does.
pub(super) fn check_public(addresses: &[At<Listen>], keys: &str) -> impl Iterator<Item = Problem> {
    let open = addresses.iter().filter(|at| at.value.is_wildcard());
    open.map(move |at| {
        let message = format!("{} is open to every network this machine is on", at.value);
        at.problem(message).help(format!(
            "listen on 127.0.0.1, or on one address of this machine; {keys}\
             if everyone may use it: `allow_public = true` under [server], or --allow-public",
        ))
    })
}

/// Finds addresses that cannot be bound together.
pub(super) fn check_overlaps(listen: &[At<Listen>], admin: &[At<Listen>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let all: Vec<_> = listen.iter().chain(admin).collect();
    for (index, at) in all.iter().enumerate() {
        let address = &at.value;
        let earlier = all.iter().take(index);
        let Some(other) = earlier.rev().find(|other| other.value.overlaps(address)) else {
            continue;
        };
        let message = if other.value == *address {
            format!("{address} is there twice, first in {}", other.key)
        } else {
            format!("{address} overlaps {} in {}", other.value, other.key)
        };
        let help = "give clients and the operator (--admin) different addresses";
        problems.push(at.problem(message).help(help));
    }
    problems
}

/// Finds names that cannot be sent, and names that mean two things, of all models and aliases.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a At<String>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: HashMap<&str, &At<String>> = HashMap::new();
    for at in names {
        let name = at.value.as_str();
        if let Some(message) = bad_name(name) {
            let help = "letters, digits and . _ - : / @ + are safe, such as \"org/model:q4\"";
            problems.push(at.problem(message).help(help));
        }
        match seen.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(at);
            }
            Entry::Occupied(first) => {
                let first = first.get().whereabouts();
                let message = format!("the name `{name}` is there twice, first in {first}");
                let help = "no two models share a name or an alias";
                problems.push(at.problem(message).help(help));
            }
        }
    }
    problems
}

/// Says what keeps a text from being a model's name.
pub(super) fn bad_name(name: &str) -> Option<String> {
    let odd =
        |char: &char| char.is_whitespace() || char.is_control() || ",\"'\\?#%".contains(*char);
    match name {
        "" => Some("a model's name has at least one letter".to_owned()),
        "." | ".." => Some(format!("`{name}` cannot be a model's name: it is a path")),
        name if name.len() > NAME => Some(format!("a model's name has at most {NAME} bytes")),
        name => {
            let odd = name.chars().find(odd)?;
            let shown = name.escape_debug();
            Some(format!(
                "the name `{shown}` contains {odd:?}, which clients cannot send safely"
            ))
        }
    }
}

/// Names a model after its file.
pub(super) fn file_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    strip_part_suffix(&stem).replace(char::is_whitespace, "-")
}
