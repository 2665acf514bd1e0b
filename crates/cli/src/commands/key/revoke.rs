//! `paddock key revoke`.

use clap::Args;
use paddock_server::config::without_key;

use super::{FileArgs, still_read, write};
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock key revoke`.
#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    /// The key's name.
    name: String,
    #[command(flatten)]
    file: FileArgs,
}

/// Takes it out of the file. What paddock would not read again is not
/// written: the key would stay good.
pub(super) fn run(args: &RevokeArgs) -> Exit {
    let (file, text) = match args.file.read() {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let shown = file.display();
    let left = match without_key(&text, &args.name) {
        Ok(left) => left,
        Err(error) => {
            output::error(&format!("error: {shown}: {error}"));
            return Exit::Failed;
        }
    };
    let after = match still_read(&file, &text, &left) {
        Ok(after) => after,
        Err(exit) => return exit,
    };
    if let Err(exit) = write(&file, &left) {
        return exit;
    }
    output::text(&format!(
        "revoked {}: it is out of {shown}; a paddock that runs with it takes that up in a second, and requests \
         in flight go on",
        args.name
    ));
    if after.is_some_and(|config| config.api_keys.is_empty()) {
        output::error("that was the last key: from now on nobody has to show one");
    }
    Exit::Done
}
