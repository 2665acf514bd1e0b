//! Builds the command and the configuration of a paddock that ends with the chat.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use paddock_models::ModelSource;
use paddock_server::config::Overrides;

use super::error::RunError;
use crate::config_file;

/// The configuration that this command writes.
pub(super) const CONFIG_FILE: &str = "paddock.toml";
/// The socket of the admin API, by which this command loads the model and chats.
pub(super) const ADMIN_SOCKET: &str = "admin.sock";
/// A free port that other machines cannot reach.
const ANY_PORT: &str = "127.0.0.1:0";

/// The model that a paddock of this command serves.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServedModel {
    /// A file.
    File(PathBuf),
    /// A repository or a URL.
    Source(ModelSource),
    /// A model of a configuration file, whose other settings count too.
    Configured {
        config: PathBuf,
        name: String,
        source: Option<ModelSource>,
    },
}

impl ServedModel {
    /// Returns the source to download from, if any.
    pub(super) fn source(&self) -> Option<&ModelSource> {
        match self {
            Self::File(_) => None,
            Self::Source(source) => Some(source),
            Self::Configured { source, .. } => source.as_ref(),
        }
    }

    /// Returns the name of the model, unless paddock derives it.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::File(_) | Self::Source(_) => None,
            Self::Configured { name, .. } => Some(name),
        }
    }

    /// Returns whether the model's configuration file names an engine that exists.
    pub(super) fn configures_engine(&self) -> bool {
        match self {
            Self::File(_) | Self::Source(_) => false,
            Self::Configured { config, .. } => {
                config_file::load(Some(config), &Overrides::default()).is_ok()
            }
        }
    }

    /// Returns the text of the configuration to write; `None` if the user's file is used.
    ///
    /// # Errors
    ///
    /// A path is not UTF-8 text.
    pub(super) fn config_text(&self, state: &Path) -> Result<Option<String>, RunError> {
        let (key, value) = match self {
            Self::File(path) => {
                let path = std::path::absolute(path)?;
                ("path", quote(&path)?)
            }
            Self::Source(source) => ("source", quote(Path::new(&source.to_string()))?),
            Self::Configured { .. } => return Ok(None),
        };
        let name = quote(Path::new(&self.derived_name()))?;
        let state = quote(state)?;
        // The paddock is gone after the chat, so nothing is worth keeping on disk.
        Ok(Some(format!(
            "[server]\nstate_dir = {state}\n\n[telemetry]\nactivity_retention = \"off\"\n\n\
             [models.{name}]\n{key} = {value}\ncontext_cache = false\n"
        )))
    }

    /// Returns a valid name: of a repository its source, else the name of the file.
    fn derived_name(&self) -> String {
        let stem = |path: &Path| {
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let name = match self {
            Self::File(path) => stem(path),
            Self::Source(ModelSource::Url(url)) => stem(Path::new(url.file_name())),
            Self::Source(source) => source.to_string(),
            Self::Configured { name, .. } => name.clone(),
        };
        let is_plain = |char: char| char.is_alphanumeric() || "._-:/@+".contains(char);
        let name = name.replace(|char: char| !is_plain(char), "-");
        let name: String = name.chars().take(50).collect();
        if name.is_empty() {
            "model".to_owned()
        } else {
            name
        }
    }

    /// Returns the arguments of `paddock serve`. `directory` has the file with [`config_text`](Self::config_text) and
    /// gets the sockets. A paddock that is kept also listens on free ports of the loopback interface; any other one is
    /// of use to this command alone.
    pub(super) fn serve_arguments(&self, directory: &Path, keep: bool) -> Vec<OsString> {
        let config = match self {
            Self::Configured { config, .. } => config.clone(),
            Self::File(_) | Self::Source(_) => directory.join(CONFIG_FILE),
        };
        let socket = |name: &str| {
            let mut address = OsString::from("unix:");
            address.push(directory.join(name));
            address
        };
        let admin = socket(ADMIN_SOCKET);
        let mut flags: Vec<(&str, OsString)> = vec![("--config", config.into())];
        if keep {
            flags.push(("--listen", ANY_PORT.into()));
            flags.push(("--admin", ANY_PORT.into()));
        } else {
            flags.push(("--listen", socket("clients.sock")));
        }
        flags.push(("--admin", admin));
        let flags = flags
            .into_iter()
            .flat_map(|(flag, value)| [flag.into(), value]);
        [OsString::from("serve")].into_iter().chain(flags).collect()
    }
}

/// Quotes text as a basic string of TOML, for which JSON's escapes are valid.
fn quote(text: &Path) -> Result<String, RunError> {
    let quoted = text
        .to_str()
        .and_then(|text| serde_json::to_string(text).ok());
    quoted.ok_or_else(|| RunError::NotText(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_paths_are_quoted() {
        let text = |model: ServedModel| model.config_text(Path::new("/s")).unwrap().unwrap();
        let source = text(ServedModel::Source("hf:u/r:Q4_0".parse().unwrap()));
        assert!(
            source.contains("[models.\"hf:u/r:Q4_0\"]\nsource = \"hf:u/r:Q4_0\"\n"),
            "{source}"
        );
        let url = text(ServedModel::Source(
            "https://h/a%20b.gguf?x=1".parse().unwrap(),
        ));
        assert!(
            url.contains("[models.\"a-20b\"]\nsource = \"https://h/a%20b.gguf\"\n"),
            "{url}"
        );
        let file = text(ServedModel::File("/m/a \"b\".gguf".into()));
        assert!(
            file.contains("[models.\"a--b-\"]\npath = \"/m/a \\\"b\\\".gguf\"\n"),
            "{file}"
        );
    }

    #[test]
    fn the_users_file_is_used_for_its_models() {
        let model = ServedModel::Configured {
            config: "p.toml".into(),
            name: "m".to_owned(),
            source: None,
        };
        assert_eq!(model.config_text(Path::new("/s")).unwrap(), None);
        let arguments = |keep| {
            let words = model.serve_arguments(Path::new("/r"), keep);
            let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
            words.join(" ")
        };
        assert_eq!(
            arguments(false),
            "serve --config p.toml --listen unix:/r/clients.sock --admin unix:/r/admin.sock"
        );
        assert_eq!(
            arguments(true),
            "serve --config p.toml --listen 127.0.0.1:0 --admin 127.0.0.1:0 --admin unix:/r/admin.sock"
        );
    }
}
