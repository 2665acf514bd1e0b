//! `paddock serve`.

use super::ConfigArgs;
use crate::exit::Exit;
use crate::{config_file, service};

/// Serves until told to stop.
pub(super) fn run(args: ConfigArgs) -> Exit {
    let (file, overrides) = args.overrides();
    match config_file::load(file.as_deref(), &overrides) {
        Ok(loaded) => service::run(loaded.config, loaded.file.as_deref()),
        Err(problems) => {
            service::report(&problems);
            Exit::Config
        }
    }
}
