//! `paddock load` and `paddock unload`: tell a running paddock to load or unload a model.

mod progress;

pub(super) use progress::load_with_progress;

use clap::Args;

use crate::admin::{AdminArgs, ModelAction};
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock load` and `paddock unload`.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// Name or alias of the model.
    model: String,
    /// Wait until the model is loaded or unloaded; exit with an error if the load or unload fails. On a terminal,
    /// `load` without `--json` always waits and shows progress; interrupting the command does not cancel the load.
    #[arg(long)]
    wait: bool,
    /// Print the API's JSON response.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Runs `action`, a load or an unload, and prints the model's resulting status.
pub(super) fn run(args: LoadArgs, action: ModelAction) -> Exit {
    args.admin.run(|client| async move {
        let shows_progress = action == ModelAction::Load && !args.json && output::is_terminal();
        let answer = if shows_progress {
            load_with_progress(&client, &args.model).await?
        } else if args.wait {
            client.finish_load(action, &args.model).await?
        } else {
            client.begin_load(action, &args.model).await?
        };
        if args.json {
            return answer.print_json().await;
        }
        let result = answer.read().await?;
        let id = output::printable(&result.id);
        output::print(&format!("{id}: {}", result.status.as_str()));
        Ok(())
    })
}
