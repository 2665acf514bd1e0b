//! A paddock with the real engine, and the clients as programs.

use paddock_e2e::harness::real::{SMALL, clients, engine, model};
use paddock_e2e::harness::{Paddock, PaddockBuilder};
use std::path::Path;
use std::process::Command;

/// A chat template that knows tools: a call is JSON and nothing else.
const TEMPLATE: &str = "\
{%- for tool in tools or [] %}{{ (tool | tojson) + '\n' }}{% endfor %}\
{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}\
{%- if message.tool_calls %}{% for call in message.tool_calls %}\
{{ '{\"name\": \"' + call.function.name + '\", \"arguments\": ' + (call.function.arguments | tojson) + '}' }}\
{%- endfor %}{% else %}{{ message.content }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}\
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// Model `m`, which has one slot.
pub(crate) fn one() -> PaddockBuilder {
    paddock_e2e::paddock!()
        .engine(engine())
        .engine_args(SMALL)
        .model(model())
        .engine_args(["--temp", "0", "--chat-template", TEMPLATE])
        .config("models.m.context = 2048")
}

/// The token `{`.
const BRACE: &str = "236782";

/// Models `m` and `other`, which embeds and prefers to call tools: so small a model never would.
pub(crate) fn two() -> Paddock {
    let path = model().display();
    one()
        .config(&format!(
            "models.other.path = '{path}'\nmodels.other.context = 512\nmodels.other.args = \
             ['--embeddings', '--pooling', 'mean', '--logit-bias', '{BRACE}+20']"
        ))
        .start()
}

/// A program of the clients' own.
pub(crate) fn client(name: &str) -> Command {
    Command::new(clients().join("bin").join(name))
}

/// Runs a script with this program. It is told where paddock is, and nothing else that could lead
/// it elsewhere.
pub(crate) fn run(mut program: Command, script: &str, paddock: &Paddock) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let output = program
        .arg(scripts.join(script))
        .arg(format!("http://{}", paddock.public()))
        .current_dir(paddock.directory())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", paddock.directory())
        .env("NODE_PATH", clients().join("node_modules"))
        // Compiled modules would lie in the checkout.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let output = output.unwrap_or_else(|error| panic!("{script}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (steps, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{script}: {steps}{said}");
    println!("{script}: {}", steps.trim_end().replace('\n', ", "));
}
