//! `paddock pin` and `paddock unpin`: set whether paddock keeps a model in memory once it is loaded.

use clap::Args;

use crate::admin::{AdminArgs, ModelAction};
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock pin` and `paddock unpin`.
#[derive(Debug, Args)]
pub(super) struct PinArgs {
    /// Name or alias of the model. Pinning a model does not load it.
    model: String,
    /// Print the API's JSON response.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Runs `action`, a pin or an unpin, and prints the model's resulting status. The pin holds until paddock ends or the
/// model's `pinned` changes in the configuration.
pub(super) fn run(args: PinArgs, action: ModelAction) -> Exit {
    args.admin.run(|client| async move {
        let answer = client.pin(action, &args.model).await?;
        if args.json {
            return answer.print_json().await;
        }
        let result = answer.read().await?;
        let pinned = match result.pinned {
            true => "pinned",
            false => "not pinned",
        };
        let id = output::printable(&result.id);
        output::print(&format!("{id}: {}, {pinned}", result.status.as_str()));
        Ok(())
    })
}
