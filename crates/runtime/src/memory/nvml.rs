//! Reads the memory of NVIDIA GPUs as the driver counts it, through the driver's library NVML.
//!
//! NVML numbers GPUs by PCI bus order. The engine's `CUDA{n}` follows the CUDA runtime (llama.cpp b11434,
//! ggml/src/ggml-cuda/ggml-cuda.cu `ggml_cuda_init`), which by default puts the fastest GPU first and hides those
//! not in `CUDA_VISIBLE_DEVICES` (CUDA C++ Programming Guide, "CUDA Environment Variables"), and `--list-devices`
//! shows no bus address. So a GPU gets the engine's name only if both orders are certain to agree; otherwise it
//! counts towards totals alone.
//!
//! NVML identifies processes by the pid of the outermost namespace: inside a container with its own pids a child is
//! not found, and no memory is attributed to it.

use std::ffi::{OsStr, OsString};

use nvml_wrapper::Device;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use tracing::debug;

/// The loaded library NVML. Calls may block for milliseconds.
#[derive(Debug)]
pub(crate) struct Nvml(nvml_wrapper::Nvml);

/// Memory of one GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// The engine's name, if certain.
    pub(crate) name: Option<String>,
    pub(crate) total: u64,
    pub(crate) free: u64,
    /// Memory of the queried process; `None` if the driver does not list the process or its memory.
    pub(crate) used: Option<u64>,
}

impl Nvml {
    /// Loads the library; `None` if the library or a working driver is missing.
    pub(crate) fn load() -> Option<Self> {
        nvml_wrapper::Nvml::init()
            .inspect_err(
                |error| debug!(%error, "NVML is not available: memory of NVIDIA devices is not measured"),
            )
            .ok()
            .map(Self)
    }

    /// Returns all GPUs with the memory of `pid` on each. `env` is the engine's environment.
    pub(crate) fn gpus(&self, pid: u32, env: &[(OsString, OsString)]) -> Vec<Gpu> {
        let read = || -> Result<Vec<Gpu>, NvmlError> {
            let count = self.0.device_count()?;
            let named = is_index_order_certain(count, env);
            (0..count)
                .map(|index| {
                    let name = named.then(|| format!("CUDA{index}"));
                    read_gpu(name, &self.0.device_by_index(index)?, pid)
                })
                .collect()
        };
        read().unwrap_or_else(|error| {
            debug!(%error, "could not query NVML");
            Vec::new()
        })
    }
}

/// Returns a process's memory on all GPUs; `None` if none lists the process.
pub(crate) fn total_used(gpus: &[Gpu]) -> Option<u64> {
    let known = gpus.iter().filter_map(|gpu| gpu.used);
    known.reduce(u64::saturating_add)
}

fn read_gpu(name: Option<String>, device: &Device<'_>, pid: u32) -> Result<Gpu, NvmlError> {
    let memory = device.memory_info()?;
    let compute = device.running_compute_processes().unwrap_or_default();
    // The Vulkan backend's processes are in this list.
    let graphics = device.running_graphics_processes().unwrap_or_default();
    Ok(Gpu {
        name,
        total: memory.total,
        free: memory.free,
        // A process in both lists has the same number in both.
        used: used_by(pid, &compute).max(used_by(pid, &graphics)),
    })
}

/// Sums a process's entries: a partitioned GPU has more than one.
fn used_by(pid: u32, list: &[ProcessInfo]) -> Option<u64> {
    list.iter()
        .filter(|process| process.pid == pid)
        .filter_map(|process| match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        })
        .reduce(u64::saturating_add)
}

/// Returns true if `CUDA{n}` is certain to be the GPU with NVML index n: none is hidden or duplicated, and there is
/// only one or bus order is configured.
fn is_index_order_certain(count: u32, env: &[(OsString, OsString)]) -> bool {
    let value = |name: &str| {
        env.iter()
            .rfind(|(key, _)| key == name)
            .map(|(_, value)| value.as_os_str())
    };
    let all = ["CUDA_VISIBLE_DEVICES", "GGML_CUDA_DEVICES"]
        .iter()
        .all(|name| value(name).is_none());
    all && (count == 1 || value("CUDA_DEVICE_ORDER") == Some(OsStr::new("PCI_BUS_ID")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    #[test]
    fn names_are_given_only_where_they_are_certain() {
        let by_bus = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
        assert!(is_index_order_certain(1, &[]));
        assert!(!is_index_order_certain(2, &[]));
        assert!(is_index_order_certain(2, &env(&[by_bus])));
        assert!(!is_index_order_certain(
            2,
            &env(&[("CUDA_DEVICE_ORDER", "FASTEST_FIRST")])
        ));
        assert!(!is_index_order_certain(
            2,
            &env(&[by_bus, ("CUDA_VISIBLE_DEVICES", "1")])
        ));
        assert!(!is_index_order_certain(
            1,
            &env(&[("CUDA_VISIBLE_DEVICES", "")])
        ));
        assert!(!is_index_order_certain(
            1,
            &env(&[("GGML_CUDA_DEVICES", "2")])
        ));
    }

    fn process(pid: u32, used: UsedGpuMemory) -> ProcessInfo {
        ProcessInfo {
            pid,
            used_gpu_memory: used,
            gpu_instance_id: None,
            compute_instance_id: None,
        }
    }

    #[test]
    fn what_the_driver_does_not_say_is_not_claimed() {
        let list = [
            process(1, UsedGpuMemory::Used(10)),
            process(2, UsedGpuMemory::Unavailable),
            process(1, UsedGpuMemory::Used(5)),
        ];
        assert_eq!(used_by(1, &list), Some(15));
        assert_eq!(used_by(2, &list), None);
        assert_eq!(used_by(3, &list), None);
    }

    #[test]
    fn a_total_is_over_the_cards_that_know_the_process() {
        let gpu = |used| Gpu {
            name: None,
            total: 100,
            free: 50,
            used,
        };
        assert_eq!(
            total_used(&[gpu(Some(3)), gpu(None), gpu(Some(4))]),
            Some(7)
        );
        assert_eq!(total_used(&[gpu(None)]), None);
    }

    #[test]
    fn a_machine_without_the_library_is_no_error() {
        if let Some(nvml) = Nvml::load() {
            assert_eq!(total_used(&nvml.gpus(u32::MAX, &[])), None);
        }
    }
}
