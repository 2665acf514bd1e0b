//! Finds and reads the configuration file.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use paddock_server::FileState;
use paddock_server::config::{
    Config, ConfiguredModel, Overrides, Problem, Problems, configured_models,
};

const FILE_NAME: &str = "paddock.toml";

/// A configuration and its file, if any.
#[derive(Debug)]
pub(crate) struct LoadedConfig {
    pub(crate) config: Config,
    /// The file, and its inode, length and modification time before it was read.
    pub(crate) file: Option<(PathBuf, FileState)>,
}

impl LoadedConfig {
    pub(crate) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| &**path)
    }
}

/// A configuration file and its text.
#[derive(Debug)]
pub(crate) struct ConfigText {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    state: FileState,
}

/// Loads the configuration from the file `named`, else from the first of the usual files that exists, else from flags
/// alone, and validates it.
pub(crate) fn load(named: Option<&Path>, overrides: &Overrides) -> Result<LoadedConfig, Problems> {
    let Some(ConfigText { file, text, state }) = read_text(named)? else {
        let config = Config::from_flags(overrides)?;
        return Ok(LoadedConfig { config, file: None });
    };
    let config = Config::from_toml(&text, &file, overrides)?;
    let file = Some((file, state));
    Ok(LoadedConfig { config, file })
}

/// Returns the file `named`, else the first of the usual files that exists, and its models; an empty list without a
/// file. The models' files and the engine may be missing.
pub(crate) fn read_models(
    named: Option<&Path>,
) -> Result<(Option<PathBuf>, Vec<ConfiguredModel>), Problems> {
    let Some(ConfigText { file, text, .. }) = read_text(named)? else {
        return Ok((None, Vec::new()));
    };
    let models = configured_models(&text, &file)?;
    Ok((Some(file), models))
}

/// Reads the file `named`, else the first of the usual files that exists, without validating its text.
pub(crate) fn read_text(named: Option<&Path>) -> Result<Option<ConfigText>, Problems> {
    match named {
        Some(path) => Ok(Some(read(path.to_owned())?)),
        None => read_first(),
    }
}

/// Reads the first file that exists in `./`, the user's directory and `/etc`.
fn read_first() -> Result<Option<ConfigText>, Problems> {
    for path in candidate_paths() {
        if path.exists() {
            return Ok(Some(read(path)?));
        }
    }
    Ok(None)
}

fn candidate_paths() -> impl Iterator<Item = PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = || absolute("HOME").map(|home| home.join(".config"));
    let user = absolute("XDG_CONFIG_HOME").or_else(home);
    let user = user.map(|directory| directory.join("paddock").join(FILE_NAME));
    let local = PathBuf::from(FILE_NAME);
    [
        Some(local),
        user,
        Some(Path::new("/etc/paddock").join(FILE_NAME)),
    ]
    .into_iter()
    .flatten()
}

fn read(file: PathBuf) -> Result<ConfigText, Problems> {
    let reading = || {
        let mut open = File::open(&file)?;
        let state = FileState::from(&open.metadata()?);
        let mut text = String::new();
        open.read_to_string(&mut text)?;
        io::Result::Ok((text, state))
    };
    let read = reading().map_err(|error| {
        let path = file.display();
        let (message, help) = match error.kind() {
            ErrorKind::NotFound => (format!("there is no file {path}"), None),
            ErrorKind::PermissionDenied => {
                let help = "change its permissions, or run paddock as a user who can read it";
                (
                    format!("{path} cannot be read: permission denied"),
                    Some(help),
                )
            }
            ErrorKind::InvalidData => (format!("{path} is not UTF-8 text"), None),
            _ => (format!("{path} cannot be read: {error}"), None),
        };
        let problem = Problem::new(message);
        Problems::from(match help {
            Some(help) => problem.help(help),
            None => problem,
        })
    });
    let (text, state) = read?;
    Ok(ConfigText { file, text, state })
}
