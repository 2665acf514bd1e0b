//! The installed engines, and the one in use.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::engine_name::{CURRENT_LINK, REMOVING_SUFFIX};
use crate::receipt::Receipt;
use crate::store_lock::StoreLock;
use crate::{EngineDirs, EngineName};

/// An installed engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledEngine {
    /// The engine's name.
    pub name: EngineName,
    /// The directory of the engine.
    pub directory: PathBuf,
    /// The program `llama-server`.
    pub program: PathBuf,
    /// The record of the engine's origin.
    pub receipt: Receipt,
}

/// The reason why an engine is not put into use.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// The user has no directory of engines.
    #[error(
        "there is no directory for engines: none of PADDOCK_ENGINES, XDG_DATA_HOME and HOME is set"
    )]
    NoDirectory,
    /// No such engine is installed.
    #[error("{0} is not installed")]
    NotInstalled(EngineName),
    /// The link cannot be written.
    #[error("cannot change {path}: {source}")]
    Io {
        /// The link's path.
        path: String,
        /// The reason.
        source: io::Error,
    },
}

/// The reason why an engine is not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// The user has no directory of engines.
    #[error(
        "there is no directory for engines: none of PADDOCK_ENGINES, XDG_DATA_HOME and HOME is set"
    )]
    NoDirectory,
    /// No such engine is installed.
    #[error("{0} is not installed")]
    NotInstalled(EngineName),
    /// The engine lies in the system's directory, which this user does not change.
    #[error("{name} is installed for all users, in {directory}")]
    OfSystem {
        /// The engine.
        name: EngineName,
        /// The directory of the engine.
        directory: String,
    },
    /// The engine is in use.
    #[error("{0} is in use")]
    InUse(EngineName),
    /// The directory cannot be removed.
    #[error("cannot remove {path}: {source}")]
    Io {
        /// The directory's path.
        path: String,
        /// The reason.
        source: io::Error,
    },
}

impl EngineDirs {
    /// Lists the installed engines, those of the user first, each by name. Ignores directories without a receipt and
    /// engines without a program.
    pub fn installed(&self) -> Vec<InstalledEngine> {
        let mut engines: Vec<InstalledEngine> = Vec::new();
        for store in self.iter() {
            let entries = fs::read_dir(store).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            let mut names: Vec<EngineName> = names.collect();
            names.sort();
            for name in names {
                if engines.iter().all(|engine| engine.name != name) {
                    engines.extend(open(store, &name));
                }
            }
        }
        engines
    }

    /// Returns an installed engine.
    pub fn find(&self, name: &EngineName) -> Option<InstalledEngine> {
        self.iter().find_map(|store| open(store, name))
    }

    /// Returns the engine in use: the one that the user chose, else the system's.
    pub fn current(&self) -> Option<InstalledEngine> {
        self.iter().find_map(|store| {
            let name = linked_name(store)?;
            // A user may choose an engine of the system.
            open(store, &name).or_else(|| self.find(&name))
        })
    }

    /// Puts an installed engine into use, and returns the former one's name.
    ///
    /// # Errors
    ///
    /// The engine is not installed, or the link cannot be written.
    pub fn set_current(&self, name: &EngineName) -> Result<Option<EngineName>, UseError> {
        let store = self.own.as_deref().ok_or(UseError::NoDirectory)?;
        let fail = |source| UseError::Io {
            path: store.join(CURRENT_LINK).display().to_string(),
            source,
        };
        let _lock = StoreLock::acquire(store).map_err(fail)?;
        if self.find(name).is_none() {
            return Err(UseError::NotInstalled(name.clone()));
        }
        let former = self.current().map(|engine| engine.name);
        let new = store.join(format!(".{CURRENT_LINK}.new"));
        let link = || {
            if new.is_symlink() {
                fs::remove_file(&new)?;
            }
            std::os::unix::fs::symlink(name.as_str(), &new)?;
            fs::rename(&new, store.join(CURRENT_LINK))
        };
        link().map_err(fail)?;
        Ok(former)
    }

    /// Removes an engine that is not in use.
    ///
    /// # Errors
    ///
    /// The engine is in use, not installed, or cannot be removed.
    pub fn remove(&self, name: &EngineName) -> Result<(), RemoveError> {
        let store = self.own.as_deref().ok_or(RemoveError::NoDirectory)?;
        let engine = self.find(name);
        let engine = engine.ok_or_else(|| RemoveError::NotInstalled(name.clone()))?;
        if engine.directory.parent() != Some(store) {
            return Err(RemoveError::OfSystem {
                name: name.clone(),
                directory: engine.directory.display().to_string(),
            });
        }
        let fail = |source| RemoveError::Io {
            path: engine.directory.display().to_string(),
            source,
        };
        let _lock = StoreLock::acquire(store).map_err(fail)?;
        if self.current().is_some_and(|current| current.name == *name) {
            return Err(RemoveError::InUse(name.clone()));
        }
        let removing = store.join(format!("{name}{REMOVING_SUFFIX}"));
        fs::rename(&engine.directory, &removing).map_err(fail)?;
        fs::remove_dir_all(removing).map_err(fail)
    }
}

/// Returns the engine that a directory's link names.
fn linked_name(store: &Path) -> Option<EngineName> {
    let link = fs::read_link(store.join(CURRENT_LINK)).ok()?;
    link.to_str()?.parse().ok()
}

/// Reads an engine in a directory, if it is there and no other user can replace it.
pub(crate) fn open(store: &Path, name: &EngineName) -> Option<InstalledEngine> {
    let directory = store.join(name.as_str());
    if !is_trusted(store) || !is_trusted(&directory) {
        return None;
    }
    let receipt = Receipt::read(&directory).ok()?;
    let program = directory.join(&receipt.program);
    (program.is_file() && is_trusted(&program)).then_some(InstalledEngine {
        name: name.clone(),
        directory,
        program,
        receipt,
    })
}

/// Returns whether only root and this user can change a file or directory: an engine runs with this user's rights.
fn is_trusted(path: &Path) -> bool {
    let trusted = [0, rustix::process::geteuid().as_raw()];
    fs::metadata(path).is_ok_and(|file| trusted.contains(&file.uid()) && file.mode() & 0o002 == 0)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn dirs() -> (TempDir, EngineDirs) {
        let place = tempfile::tempdir().unwrap();
        let dirs = EngineDirs {
            own: Some(place.path().join("own")),
            system: Some(place.path().join("system")),
        };
        (place, dirs)
    }

    fn add(store: Option<&PathBuf>, name: &str) {
        let directory = store.unwrap().join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("llama-server"), "").unwrap();
        let receipt = Receipt {
            tag: name.to_owned(),
            flavour: String::new(),
            archives: Vec::new(),
            program: "llama-server".into(),
            version: String::new(),
            installed: 0,
            source: None,
        };
        receipt.write(&directory).unwrap();
    }

    fn current(dirs: &EngineDirs) -> Option<String> {
        dirs.current().map(|engine| engine.name.to_string())
    }

    #[test]
    fn the_users_choice_comes_before_the_systems() {
        let (_place, dirs) = dirs();
        let name = |name: &str| name.parse::<EngineName>().unwrap();
        let system = EngineDirs {
            own: dirs.system.clone(),
            system: None,
        };
        assert_eq!(current(&dirs), None);
        add(dirs.system.as_ref(), "b1");
        assert_eq!(system.set_current(&name("b1")).unwrap(), None);
        assert_eq!(current(&dirs).as_deref(), Some("b1"));

        add(dirs.own.as_ref(), "b2");
        assert_eq!(dirs.set_current(&name("b2")).unwrap(), Some(name("b1")));
        assert_eq!(current(&dirs).as_deref(), Some("b2"));
        assert_eq!(dirs.set_current(&name("b1")).unwrap(), Some(name("b2")));
        assert_eq!(current(&dirs).as_deref(), Some("b1"));
        let error = dirs.set_current(&name("b3")).unwrap_err().to_string();
        assert_eq!(error, "b3 is not installed");

        fs::create_dir_all(dirs.own.as_ref().unwrap().join("no-receipt")).unwrap();
        fs::create_dir_all(dirs.own.as_ref().unwrap().join("b9.unpacking")).unwrap();
        let names = dirs
            .installed()
            .into_iter()
            .map(|engine| engine.name.to_string());
        assert_eq!(names.collect::<Vec<_>>(), ["b2", "b1"]);
    }

    #[test]
    fn only_an_engine_that_is_not_in_use_is_removed() {
        let (_place, dirs) = dirs();
        let name = |name: &str| name.parse::<EngineName>().unwrap();
        add(dirs.own.as_ref(), "b1");
        add(dirs.own.as_ref(), "b2");
        add(dirs.system.as_ref(), "b3");
        dirs.set_current(&name("b1")).unwrap();
        for (engine, error) in [
            ("b1", "b1 is in use"),
            ("b3", "b3 is installed for all users, in "),
            ("b4", "b4 is not installed"),
        ] {
            let shown = dirs.remove(&name(engine)).unwrap_err().to_string();
            assert!(shown.starts_with(error), "{shown}");
        }
        dirs.remove(&name("b2")).unwrap();
        assert!(!dirs.own.as_ref().unwrap().join("b2").exists());
    }

    #[test]
    fn a_link_to_something_else_is_ignored() {
        let (_place, dirs) = dirs();
        let own = dirs.own.as_ref().unwrap();
        add(Some(own), "b1");
        for target in ["../elsewhere", "/etc", "b2"] {
            let link = own.join(CURRENT_LINK);
            let _absent = fs::remove_file(&link);
            std::os::unix::fs::symlink(target, &link).unwrap();
            assert_eq!(current(&dirs), None, "{target}");
        }
    }

    #[test]
    fn an_engine_that_others_can_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;

        let place = tempfile::tempdir().unwrap();
        assert!(is_trusted(place.path()));
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!is_trusted(place.path()));
    }
}
