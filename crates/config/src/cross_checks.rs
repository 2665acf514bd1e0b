//! Checks that need several values, from files or flags: addresses that overlap or are public, names of models.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use paddock_gguf::strip_part_suffix;

use super::Listen;
use super::engine_search::PathFault;
use super::key_reader::Sourced;
use super::problem::Problem;
use super::raw::List;

/// Maximum length of a model's name or alias.
const MAX_NAME_BYTES: usize = 200;

/// Converts a fault of a value's path into a problem.
pub(super) fn fault_problem<T>(at: &Sourced<T>, fault: PathFault) -> Problem {
    let problem = at.problem(fault.message);
    match fault.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// Returns the effective addresses: the command line's, else the file's, else the default. `key` is `listen` or
/// `admin`.
pub(super) fn effective_addresses(
    key: &str,
    flags: &[Listen],
    file: Option<List<Listen>>,
    default: ([u8; 4], u16),
) -> List<Listen> {
    match file {
        _ if !flags.is_empty() => with_key(&format!("--{key}"), flags),
        Some(file) => file,
        None => with_key(&format!("server.{key}"), &[Listen::Tcp(default.into())]),
    }
}

/// Labels addresses that do not come from a file; `key` is the flag or configuration key that messages about them name,
/// such as `--listen`.
pub(super) fn with_key(key: &str, addresses: &[Listen]) -> List<Listen> {
    let at = Sourced {
        value: (),
        key: key.to_owned(),
        span: None,
    };
    let each = addresses
        .iter()
        .map(|address| at.with_value(address.clone()));
    at.with_value(each.collect())
}

/// Reports addresses that are open to every network, such as `0.0.0.0:8080`.
///
/// `keys` is inserted into the advice: a clause about API keys that ends in `; `, or "" if keys would not help.
pub(super) fn check_public(
    addresses: &[Sourced<Listen>],
    keys: &str,
) -> impl Iterator<Item = Problem> {
    let open = addresses.iter().filter(|at| at.value.is_wildcard());
    open.map(move |at| {
        let message = format!("{} listens on all network interfaces of this machine", at.value);
        at.problem(message).help(format!(
            "listen on 127.0.0.1 or on a specific address of this machine; {keys}\
             to allow access for everyone, set `allow_public = true` under [server], or pass --allow-public",
        ))
    })
}

/// Reports addresses that cannot be bound together.
pub(super) fn check_overlaps(
    listen: &[Sourced<Listen>],
    admin: &[Sourced<Listen>],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let all: Vec<_> = listen.iter().chain(admin).collect();
    for (index, at) in all.iter().enumerate() {
        let address = &at.value;
        let earlier = all.iter().take(index);
        let Some(other) = earlier.rev().find(|other| other.value.overlaps(address)) else {
            continue;
        };
        let message = if other.value == *address {
            format!("{address} is listed twice, first in {}", other.key)
        } else {
            format!("{address} overlaps {} in {}", other.value, other.key)
        };
        let help = "use different addresses for clients and operators (--admin)";
        problems.push(at.problem(message).help(help));
    }
    problems
}

/// Reports names and aliases that clients cannot send, and those that occur twice.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a Sourced<String>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: HashMap<&str, &Sourced<String>> = HashMap::new();
    for at in names {
        let name = at.value.as_str();
        if let Some(message) = model_name_error(name) {
            let help = "use only letters, digits and . _ - : / @ +, as in \"org/model:q4\"";
            problems.push(at.problem(message).help(help));
        }
        match seen.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(at);
            }
            Entry::Occupied(first) => {
                let first = first.get().location();
                let message = format!("the name `{name}` is used twice, first in {first}");
                let help = "names and aliases of models must be unique";
                problems.push(at.problem(message).help(help));
            }
        }
    }
    problems
}

/// Returns why a text cannot be a model's name; `None` if it can.
pub(super) fn model_name_error(name: &str) -> Option<String> {
    let odd =
        |char: &char| char.is_whitespace() || char.is_control() || ",\"'\\?#%".contains(*char);
    match name {
        "" => Some("a model's name must not be empty".to_owned()),
        "." | ".." => Some(format!("`{name}` cannot be a model's name: it is a path")),
        name if name.len() > MAX_NAME_BYTES => Some(format!(
            "a model's name must have at most {MAX_NAME_BYTES} bytes"
        )),
        name => {
            let odd = name.chars().find(odd)?;
            let shown = name.escape_debug();
            Some(format!(
                "the name `{shown}` contains {odd:?}, which clients cannot send safely"
            ))
        }
    }
}

/// Returns the name of a model, derived from its file.
pub(super) fn file_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    strip_part_suffix(&stem).replace(char::is_whitespace, "-")
}
