//! `paddock load` and `paddock unload`.

mod progress;

use clap::Args;
use hyper::Method;

use crate::admin::{AdminArgs, model_path};
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock load` and `paddock unload`.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// Name or alias of the model.
    model: String,
    /// Wait until the model is loaded or unloaded; exit with an error if the load or unload fails. On a terminal,
    /// `load` always waits and shows progress; interrupting the command does not cancel the load.
    #[arg(long)]
    wait: bool,
    /// Print the API's JSON response.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Runs `action` and prints the model's resulting status.
pub(super) fn run(args: LoadArgs, action: &'static str) -> Exit {
    args.admin.run(|client| async move {
        let path = model_path(&args.model, &format!("{action}?wait=true"));
        let answer = if action == "load" && !args.json && output::is_terminal() {
            progress::request_with_progress(&client, &args.model, &path).await?
        } else if args.wait {
            client.request_and_wait(Method::POST, &path).await?
        } else {
            client
                .request(Method::POST, &model_path(&args.model, action))
                .await?
        };
        let answer = answer.read_json().await?;
        if args.json {
            output::print(&answer.to_string());
        } else {
            let text = |key: &str| output::printable(answer[key].as_str().unwrap_or("unknown"));
            output::print(&format!("{}: {}", text("id"), text("status")));
        }
        Ok(())
    })
}
