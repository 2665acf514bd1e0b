//! Checks model files before a child is started for them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use paddock_gguf::{Error, SplitPart, inspect, part_path};

use super::engine_search::PathFault;
use super::home_dir::unexpanded_help;

const DOWNLOAD_AGAIN_HELP: &str = "download it again";
const UNREADABLE_HELP: &str = "change its permissions, or run paddock as a user who can read it";

/// Checks that a model file, with all its parts if split, exists and is complete.
pub(super) fn check(path: &Path) -> Result<(), PathFault> {
    let header = inspect(path).map_err(|error| path_fault(path, &error))?;
    match header.split() {
        Some(split) => check_parts(path, split),
        None => Ok(()),
    }
}

/// Checks a split model: the path is its first part, and all other parts exist.
fn check_parts(path: &Path, SplitPart { index, count }: SplitPart) -> Result<(), PathFault> {
    let shown = path.display();
    let Some(first) = part_path(path, 0, count) else {
        let suffix = format!("-{:05}-of-{count:05}.gguf", index + 1);
        return Err(PathFault::new(
            format!(
                "{shown} is part {} of {count}, but its name does not show that",
                index + 1
            ),
            format!("rename it to end in {suffix}, as llama.cpp requires"),
        ));
    };
    if index != 0 {
        return Err(PathFault::new(
            format!("{shown} is part {} of {count}", index + 1),
            format!("use the first part, {}", first.display()),
        ));
    }
    let mut missing = Vec::new();
    for index in 1..count {
        let Some(part) = part_path(path, index, count) else {
            continue;
        };
        match inspect(&part) {
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::NotFound => missing.push(part),
            Err(error) => return Err(path_fault(&part, &error)),
        }
    }
    let Some(part) = missing.first() else {
        return Ok(());
    };
    let parts = missing.len();
    Err(PathFault::new(
        format!("{shown} is the first of {count} parts, but {parts} of them cannot be found"),
        format!("the first missing part is {}", part.display()),
    ))
}

/// Translates an error about a file into advice for the operator.
fn path_fault(path: &Path, error: &Error) -> PathFault {
    let shown = path.display();
    let mut fault = PathFault {
        message: format!("{shown} {error}"),
        help: None,
    };
    match error {
        Error::Io(io) if io.kind() == ErrorKind::NotFound => {
            fault.message = format!("there is no file {shown}");
            fault.help = unexpanded_help(path).or_else(|| similar_files(path));
        }
        Error::Io(io) if io.kind() == ErrorKind::PermissionDenied => {
            fault.help = Some(UNREADABLE_HELP.to_owned());
        }
        Error::Truncated { .. } | Error::HeaderTruncated(_) | Error::Empty => {
            fault.help = Some(DOWNLOAD_AGAIN_HELP.to_owned());
        }
        _ => {}
    }
    fault
}

/// Finds files with names similar to a path that does not exist.
fn similar_files(path: &Path) -> Option<String> {
    let parent = path.parent()?;
    let wanted = path.file_name()?.to_str()?;
    // The parent of a bare name is an empty path: the current directory.
    let here = Path::new(".");
    let place = if parent == Path::new("") {
        here
    } else {
        parent
    };
    let Ok(entries) = fs::read_dir(place) else {
        return Some(format!(
            "the directory {} does not exist either",
            parent.display()
        ));
    };
    // Reading a directory of many thousand files would take too long.
    let names = entries
        .take(4096)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let likeness = |name: &String| strsim::jaro_winkler(name, wanted);
    let nearest = names
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "gguf"))
        .max_by(|one, two| likeness(one).total_cmp(&likeness(two)))?;
    (likeness(&nearest) > 0.8).then(|| format!("did you mean {}?", parent.join(nearest).display()))
}
