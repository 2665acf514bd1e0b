//! The directories of engines.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Directory of the engines that every user of the machine can use.
const SYSTEM_DIR: &str = "/usr/local/lib/paddock/engines";

/// The directories in which engines are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineDirs {
    /// The directory that this user's commands change; `None` if the user has no home directory.
    pub own: Option<PathBuf>,
    /// The system's directory, for reading.
    pub system: Option<PathBuf>,
}

impl EngineDirs {
    /// Finds the directories by environment variables: `PADDOCK_ENGINES` names the only one. Without it, the own one is
    /// below `XDG_DATA_HOME` if that is set, else the system's for root, else below `HOME`.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>, is_root: bool) -> Self {
        let absolute = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        if let Some(only) = absolute("PADDOCK_ENGINES") {
            return Self {
                own: Some(only),
                system: None,
            };
        }
        let data = absolute("XDG_DATA_HOME");
        let home = || absolute("HOME").map(|home| home.join(".local/share"));
        let own = match data {
            None if is_root => Some(PathBuf::from(SYSTEM_DIR)),
            data => data.or_else(home).map(|data| data.join("paddock/engines")),
        };
        Self {
            own,
            system: Some(PathBuf::from(SYSTEM_DIR)),
        }
    }

    /// Returns the directories, the own one first.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        let system = self.system.as_deref();
        let system = system.filter(|system| self.own.as_deref() != Some(system));
        self.own.as_deref().into_iter().chain(system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_where_engines_are() {
        let own = |variables: &[(&str, &str)], is_root| {
            let find = |name: &str| {
                let mut all = variables.iter();
                all.find(|(key, _)| *key == name)
                    .map(|(_, value)| value.into())
            };
            let dirs = EngineDirs::from_env(find, is_root);
            dirs.own.map(|path| path.to_string_lossy().into_owned())
        };
        let some = |path: &str| Some(path.to_owned());
        let home = ("HOME", "/home/me");
        assert_eq!(
            own(&[home], false),
            some("/home/me/.local/share/paddock/engines")
        );
        assert_eq!(own(&[home], true), some(SYSTEM_DIR));
        let data = ("XDG_DATA_HOME", "/data");
        assert_eq!(own(&[home, data], false), some("/data/paddock/engines"));
        assert_eq!(own(&[home, data], true), some("/data/paddock/engines"));
        assert_eq!(
            own(&[("HOME", ""), ("XDG_DATA_HOME", "relative")], false),
            None
        );
    }

    #[test]
    fn a_directory_is_searched_once_and_a_named_one_is_the_only_one() {
        let dirs = EngineDirs::from_env(|_| None, true);
        assert_eq!(dirs.iter().count(), 1);
        for is_root in [false, true] {
            let dirs = EngineDirs::from_env(|_| Some("/only".into()), is_root);
            assert_eq!(dirs.iter().collect::<Vec<_>>(), [Path::new("/only")]);
        }
    }
}
