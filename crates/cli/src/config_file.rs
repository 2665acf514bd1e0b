//! Finding and reading the configuration file.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use paddock_server::FileState;
use paddock_server::config::{Config, Overrides, Problem, Problems};

const NAME: &str = "paddock.toml";

/// A configuration and the file it was read from, if there was one.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// With how it was before it was read.
    pub(crate) file: Option<(PathBuf, FileState)>,
}

impl Loaded {
    pub(crate) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| &**path)
    }
}

/// A file, and what stands in it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    state: FileState,
}

/// Reads the file that is named, else the first that is found, and checks all of it.
///
/// Without any file, the flags alone make the configuration.
pub(crate) fn load(named: Option<&Path>, overrides: &Overrides) -> Result<Loaded, Problems> {
    let Some(Found { file, text, state }) = text(named)? else {
        let config = Config::from_flags(overrides)?;
        return Ok(Loaded { config, file: None });
    };
    let config = Config::from_toml(&text, &file, overrides)?;
    let file = Some((file, state));
    Ok(Loaded { config, file })
}

/// Reads the file that is named, else the first that is found, and checks nothing.
pub(crate) fn text(named: Option<&Path>) -> Result<Option<Found>, Problems> {
    match named {
        Some(path) => Ok(Some(read(path.to_owned())?)),
        None => find(),
    }
}

/// Reads the first file that is there, of `./`, the user's directory and `/etc`.
fn find() -> Result<Option<Found>, Problems> {
    for path in candidates() {
        if path.exists() {
            return Ok(Some(read(path)?));
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

fn read(file: PathBuf) -> Result<Found, Problems> {
    let reading = || {
        let mut open = File::open(&file)?;
        let state = FileState::from(&open.metadata()?);
        let mut text = String::new();
        open.read_to_string(&mut text)?;
        io::Result::Ok((text, state))
    };
    let read = reading().map_err(|error| {
        let shown = file.display();
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
        let problem = Problem::new(message);
        Problems::from(match help {
            Some(help) => problem.help(help),
            None => problem,
        })
    });
    let (text, state) = read?;
    Ok(Found { file, text, state })
}
