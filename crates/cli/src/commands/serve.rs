//! `paddock serve`.

use std::path::Path;

use paddock_server::Source;

use super::ConfigArgs;
use crate::exit::Exit;
use crate::{config_file, service};

/// Serves until told to stop.
pub(super) fn run(args: ConfigArgs) -> Exit {
    let (file, overrides) = args.overrides();
    match config_file::load(file.as_deref(), &overrides) {
        Ok(loaded) => {
            // Later it is the same file, whatever lies where paddock would look.
            let path = loaded.path().map(Path::to_owned);
            let again = path.clone();
            let source = Source::new(loaded.file, move || {
                config_file::load(again.as_deref(), &overrides).map(|loaded| loaded.config)
            });
            service::run(loaded.config, path.as_deref(), Some(source))
        }
        Err(problems) => {
            service::report(&problems);
            Exit::Config
        }
    }
}
