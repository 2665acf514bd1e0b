//! Memory of this machine, for commands that ask what would fit.

use std::process;

use crate::memory::host;
use crate::memory::nvml::Nvml;

/// Memory that models could use now, in bytes. Memory of running models does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineMemory {
    /// RAM; `None` if the system does not report it.
    pub ram: Option<u64>,
    /// NVIDIA GPUs, by their driver. Devices of other makers are not listed, because only their engine knows them.
    pub gpus: Vec<GpuMemory>,
}

/// Memory of a GPU in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuMemory {
    /// All of it.
    pub total: u64,
    /// Unused.
    pub free: u64,
}

impl MachineMemory {
    /// Reads the memory of this machine. Takes milliseconds.
    pub fn read() -> Self {
        let gpus = Nvml::load().map(|nvml| nvml.gpus(process::id(), &[]));
        let gpus = gpus.unwrap_or_default().into_iter();
        Self {
            ram: host::available_bytes(),
            gpus: gpus
                .map(|gpu| GpuMemory {
                    total: gpu.total,
                    free: gpu.free,
                })
                .collect(),
        }
    }
}
