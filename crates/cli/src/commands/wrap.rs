//! `paddock wrap`: runs a llama-server command behind paddock.

use std::ffi::OsString;

use clap::Args;
use paddock_server::config::{Config, SandboxMode};

use super::CommonArgs;
use crate::exit::Exit;
use crate::service;

/// Flags of `paddock wrap`.
#[derive(Debug, Args)]
pub(super) struct WrapArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Run the command in a sandbox: auto (the parts that the kernel supports), on (fail if a part is missing) or
    /// off.
    #[arg(long, value_name = "MODE", default_value = "off")]
    sandbox: SandboxMode,
    /// The llama-server command, unchanged. paddock listens on its --host and --port.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_names = ["llama-server", "ARGS"]
    )]
    command: Vec<OsString>,
}

/// Serves the command until a signal or the command's end.
pub(super) fn run(args: WrapArgs) -> Exit {
    let mut overrides = args.common.overrides();
    overrides.sandbox = Some(args.sandbox);
    match Config::from_wrap(&args.command, &overrides) {
        Ok(config) => service::run(config, None, None),
        Err(problems) => {
            service::print_problems(&problems);
            Exit::Config
        }
    }
}
