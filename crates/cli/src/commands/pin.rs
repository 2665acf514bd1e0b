//! `paddock pin` and `paddock unpin`.

use clap::Args;
use hyper::Method;

use crate::admin::{AdminArgs, model_path};
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

/// Runs `action` and prints the model's resulting status. The pin holds until paddock ends or the model's `pinned`
/// changes in the configuration.
pub(super) fn run(args: PinArgs, action: &'static str) -> Exit {
    args.admin.run(|client| async move {
        let path = model_path(&args.model, action);
        let answer = client
            .request(Method::POST, &path)
            .await?
            .read_json()
            .await?;
        if args.json {
            output::print(&answer.to_string());
            return Ok(());
        }
        let text = |key: &str| output::printable(answer[key].as_str().unwrap_or("unknown"));
        let pinned = match answer["pinned"].as_bool() {
            Some(true) => "pinned",
            Some(false) => "not pinned",
            None => "unknown",
        };
        output::print(&format!("{}: {}, {pinned}", text("id"), text("status")));
        Ok(())
    })
}
