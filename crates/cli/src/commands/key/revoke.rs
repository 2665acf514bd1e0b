//! `paddock key revoke`: removes an API key from the configuration file.

use clap::Args;
use paddock_server::config::without_key;

use super::{FileArgs, check_still_valid, write_file};
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock key revoke`.
#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    /// Name of the key.
    name: String,
    #[command(flatten)]
    file: FileArgs,
}

/// Removes the key from the file. Leaves the file unchanged if paddock would refuse the result: a running paddock
/// would keep its old configuration and go on accepting the key.
pub(super) fn run(args: &RevokeArgs) -> Exit {
    let (file, text) = match args.file.read() {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let path = file.display();
    let new_text = match without_key(&text, &args.name) {
        Ok(new_text) => new_text,
        Err(error) => {
            output::print_error(&format!("error: {path}: {error}"));
            return Exit::Failed;
        }
    };
    let after = match check_still_valid(&file, &text, &new_text) {
        Ok(after) => after,
        Err(exit) => return exit,
    };
    if let Err(exit) = write_file(&file, &new_text) {
        return exit;
    }
    output::print(&format!(
        "revoked {}: removed it from {path}; a running paddock reloads the file within a second, and requests in \
         flight continue",
        args.name
    ));
    if after.is_some_and(|config| config.api_keys.is_empty()) {
        output::print_error("that was the last key: clients no longer need an API key");
    }
    Exit::Done
}
