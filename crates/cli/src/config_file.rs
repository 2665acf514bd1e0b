//! Finding and reading the configuration file.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use paddock_server::config::{Config, Overrides, Problem, Problems};

const NAME: &str = "paddock.toml";

/// A configuration and the file it was read from, if there was one.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) file: Option<PathBuf>,
}

/// Reads the file that is named, else the first that is found, and checks all of it.
///
/// Without any file, the flags alone make the configuration.
pub(crate) fn load(named: Option<&Path>, overrides: &Overrides) -> Result<Loaded, Problems> {
    let Some((file, text)) = text(named)? else {
        let config = Config::from_flags(overrides)?;
        return Ok(Loaded { config, file: None });
    };
    let config = Config::from_toml(&text, &file, overrides)?;
    let file = Some(file);
    Ok(Loaded { config, file })
}

/// Reads the file that is named, else the first that is found, and checks nothing.
pub(crate) fn text(named: Option<&Path>) -> Result<Option<(PathBuf, String)>, Problems> {
    match named {
        Some(path) => Ok(Some((path.to_owned(), read(path)?))),
        None => find(),
    }
}

/// Reads the first file that is there, of `./`, the user's directory and `/etc`.
fn find() -> Result<Option<(PathBuf, String)>, Problems> {
    for path in candidates() {
        if path.exists() {
            let text = read(&path)?;
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

fn candidates() -> impl Iterator<Item = PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = || absolute("HOME").map(|home| home.join(".config"));
    let user = absolute("XDG_CONFIG_HOME").or_else(home);
    let user = user.map(|directory| directory.join("paddock").join(NAME));
    let here = PathBuf::from(NAME);
    [Some(here), user, Some(Path::new("/etc/paddock").join(NAME))]
        .into_iter()
        .flatten()
}

fn read(path: &Path) -> Result<String, Problems> {
    fs::read_to_string(path).map_err(|error| {
        let shown = path.display();
        let (message, help) = match error.kind() {
            ErrorKind::NotFound => (format!("there is no file {shown}"), None),
            ErrorKind::PermissionDenied => {
                let help = "change its permissions, or run paddock as a user who may read it";
                (
                    format!("{shown} cannot be read: permission denied"),
                    Some(help),
                )
            }
            ErrorKind::InvalidData => (format!("{shown} is not UTF-8 text"), None),
            _ => (format!("{shown} cannot be read: {error}"), None),
        };
        Problems::from(Problem {
            key: None,
            message,
            help: help.map(str::to_owned),
            place: None,
        })
    })
}
