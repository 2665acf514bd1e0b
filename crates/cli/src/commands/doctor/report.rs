//! Formats facts and findings.

use serde_json::{Value, json};

use super::facts::{EngineFacts, Facts};
use super::findings::{Finding, Severity};
use crate::format::format_bytes;
use crate::output;

/// Formats facts and findings for people.
pub(super) fn to_text(facts: &Facts, findings: &[Finding]) -> String {
    let lines = [
        ("engine", engine_text(facts)),
        ("devices", devices_text(&facts.engine)),
        ("GPUs", gpus_text(facts)),
        ("memory", memory_text(facts)),
        ("models", models_text(facts)),
        ("config", config_text(facts)),
    ];
    let lines = lines.iter();
    let mut blocks = vec![
        lines
            .map(|(name, value)| format!("{name:<9}{}", output::printable(value)))
            .collect::<Vec<_>>()
            .join("\n"),
    ];
    blocks.extend(findings.iter().map(finding_text));
    if findings.is_empty() {
        blocks.push("no problems found".to_owned());
    }
    blocks.join("\n\n")
}

fn finding_text(finding: &Finding) -> String {
    let mut text = format!("{}: {}", severity_word(finding.severity), finding.what);
    for (name, value) in [("why", &finding.why), ("help", &finding.help)] {
        if let Some(value) = value {
            text.push_str("\n  = ");
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
        }
    }
    output::printable_lines(&text)
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn engine_text(facts: &Facts) -> String {
    match &facts.engine {
        EngineFacts::Missing if !facts.config_problems.is_empty() => {
            "unknown, because the configuration is invalid".to_owned()
        }
        EngineFacts::Missing => "none".to_owned(),
        EngineFacts::Broken { program, .. } => format!("{} (does not run)", program.display()),
        EngineFacts::Works {
            program,
            version,
            installed,
            ..
        } => {
            let name = installed
                .as_ref()
                .map(|engine| format!("{}, ", engine.name));
            format!(
                "{}{version}, {}",
                name.unwrap_or_default(),
                program.display()
            )
        }
    }
}

fn devices_text(engine: &EngineFacts) -> String {
    match engine {
        EngineFacts::Works { devices, .. } if !devices.is_empty() => devices.join("; "),
        EngineFacts::Works { .. } => "none: models run on the processor".to_owned(),
        EngineFacts::Missing | EngineFacts::Broken { .. } => "unknown".to_owned(),
    }
}

fn gpus_text(facts: &Facts) -> String {
    let platform = &facts.platform;
    if platform.gpus.is_empty() {
        return "none found".to_owned();
    }
    let gpus: Vec<_> = platform.gpus.iter().map(|gpu| gpu.name()).collect();
    let driver = platform
        .nvidia_driver
        .map(|driver| format!("; NVIDIA driver {driver}"));
    let cuda = platform.cuda.map(|cuda| format!(", CUDA {cuda}"));
    let vulkan = match platform.vulkan_loader {
        true => "; Vulkan loader",
        false => "; no Vulkan loader",
    };
    let gpus = gpus.join(", ");
    format!(
        "{gpus}{}{}{vulkan}",
        driver.unwrap_or_default(),
        cuda.unwrap_or_default()
    )
}

fn memory_text(facts: &Facts) -> String {
    let memory = &facts.memory;
    let free = facts.free.ram.map_or("unknown".to_owned(), format_bytes);
    let total = memory
        .total
        .map(|total| format!(" of {}", format_bytes(total)));
    let limit = memory
        .limit
        .map(|limit| format!("; limit {}", format_bytes(limit)));
    let swap = memory.swap.filter(|swap| *swap > 0);
    let swap = swap.map(|swap| format!("; swap {}", format_bytes(swap)));
    let parts = [total, Some(" free".to_owned()), limit, swap];
    parts
        .into_iter()
        .flatten()
        .fold(free, |text, part| text + &part)
}

fn models_text(facts: &Facts) -> String {
    let on_disk = facts.on_disk;
    let configured = match facts.models.len() {
        0 => "none configured".to_owned(),
        count => format!("{count} configured"),
    };
    match on_disk.count {
        0 => configured,
        count => format!(
            "{configured}; {count} downloaded, {}",
            format_bytes(on_disk.bytes)
        ),
    }
}

fn config_text(facts: &Facts) -> String {
    let file = facts.config_file.as_ref();
    let file = file.map_or("none".to_owned(), |file| file.display().to_string());
    match facts.is_running {
        true => format!("{file}; paddock is running"),
        false => file,
    }
}

/// Formats facts and findings as JSON.
pub(super) fn to_json(facts: &Facts, findings: &[Finding]) -> Value {
    let prevents = |finding: &Finding| finding.severity == Severity::Error;
    let listed = findings.iter().map(|finding| {
        json!({
            "severity": severity_word(finding.severity),
            "what": finding.what,
            "why": finding.why,
            "help": finding.help,
        })
    });
    let platform = &facts.platform;
    let models = facts.models.iter().map(|model| {
        json!({ "name": model.name, "usable": model.fault.is_none(), "memory": model.needed })
    });
    json!({
        "ok": !findings.iter().any(prevents),
        "engine": engine_json(&facts.engine),
        "gpus": platform.gpus.iter().map(|gpu| gpu.name()).collect::<Vec<_>>(),
        "nvidia_driver": platform.nvidia_driver.map(|version| version.to_string()),
        "cuda": platform.cuda.map(|version| version.to_string()),
        "vulkan_loader": platform.vulkan_loader,
        "memory": {
            "total": facts.memory.total,
            "free": facts.free.ram,
            "limit": facts.memory.limit,
            "swap": facts.memory.swap,
            "gpus": facts.free.gpus.iter().map(|gpu| json!({ "total": gpu.total, "free": gpu.free })).collect::<Vec<_>>(),
        },
        "config": facts.config_file,
        "running": facts.is_running,
        "models": models.collect::<Vec<_>>(),
        "downloaded": { "count": facts.on_disk.count, "bytes": facts.on_disk.bytes },
        "findings": listed.collect::<Vec<_>>(),
    })
}

fn engine_json(engine: &EngineFacts) -> Value {
    match engine {
        EngineFacts::Missing => Value::Null,
        EngineFacts::Broken { program, failure } => {
            json!({ "program": program, "failure": failure.message })
        }
        EngineFacts::Works {
            program,
            version,
            installed,
            devices,
        } => json!({
            "program": program,
            "version": version,
            "name": installed.as_ref().map(|engine| engine.name.to_string()),
            "devices": devices,
        }),
    }
}
