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

/// Orders what `what` says, and prints how the model is then.
pub(super) fn run(args: LoadArgs, what: &'static str) -> Exit {
    args.admin.run(|client| async move {
        let path = model_path(&args.model, &format!("{what}?wait=true"));
        let answer = if what == "load" && !args.json && output::is_terminal() {
            progress::watched(&client, &args.model, &path).await?
        } else if args.wait {
            client.wait(Method::POST, &path).await?
        } else {
            client
                .ask(Method::POST, &model_path(&args.model, what))
                .await?
        };
        let answer = answer.json().await?;
        if args.json {
            output::text(&answer.to_string());
        } else {
            let shown = |key: &str| output::printable(answer[key].as_str().unwrap_or("unknown"));
            output::text(&format!("{}: {}", shown("id"), shown("status")));
        }
        Ok(())
    })
}
