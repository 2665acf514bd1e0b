//! `paddock load` and `paddock unload`.

mod progress;

use clap::Args;

use crate::admin::{AdminArgs, ModelAction};
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock load` and `paddock unload`.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// The model, by its name or an alias.
    model: String,
    /// Wait until it is done, and fail if it cannot be. On a terminal a load is waited for and its progress
    /// shown without this as well; an interrupt leaves it to go on.
    #[arg(long)]
    wait: bool,
    /// Print JSON, as paddock answers.
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
            progress::load_with_progress(&client, &args.model).await?
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
