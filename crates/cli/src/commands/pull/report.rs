//! Prints the results of `paddock pull`.

use paddock_download::PulledModel;
use paddock_models::{HubModel, ModelSource, Variant, choose};
use paddock_server::MachineMemory;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::format::format_bytes;
use crate::model_pull::{ASSUMED_CONTEXT, Fit, PullError, VariantMemory};
use crate::output;
use crate::table::{ColumnWidths, EMPTY_CELL, join_with_tabs};

/// Prints the quantisations of a repository, and which of them fit.
pub(super) fn print_variants(
    model: &HubModel,
    variants: &[Variant],
    memory: &[VariantMemory],
    machine: &MachineMemory,
    json: bool,
) {
    let rows = variants.iter().zip(memory);
    let rows = rows.map(|(variant, &needed)| (variant, needed, Fit::new(needed, machine)));
    if json {
        let variants: Vec<Value> = rows.map(variant_json).collect();
        let source = ModelSource::Hub(model.clone()).to_string();
        let event = json!({"event": "variants", "source": source, "variants": variants});
        output::print(&event.to_string());
        return;
    }
    let rows: Vec<[String; 4]> = rows.map(variant_cells).collect();
    if output::is_terminal() {
        let head = ["QUANTISATION", "SIZE", "MEMORY", "FITS"];
        let mut widths = ColumnWidths::new(&head);
        let all = [head.map(str::to_owned)].into_iter().chain(rows);
        output::print(&widths.align(&all.collect::<Vec<_>>()));
    } else {
        output::print(&join_with_tabs(&rows));
    }
    if let Ok(default) = choose(variants, None) {
        output::print_error(&format!(
            "MEMORY is an estimate for {ASSUMED_CONTEXT} tokens of context, FITS compares it with what is free now\n\
             download one of them: paddock pull hf:{}:{}",
            model.repo, default.name
        ));
    }
}

fn variant_json((variant, needed, fit): (&Variant, VariantMemory, Fit)) -> Value {
    let files = variant.parts.iter().map(|part| part.path.as_str());
    let projector = variant.projector.as_ref().map(|file| file.path.as_str());
    json!({
        "name": variant.name,
        "size": variant.size(),
        "files": files.collect::<Vec<_>>(),
        "projector": projector,
        "memory": needed,
        "fits": fit.as_str(),
    })
}

fn variant_cells((variant, needed, fit): (&Variant, VariantMemory, Fit)) -> [String; 4] {
    let memory = needed.map_or_else(|| EMPTY_CELL.to_owned(), format_bytes);
    let (name, size) = (
        output::printable(&variant.name),
        format_bytes(variant.size()),
    );
    [name, size, memory, fit.to_string()]
}

/// Prints the files of a model that has been pulled. `source` is what was asked for, `taken` what that has turned out to
/// mean.
pub(super) fn print_pulled(
    source: &ModelSource,
    taken: &ModelSource,
    pulled: &PulledModel,
    json: bool,
) {
    let path = |file: &std::path::PathBuf| file.to_string_lossy().into_owned();
    let files: Vec<String> = pulled.files.iter().map(path).collect();
    let projector = pulled.projector.as_ref().map(path);
    if json {
        let done = json!({
            "event": "done", "source": source.to_string(), "model": taken.to_string(), "files": files, "projector": projector,
            "size": pulled.size, "downloaded": pulled.downloaded,
        });
        output::print(&done.to_string());
        return;
    }
    let verb = if pulled.downloaded {
        "downloaded"
    } else {
        "is on disk already"
    };
    let size = format_bytes(pulled.size);
    output::print_error(&format!("{taken} {verb} ({size})"));
    let lines = files.iter().chain(&projector);
    let lines: String = lines.map(|line| output::printable(line) + "\n").collect();
    output::print(&lines);
}

/// Prints why a model was not pulled, and returns the exit code.
pub(super) fn print_failure(source: Option<&ModelSource>, error: &PullError, json: bool) -> Exit {
    if json {
        let source = source.map(ToString::to_string);
        output::print(
            &json!({"event": "error", "source": source, "message": error.to_string()}).to_string(),
        );
    }
    output::print_error(&format!("error: {error}"));
    error.exit_code()
}
