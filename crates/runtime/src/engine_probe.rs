//! Probes the engine once, before the first inspection: its identity, devices and flags.

use crate::RuntimeMessage;
use crate::load_history::FileIdentity;
use crate::memory::nvml::{self, Nvml};
use crate::memory::{self, Device, devices, engine_help};
use crate::runtime_dir::{RUN_VARIABLE, RunId};
use crate::sandbox;
use paddock_config::{Config, Mode};
use paddock_scheduler::MAX_DEVICES;
use paddock_supervisor::blocking;
use paddock_supervisor::{Launch, Spawner, env};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The properties of an engine that scheduling depends on.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    /// Identity of the program file.
    pub(crate) identity: Option<FileIdentity>,
    /// Accelerators, in the engine's order.
    pub(crate) devices: Vec<Device>,
    /// NVIDIA's driver library, if present.
    pub(crate) nvml: Option<Arc<Nvml>>,
    /// RAM available for models in bytes, if known.
    pub(crate) host: Option<u64>,
    /// Supports `--fit off`, which keeps the engine from shortening the context to fit free memory.
    pub(crate) supports_fit: bool,
    /// Supports `--log-verbosity 4`.
    pub(crate) supports_verbosity: bool,
    /// Supports `--metrics` (Prometheus).
    pub(crate) supports_metrics: bool,
    /// Supports `--cache-ram`, a limit for the prompt cache.
    pub(crate) supports_cache_ram: bool,
    /// Supports loading a model without devices from a mapped file (`--device none`, `--load-mode mmap`).
    pub(crate) supports_trials: bool,
}

impl Engine {
    /// Reads the machine's memory and runs the engine with `--help` and `--list-devices`, in a sandbox like a
    /// child's. Stops early if the receiver is dropped. A wrapped command is not run.
    pub(crate) async fn probe(
        config: Arc<Config>,
        spawner: Spawner,
        run: RunId,
        sender: mpsc::Sender<RuntimeMessage>,
    ) {
        let mut engine = Self::default();
        if config.mode == Mode::Serve {
            let program = config.engine.program.clone();
            let mut env = env::build_child_env(std::env::vars_os(), &config.engine.env);
            env.push((RUN_VARIABLE.into(), run.as_str().into()));
            let launch = |flag: &str| Launch {
                sandbox: sandbox::engine_sandbox(&config, &env),
                program: program.clone(),
                args: vec![flag.into()],
                env: env.clone(),
            };
            let (devices, help) = tokio::join!(
                devices::list_devices(&spawner, launch(devices::LIST_FLAG), sender.closed()),
                engine_help::read_help(&spawner, launch(engine_help::HELP_FLAG), sender.closed())
            );
            let help = help.unwrap_or_default();
            let supports = |flag: &str| help.contains(flag);
            engine = Self {
                identity: program_identity(&program),
                devices: keep_devices_with_memory(devices),
                nvml: None,
                host: memory::host::available_bytes(),
                supports_fit: supports("--fit "),
                supports_verbosity: supports("--log-verbosity"),
                supports_metrics: supports("--metrics"),
                supports_cache_ram: supports("--cache-ram "),
                supports_trials: supports("--device ") && supports("--load-mode "),
            };
        }
        if !engine.devices.is_empty() {
            // Loading the driver's library may block.
            let loading = blocking::run(Nvml::load);
            let nvml = tokio::select! {
                nvml = loading => nvml,
                () = sender.closed() => return,
            };
            engine.nvml = nvml.ok().flatten().map(Arc::new);
        }
        // The receiver is gone only if the actor has ended.
        let _ = sender
            .send(RuntimeMessage::EngineProbed(Box::new(engine)))
            .await;
    }
}

fn program_identity(program: &Path) -> Option<FileIdentity> {
    FileIdentity::from_paths(&[program.to_owned()]).ok()
}

impl Engine {
    /// Returns a process's memory on each device, by the engine's names. Devices whose name is uncertain are left
    /// out, and the map is empty without a driver. Blocks.
    pub(crate) fn device_usage(&self, pid: u32) -> BTreeMap<String, u64> {
        let gpus = self.gpus(pid);
        let used = |gpu: nvml::Gpu| gpu.name.zip(gpu.used);
        if let [only] = self.devices.as_slice() {
            let all = nvml::total_used(&gpus);
            return all
                .map(|used| (only.name.clone(), used))
                .into_iter()
                .collect();
        }
        gpus.into_iter().filter_map(used).collect()
    }

    /// Returns true if the driver still counts device memory for a process. Blocks.
    pub(crate) fn has_device_memory(&self, pid: u32) -> bool {
        nvml::total_used(&self.gpus(pid)).is_some_and(|used| used > 0)
    }

    fn gpus(&self, pid: u32) -> Vec<nvml::Gpu> {
        let env: Vec<_> = std::env::vars_os().collect();
        let nvml = self.nvml.as_ref();
        nvml.map(|nvml| nvml.gpus(pid, &env)).unwrap_or_default()
    }
}

/// Keeps the devices with memory of their own, at most [`MAX_DEVICES`].
fn keep_devices_with_memory(listed: Result<Vec<Device>, devices::ListDevicesError>) -> Vec<Device> {
    let mut devices = listed.unwrap_or_else(|error| {
        tracing::warn!(%error, "the engine does not say which devices it has");
        Vec::new()
    });
    devices.retain(|device| device.total > 0);
    devices.truncate(MAX_DEVICES);
    devices
}
