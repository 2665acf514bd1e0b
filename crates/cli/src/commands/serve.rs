//! `paddock serve`: serves the configured models.

use std::path::Path;

use paddock_server::ConfigSource;

use super::ConfigArgs;
use crate::exit::Exit;
use crate::{config_file, service};

/// Serves until a signal ends the service.
pub(super) fn run(args: ConfigArgs) -> Exit {
    let (file, overrides) = args.overrides();
    match config_file::load(file.as_deref(), &overrides) {
        Ok(loaded) => {
            // A reload reads the same file, even if another candidate exists by then.
            let path = loaded.path().map(Path::to_owned);
            let again = path.clone();
            let source = ConfigSource::new(loaded.file, move || {
                config_file::load(again.as_deref(), &overrides).map(|loaded| loaded.config)
            });
            service::run(loaded.config, path.as_deref(), Some(source))
        }
        Err(problems) => {
            service::print_problems(&problems);
            Exit::Config
        }
    }
}
