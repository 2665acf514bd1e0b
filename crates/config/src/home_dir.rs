//! Expands the home directory in paths of the configuration.
//!
//! Services are started without a shell, so paddock itself expands `~`, `$HOME` and `${HOME}` at the beginning of a
//! path. Other variables are not expanded: a file whose meaning depends on the environment cannot be checked. Such a
//! path is taken literally, because `$` may be part of a file's name.

use std::path::{Component, Path};

/// First components of a path that mean the home directory.
const HOME_PREFIXES: [&str; 3] = ["~", "$HOME", "${HOME}"];

/// Returns the rest of a path that begins with the home directory.
pub(super) fn below_home(path: &Path) -> Option<&Path> {
    HOME_PREFIXES
        .iter()
        .find_map(|home| path.strip_prefix(home).ok())
}

/// Explains that a part of a path is not expanded, for paths that do not exist.
pub(super) fn unexpanded_help(path: &Path) -> Option<String> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => part.to_str(),
        _ => None,
    });
    let mut suspects = parts.filter(|part| part.starts_with('~') || has_variable(part));
    suspects.next().map(|part| {
        format!(
            "`{part}` is not expanded: paddock expands only ~, $HOME and ${{HOME}} at the beginning of a path, if \
             HOME is set"
        )
    })
}

/// Returns whether a shell would expand a variable in this text.
fn has_variable(part: &str) -> bool {
    let mut afters = part.split('$').skip(1);
    afters.any(|after| {
        after.starts_with(|next: char| next == '{' || next == '_' || next.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_directory_has_three_spellings_at_the_beginning() {
        for path in ["~/m.gguf", "$HOME/m.gguf", "${HOME}/m.gguf"] {
            assert_eq!(
                below_home(Path::new(path)),
                Some(Path::new("m.gguf")),
                "{path}"
            );
        }
        for path in [
            "~me/m.gguf",
            "$HOMES/m.gguf",
            "/a/$HOME/m.gguf",
            "./~/m.gguf",
            "m.gguf",
        ] {
            assert_eq!(below_home(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn what_looks_like_a_variable_is_named() {
        for (path, named) in [
            ("/c/$MODELS/m.gguf", Some("`$MODELS`")),
            ("/c/${MODELS}/m.gguf", Some("`${MODELS}`")),
            ("/c/~me/m.gguf", Some("`~me`")),
            ("/c/$HOME/m.gguf", Some("`$HOME`")),
            ("/c/in-$USER.gguf", Some("`in-$USER.gguf`")),
            ("/c/5$.gguf", None),
            ("/c/a$1.gguf", None),
            ("/c/m~1.gguf", None),
        ] {
            let shown = unexpanded_help(Path::new(path));
            assert_eq!(shown.is_some(), named.is_some(), "{path}");
            assert!(
                shown.is_none_or(|shown| shown.starts_with(named.unwrap())),
                "{path}"
            );
        }
    }
}
