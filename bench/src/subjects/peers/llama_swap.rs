//! llama-swap: <https://github.com/mostlygeek/llama-swap>.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::process::Process;
use crate::process_usage::Processes;
use crate::subjects::run_dir::free_port;
use crate::subjects::{RunDir, Subject, SubjectName};

/// Starts llama-swap with these models, none loaded, whose children `child` starts. The models form
/// one group, so a requested model replaces the loaded one.
pub(super) fn start(
    run_dir: &RunDir,
    program: &Path,
    models: &[&str],
    child: &str,
) -> Result<Subject> {
    let mut text = vec!["models:\n".to_owned()];
    for model in models {
        text.push(entry(model, child, free_port()?));
    }
    let config = run_dir.unique_path("llama-swap.yaml");
    fs::write(&config, text.concat())?;

    let address = ([127, 0, 0, 1], free_port()?).into();
    let mut command = run_dir.command(program);
    command
        .arg("--config")
        .arg(&config)
        .args(["--listen", &format!("{address}")]);
    let process = Process::start(&mut command, &run_dir.unique_path("llama-swap.log"))?;
    Ok(Subject::new(
        SubjectName::LlamaSwap,
        address,
        Processes(vec![process.id()]),
        process,
    ))
}

/// Returns a model's configuration. Without `concurrencyLimit` llama-swap refuses the eleventh
/// request.
fn entry(model: &str, child: &str, port: u16) -> String {
    format!(
        "  {model}:
    cmd: {child} --host 127.0.0.1 --port {port}
    proxy: http://127.0.0.1:{port}
    concurrencyLimit: 16384
"
    )
}
