//! Finds what does not fit together. Decides by the facts alone.

use paddock_engines::{Flavour, GpuVendor, Os, Platform};

use super::facts::{Advice, EngineFacts, Facts};
use crate::format::format_bytes;

/// Least RAM that is useful for a model.
const MIN_USEFUL_RAM: u64 = 1024 * 1024 * 1024;

/// A finding's weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// The finding prevents paddock from serving.
    Error,
    /// paddock serves, and this machine or a model is not used as it could be.
    Warning,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// The problem.
    pub(super) what: String,
    /// The cause or the consequence.
    pub(super) why: Option<String>,
    /// Advice: a command to type, or a change to make.
    pub(super) help: Option<String>,
}

impl Finding {
    fn error(what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            what: what.into(),
            why: None,
            help: None,
        }
    }

    fn warning(what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(what)
        }
    }

    fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn with_help_of(self, advice: &Advice) -> Self {
        Self {
            help: advice.help.clone(),
            ..self
        }
    }
}

/// Finds everything that does not fit together: first what prevents serving.
pub(super) fn find(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(
        facts
            .config_problems
            .iter()
            .map(|problem| Finding::error(&problem.message).with_help_of(problem)),
    );
    findings.extend(
        facts
            .address_problems
            .iter()
            .map(|problem| Finding::error(&problem.message).with_help_of(problem)),
    );
    findings.extend(engine_finding(facts));
    findings.extend(gpu_finding(facts));
    findings.extend(device_file_findings(facts));
    findings.extend(model_findings(facts));
    findings.extend(memory_finding(facts));
    findings.extend(sandbox_finding(facts));
    findings.sort_by_key(|finding| finding.severity != Severity::Error);
    findings
}

fn engine_finding(facts: &Facts) -> Option<Finding> {
    match &facts.engine {
        EngineFacts::Works { .. } => None,
        // The problems of the configuration include a missing engine.
        EngineFacts::Missing if !facts.config_problems.is_empty() => None,
        EngineFacts::Missing => {
            let finding = Finding::error("no engine is installed");
            let finding =
                finding.why("models run in llama-server, which is not on the PATH either");
            Some(finding.help("paddock engine install"))
        }
        EngineFacts::Broken { program, failure } => {
            let finding = Finding::error(format!("the engine {} does not run", program.display()));
            let help = failure.help.clone();
            let help =
                help.unwrap_or_else(|| "install another one: paddock engine install".to_owned());
            Some(finding.why(&failure.message).help(help))
        }
    }
}

/// Finds why a GPU is not used by the engine. The first cause that applies is the one to remove first.
fn gpu_finding(facts: &Facts) -> Option<Finding> {
    let EngineFacts::Works {
        devices, installed, ..
    } = &facts.engine
    else {
        return None;
    };
    let platform = &facts.platform;
    let gpu = preferred_gpu(platform)?;
    if !devices.is_empty() || platform.os != Os::Linux {
        return None;
    }
    let finding = Finding::warning(format!(
        "the engine does not use this machine's {} GPU",
        gpu.name()
    ));
    if gpu == GpuVendor::Nvidia
        && platform.nvidia_driver.is_none()
        && !has_file(facts, "/dev/nvidiactl")
    {
        let finding = finding.why("NVIDIA's driver is not loaded");
        return Some(finding.help(
            "install it and restart the machine (Debian: apt install nvidia-driver; Ubuntu: ubuntu-drivers install)",
        ));
    }
    if facts.device_files.is_empty() {
        let finding =
            finding.why("there is no device file of a GPU, as in a container without access to it");
        return Some(finding.help(match gpu {
            GpuVendor::Nvidia => "start the container with `--gpus all`",
            GpuVendor::Amd | GpuVendor::Intel => "start the container with `--device /dev/dri`",
        }));
    }
    // Reported by the device files themselves.
    if facts.device_files.iter().any(|file| !file.is_usable) {
        return None;
    }
    let flavour = installed
        .as_ref()
        .map(|engine| Flavour::new(engine.receipt.flavour.as_str()));
    let backend = flavour.as_ref().map(Flavour::backend);
    let (why, help) = unused_gpu_cause(backend, gpu, platform.vulkan_loader);
    Some(finding.why(why).help(help))
}

/// Returns why an engine with this backend does not find a GPU that this user can open, and what helps.
fn unused_gpu_cause(
    backend: Option<&str>,
    gpu: GpuVendor,
    vulkan_loader: bool,
) -> (&'static str, &'static str) {
    match (backend, gpu) {
        (Some("vulkan"), _) if !vulkan_loader => (
            "the engine uses Vulkan, and the Vulkan loader is not installed",
            "Debian and Ubuntu: apt install libvulkan1 mesa-vulkan-drivers",
        ),
        (Some("vulkan"), GpuVendor::Nvidia) => (
            "the engine uses Vulkan, and finds no Vulkan driver for the GPU",
            "install NVIDIA's Vulkan driver (Debian: apt install nvidia-vulkan-icd)",
        ),
        (Some("vulkan"), GpuVendor::Amd | GpuVendor::Intel) => (
            "the engine uses Vulkan, and finds no Vulkan driver for the GPU",
            "Debian and Ubuntu: apt install mesa-vulkan-drivers",
        ),
        (Some("cuda"), _) => (
            "the engine uses CUDA, and finds no device",
            "nvidia-smi shows whether the driver works",
        ),
        (Some("cpu"), _) => (
            "the engine is built for processors alone",
            "install a build for the GPU: paddock engine install",
        ),
        (Some(_), _) => (
            "the engine's backend finds no device, or lacks its maker's libraries",
            "install another build: paddock engine install",
        ),
        (None, _) => (
            "the engine has no backend for it, or finds no device",
            "install a build for the GPU with `paddock engine install`, and unset engine.command if it is set",
        ),
    }
}

/// Returns the GPU that an engine should use: NVIDIA's or AMD's before one that is part of an Intel processor.
fn preferred_gpu(platform: &Platform) -> Option<GpuVendor> {
    platform.gpus.iter().min().copied()
}

fn has_file(facts: &Facts, path: &str) -> bool {
    facts
        .device_files
        .iter()
        .any(|file| file.path.as_os_str() == path)
}

fn device_file_findings(facts: &Facts) -> impl Iterator<Item = Finding> {
    let unusable = facts.device_files.iter().filter(|file| !file.is_usable);
    unusable.map(|file| {
        let path = file.path.display();
        let (group, user) = (&file.group, &facts.user);
        Finding::warning(format!("{path} cannot be opened by this user"))
            .why("engines use the GPU through this file")
            .help(format!(
                "sudo usermod -aG {group} {user}, then log in again"
            ))
    })
}

fn model_findings(facts: &Facts) -> Vec<Finding> {
    let models = &facts.models;
    if models.is_empty() && !facts.discovers && facts.config_problems.is_empty() {
        return match facts.on_disk.count {
            0 => {
                vec![Finding::warning("there is no model on this machine").help(
                    "download one and chat with it: paddock run hf:ggml-org/gemma-3-4b-it-GGUF",
                )]
            }
            _ => Vec::new(),
        };
    }
    let is_hopeless = models.iter().all(|model| model.fault.is_some()) && !facts.discovers;
    let faults = models.iter().filter_map(|model| {
        let fault = model.fault.as_ref()?;
        let what = format!("the model {} cannot be loaded", model.name);
        let finding = match is_hopeless {
            true => Finding::error(what),
            false => Finding::warning(what),
        };
        Some(finding.why(&fault.message).with_help_of(fault))
    });
    let free = facts.free.gpus.iter().map(|gpu| gpu.free);
    let free = facts
        .free
        .ram
        .map(|ram| free.fold(ram, u64::saturating_add));
    // Memory of models that run now does not count as free.
    let free = free.filter(|_| !facts.is_running);
    let large = models.iter().filter_map(|model| {
        let (needed, free) = (model.needed?, free?);
        (needed > free).then(|| {
            Finding::warning(format!("the model {} is too large", model.name))
                .why(format!(
                    "it needs about {}, and {} are free",
                    format_bytes(needed),
                    format_bytes(free)
                ))
                .help("use a smaller quantization or a smaller context, or free memory")
        })
    });
    faults.chain(large).collect()
}

fn memory_finding(facts: &Facts) -> Option<Finding> {
    let ram = facts.free.ram?;
    let is_low = ram < MIN_USEFUL_RAM && !facts.is_running;
    is_low.then(|| {
        let finding = Finding::warning(format!("only {} of RAM are free", format_bytes(ram)));
        match facts.memory.limit {
            Some(limit) => finding.why(format!(
                "the control group of this process allows {}",
                format_bytes(limit)
            )),
            None => finding.why("even small models need more"),
        }
        .help("end other programs, or raise the limit")
    })
}

fn sandbox_finding(facts: &Facts) -> Option<Finding> {
    let missing = &facts.missing_sandbox;
    (!missing.is_empty()).then(|| {
        Finding::warning("this kernel does not support parts of the engines' sandbox")
            .why(format!("missing: {}", missing.join(", ")))
            .help("use Linux 6.12 or newer with the Landlock security module")
    })
}

#[cfg(test)]
mod tests;
