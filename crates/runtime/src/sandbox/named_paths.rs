//! Finds the paths that a command's arguments and variables name, so that its sandbox grants access to them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Variables that grant no access, because every program has them: the home directory, the search path, directories
/// for temporary and cached files.
const IGNORED_VARIABLES: [&str; 4] = ["HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME"];

/// Returns the existing paths in arguments: a whole argument, the part after `=`, each piece between commas, and
/// each such piece up to its last colon (`FILE:SCALE`).
pub(super) fn in_args(args: &[OsString], exists: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut named = Vec::new();
    for arg in args {
        let arg = arg.as_bytes();
        let value = arg.iter().position(|byte| *byte == b'=');
        let value = value.map(|at| &arg[at + 1..]);
        for whole in [Some(arg), value].into_iter().flatten() {
            push_existing(whole, &exists, &mut named);
            for piece in whole.split(|byte| *byte == b',') {
                push_existing(piece, &exists, &mut named);
                if let Some(at) = piece.iter().rposition(|byte| *byte == b':') {
                    push_existing(&piece[..at], &exists, &mut named);
                }
            }
        }
    }
    named
}

/// Returns the existing absolute paths in variables, separated by colons or commas.
pub(super) fn in_env(env: &[(OsString, OsString)], exists: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut named = Vec::new();
    let granted = |name: &OsStr| !IGNORED_VARIABLES.iter().any(|other| name == *other);
    for (_, value) in env.iter().filter(|(name, _)| granted(name)) {
        let pieces = value.as_bytes().split(|byte| b":,".contains(byte));
        for piece in pieces.filter(|piece| piece.starts_with(b"/")) {
            push_existing(piece, &exists, &mut named);
        }
    }
    named
}

/// Adds a path to `named` if it exists and is not the root directory.
fn push_existing(piece: &[u8], exists: impl Fn(&Path) -> bool, named: &mut Vec<PathBuf>) {
    let path = Path::new(OsStr::from_bytes(piece));
    // The root directory would grant everything.
    let is_all = path.parent().is_none();
    if !is_all && exists(path) && !named.iter().any(|other| other == path) {
        named.push(path.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: [&str; 5] = ["/a", "/b,c", "rel.gguf", "/lib dir", "/"];

    fn exists(path: &Path) -> bool {
        THERE.iter().any(|there| path == Path::new(there))
    }

    #[test]
    fn arguments_name_paths_whole_after_an_equals_sign_and_between_commas() {
        let table: [(&str, &[&str]); 11] = [
            ("/a", &["/a"]),
            ("rel.gguf", &["rel.gguf"]),
            ("--lora=/a", &["/a"]),
            ("/x,/a,rel.gguf", &["/a", "rel.gguf"]),
            ("/a:0.5,rel.gguf:2", &["/a", "rel.gguf"]),
            ("/b,c", &["/b,c"]),
            ("--lora", &[]),
            ("", &[]),
            ("/", &[]),
            ("=/", &[]),
            ("/missing", &[]),
        ];
        for (arg, wanted) in table {
            let wanted: Vec<_> = wanted.iter().map(PathBuf::from).collect();
            assert_eq!(in_args(&[arg.into()], exists), wanted, "{arg}");
        }
    }

    #[test]
    fn variables_name_absolute_paths_and_the_home_directory_is_none() {
        let table: [(&str, &str, &[&str]); 5] = [
            (
                "LD_LIBRARY_PATH",
                "/lib dir:/missing:/a",
                &["/lib dir", "/a"],
            ),
            ("VK_ICD_FILENAMES", "/a,rel.gguf", &["/a"]),
            ("CUDA_VISIBLE_DEVICES", "0,1", &[]),
            ("HOME", "/a", &[]),
            ("PATH", "/a", &[]),
        ];
        for (name, value, wanted) in table {
            let wanted: Vec<_> = wanted.iter().map(PathBuf::from).collect();
            let env = [(name.into(), value.into())];
            assert_eq!(in_env(&env, exists), wanted, "{name}");
        }
    }
}
