//! `paddock engine use`.

use clap::Args;
use paddock_engines::EngineName;

use super::{fail, print_in_use};
use crate::engine_install::engine_dirs;
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock engine use`.
#[derive(Debug, Args)]
pub(super) struct UseArgs {
    /// The engine's name, as `paddock engine list` shows it.
    name: EngineName,
}

/// Runs the command.
pub(super) fn run(args: &UseArgs) -> Exit {
    match engine_dirs().set_current(&args.name) {
        Ok(Some(former)) if former == args.name => {
            output::print(&format!("{former} is already in use"));
            Exit::Done
        }
        Ok(former) => {
            print_in_use(&args.name, former.as_ref());
            Exit::Done
        }
        Err(error) => fail(&error, Some("paddock engine list")),
    }
}
