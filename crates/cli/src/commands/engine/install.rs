//! `paddock engine install`.

use clap::Args;

use super::{block_on, print_outcome};
use crate::engine_install::{InstallRequest, install};
use crate::exit::Exit;

/// Flags of `paddock engine install`.
#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// The release's tag, such as b11434. Default: the newest release with a build for this machine.
    #[arg(value_name = "TAG")]
    tag: Option<String>,
    /// The build's backend, such as cpu, vulkan, cuda, cuda-12.8 or rocm. Default: the one that suits this machine.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Install the engine without using it.
    #[arg(long)]
    no_use: bool,
}

/// Runs the command.
pub(super) fn run(args: InstallArgs) -> Exit {
    let request = InstallRequest {
        tag: args.tag,
        backend: args.backend,
        keep_current: args.no_use,
    };
    match block_on(install(&request)) {
        Ok(outcome) => {
            print_outcome(&outcome, args.no_use);
            Exit::Done
        }
        Err(exit) => exit,
    }
}
