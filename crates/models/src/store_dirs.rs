//! The directories of model files.

use std::ffi::OsString;
use std::path::PathBuf;

/// The directories of model files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreDirs {
    /// The cache of the Hugging Face hub, which other programs share.
    pub hub: PathBuf,
    /// Files from URLs.
    pub own: PathBuf,
}

impl StoreDirs {
    /// Finds the directories by environment variables, in the order of Hugging Face's own programs and of llama.cpp;
    /// `None` if not even `HOME` is set.
    ///
    /// `LLAMA_CACHE` is not used, because llama.cpp alone reads that directory.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let home = || {
            let home = variable("HOME").map(PathBuf::from);
            home.filter(|home| home.is_absolute())
        };
        let directory = |name: &str| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            let path = PathBuf::from(value);
            match path.strip_prefix("~") {
                Ok(rest) => Some(home()?.join(rest)),
                // A relative path would mean another directory for each working directory.
                Err(_) => path.is_absolute().then_some(path),
            }
        };
        let hub = directory("HF_HUB_CACHE")
            .or_else(|| directory("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(directory("HF_HOME")?.join("hub")))
            .or_else(|| Some(directory("XDG_CACHE_HOME")?.join("huggingface/hub")))
            .or_else(|| Some(home()?.join(".cache/huggingface/hub")))?;
        let data = directory("XDG_DATA_HOME").or_else(|| Some(home()?.join(".local/share")))?;
        Some(Self {
            hub,
            own: data.join("paddock/models"),
        })
    }

    /// Returns the directories in the environment of this process.
    pub fn current() -> Option<Self> {
        Self::from_env(|name| std::env::var_os(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_wins() {
        let all = [
            ("HF_HUB_CACHE", "/1", "/1"),
            ("HUGGINGFACE_HUB_CACHE", "/2", "/2"),
            ("HF_HOME", "/3", "/3/hub"),
            ("XDG_CACHE_HOME", "/4", "/4/huggingface/hub"),
            ("HOME", "/5", "/5/.cache/huggingface/hub"),
        ];
        for (first, (_, _, hub)) in all.iter().enumerate() {
            let set = &all[first..];
            let dirs = StoreDirs::from_env(|name| {
                let found = set.iter().find(|(variable, ..)| *variable == name);
                found.map(|(_, value, _)| (*value).into())
            });
            assert_eq!(dirs.as_ref().unwrap().hub, PathBuf::from(hub));
            assert_eq!(
                dirs.unwrap().own,
                PathBuf::from("/5/.local/share/paddock/models")
            );
        }
        assert_eq!(StoreDirs::from_env(|_| None), None);
    }

    #[test]
    fn empty_and_relative_values_are_ignored() {
        let dirs = StoreDirs::from_env(|name| match name {
            "HF_HUB_CACHE" => Some("".into()),
            "HF_HOME" => Some("hf".into()),
            "XDG_CACHE_HOME" => Some("~/c".into()),
            "XDG_DATA_HOME" => Some("/data".into()),
            "HOME" => Some("/home/u".into()),
            _ => None,
        });
        assert_eq!(
            dirs,
            Some(StoreDirs {
                hub: "/home/u/c/huggingface/hub".into(),
                own: "/data/paddock/models".into(),
            })
        );
    }
}
