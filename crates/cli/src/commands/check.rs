//! `paddock check`.

use paddock_server::config::Problems;

use super::ConfigArgs;
use crate::exit::Exit;
use crate::{config_file, output, ports, service};

/// Prints everything that `serve` would refuse, or what it would do.
pub(super) fn run(args: ConfigArgs) -> Exit {
    let (file, overrides) = args.overrides();
    let loaded = config_file::load(file.as_deref(), &overrides);
    let checked = loaded.and_then(|loaded| match Problems::new(ports::taken(&loaded.config)) {
        Some(problems) => Err(problems),
        None => Ok(loaded),
    });
    match checked {
        Ok(loaded) => {
            let server = &loaded.config.server;
            let summary = service::summary(
                &loaded.config,
                loaded.file.as_deref(),
                &server.listen,
                &server.admin,
            );
            output::text(&format!("ok\n{summary}"));
            Exit::Done
        }
        Err(problems) => {
            service::report(&problems);
            Exit::Config
        }
    }
}
