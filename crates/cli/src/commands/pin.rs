//! `paddock pin` and `paddock unpin`.

use clap::Args;
use hyper::Method;

use crate::admin::{AdminArgs, model_path};
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock pin` and `paddock unpin`.
#[derive(Debug, Args)]
pub(super) struct PinArgs {
    /// The model, by its name or an alias. It is not loaded for this.
    model: String,
    /// Print JSON, as paddock answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Orders what `what` says, and prints how the model is then. It holds until paddock ends, or `pinned` of
/// the model changes in the configuration.
pub(super) fn run(args: PinArgs, what: &'static str) -> Exit {
    args.admin.run(|client| async move {
        let path = model_path(&args.model, what);
        let answer = client.ask(Method::POST, &path).await?.json().await?;
        if args.json {
            output::text(&answer.to_string());
            return Ok(());
        }
        let shown = |key: &str| output::printable(answer[key].as_str().unwrap_or("unknown"));
        let pinned = match answer["pinned"].as_bool() {
            Some(true) => "pinned",
            Some(false) => "not pinned",
            None => "unknown",
        };
        output::text(&format!("{}: {}, {pinned}", shown("id"), shown("status")));
        Ok(())
    })
}
