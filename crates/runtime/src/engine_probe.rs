//! Probes the engine, the llama-server program, once before any model's files are inspected: finds its identity,
//! devices and supported flags.

use crate::load_history::FileIdentity;
use crate::memory::nvml::{self, Nvml};
use crate::memory::{self, Device, devices, engine_help};
use crate::runtime_dir::{RUN_VARIABLE, RunId};
use crate::sandbox::{self, Machine};
use paddock_config::{Config, Mode};
use paddock_scheduler::MAX_DEVICES;
use paddock_supervisor::blocking;
use paddock_supervisor::{Launch, Spawner, env};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The properties of an engine that scheduling depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Engine {
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
    /// Supports `--slot-save-path`, the directory of saved slots.
    pub(crate) supports_slot_save: bool,
    /// Supports loading a model without devices from a mapped file (`--device none`, `--load-mode mmap`).
    pub(crate) supports_trials: bool,
}

impl Engine {
    /// Reads the machine's memory and runs the engine with `--help` and `--list-devices`, in a sandbox like a
    /// child's. Returns `None` if cancelled. A wrapped command (`paddock wrap`) is not run.
    pub(crate) async fn probe(
        config: Arc<Config>,
        spawner: Spawner,
        run: RunId,
        cancelled: CancellationToken,
    ) -> Option<Self> {
        let mut engine = Self::default();
        if config.mode == Mode::Serve {
            let program = config.engine.program.clone();
            let mut env = env::build_child_env(std::env::vars_os(), &config.engine.env);
            env.push((RUN_VARIABLE.into(), run.as_str().into()));
            let launch = |flag: &str| Launch {
                sandbox: sandbox::engine_sandbox(&config, &env, Machine::THIS),
                program: program.clone(),
                args: vec![flag.into()],
                env: env.clone(),
            };
            let (devices, help) = tokio::join!(
                devices::list_devices(&spawner, launch(devices::LIST_FLAG), cancelled.cancelled()),
                engine_help::read_help(
                    &spawner,
                    launch(engine_help::HELP_FLAG),
                    cancelled.cancelled()
                )
            );
            engine = Self {
                identity: program_identity(&program),
                devices: keep_devices_with_memory(devices),
                host: memory::host::available_bytes(),
                ..Self::from_help(&help.unwrap_or_default())
            };
        }
        if !engine.devices.is_empty() {
            // Loading the driver's library may block.
            let loading = blocking::run(Nvml::load);
            let nvml = tokio::select! {
                nvml = loading => nvml,
                () = cancelled.cancelled() => return None,
            };
            engine.nvml = nvml.ok().flatten().map(Arc::new);
        }
        Some(engine)
    }
}

impl Engine {
    /// Finds the supported flags in the engine's help. The final space distinguishes a flag from longer ones.
    fn from_help(help: &str) -> Self {
        let supports = |flag: &str| help.contains(flag);
        Self {
            supports_fit: supports("--fit "),
            supports_verbosity: supports("--log-verbosity"),
            supports_metrics: supports("--metrics"),
            supports_cache_ram: supports("--cache-ram "),
            supports_slot_save: supports("--slot-save-path "),
            supports_trials: supports("--device ") && supports("--load-mode "),
            ..Self::default()
        }
    }

    /// Returns the names of the devices.
    pub(crate) fn device_names(&self) -> Vec<String> {
        let names = self.devices.iter().map(|device| device.name.clone());
        names.collect()
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
        tracing::warn!(%error, "could not list the engine's devices");
        Vec::new()
    });
    devices.retain(|device| device.total > 0);
    devices.truncate(MAX_DEVICES);
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_is_found_in_the_help() {
        let abilities = |help: &str| {
            let engine = Engine::from_help(help);
            [
                engine.supports_fit,
                engine.supports_verbosity,
                engine.supports_metrics,
                engine.supports_cache_ram,
                engine.supports_trials,
            ]
        };
        let (no, yes) = (false, true);
        for (help, expected) in [
            ("", [no; 5]),
            ("-fit,  --fit [on|off]", [yes, no, no, no, no]),
            ("--fit-ctx N", [no; 5]),
            ("-lv, --verbosity, --log-verbosity N", [no, yes, no, no, no]),
            ("--metrics  enable", [no, no, yes, no, no]),
            ("-cram, --cache-ram N", [no, no, no, yes, no]),
            ("--device <dev1>", [no; 5]),
            ("--load-mode MODE", [no; 5]),
            ("--device <dev1>\n--load-mode MODE", [no, no, no, no, yes]),
        ] {
            assert_eq!(abilities(help), expected, "{help}");
        }
    }

    #[test]
    fn a_device_without_memory_is_left_out_and_their_number_is_bounded() {
        let device = |name: &str, total| Device {
            name: name.to_owned(),
            description: String::new(),
            total,
            free: total,
        };
        let listed = vec![device("BLAS", 0), device("CUDA0", 1)];
        let kept = keep_devices_with_memory(Ok(listed));
        assert_eq!(kept, [device("CUDA0", 1)]);
        let many = vec![device("X", 1); MAX_DEVICES + 1];
        assert_eq!(keep_devices_with_memory(Ok(many)).len(), MAX_DEVICES);
        let program = "llama-server".to_owned();
        let failed = devices::ListDevicesError::NoList { program };
        assert_eq!(keep_devices_with_memory(Err(failed)), []);
    }
}
