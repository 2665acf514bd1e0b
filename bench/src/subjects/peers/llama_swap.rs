//! llama-swap: <https://github.com/mostlygeek/llama-swap>.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::process::Process;
use crate::subjects::place::free_port;
use crate::subjects::{Name, Place, Subject};
use crate::usage::Processes;

/// Starts it with these models, none of them loaded, whose children this command starts. One that is asked
/// for takes the place of another: its models form one group, whose members swap.
pub(super) fn start(
    place: &Place,
    program: &Path,
    models: &[&str],
    child: &str,
) -> Result<Subject> {
    let mut text = vec!["models:\n".to_owned()];
    for model in models {
        text.push(entry(model, child, free_port()?));
    }
    let config = place.fresh("llama-swap.yaml");
    fs::write(&config, text.concat())?;

    let address = ([127, 0, 0, 1], free_port()?).into();
    let mut command = place.command(program);
    command
        .arg("--config")
        .arg(&config)
        .args(["--listen", &format!("{address}")]);
    let process = Process::start(&mut command, &place.fresh("llama-swap.log"))?;
    Ok(Subject::new(
        Name::LlamaSwap,
        address,
        Processes(vec![process.id()]),
        process,
    ))
}

/// Without a `concurrencyLimit` it refuses the eleventh request at once.
fn entry(model: &str, child: &str, port: u16) -> String {
    format!(
        "  {model}:
    cmd: {child} --host 127.0.0.1 --port {port}
    proxy: http://127.0.0.1:{port}
    concurrencyLimit: 16384
"
    )
}
