//! The memory of NVIDIA cards, as the driver counts it.
//!
//! NVML numbers the cards by their place on the PCI bus. The engine's `CUDA{n}` follows the CUDA runtime
//! (llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu `ggml_cuda_init`), which by default puts the fastest
//! card first and hides what `CUDA_VISIBLE_DEVICES` leaves out (CUDA C++ Programming Guide, "CUDA
//! Environment Variables"), and `--list-devices` does not say where a card is. So a card has its engine's name
//! here only where both orders are certain to agree; otherwise its numbers count towards totals alone.
//!
//! NVML knows processes by the pid of the outermost namespace: inside a container with pids of its own
//! nothing is found for a child's pid, and nothing is claimed.

use std::ffi::{OsStr, OsString};

use nvml_wrapper::Device;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use tracing::debug;

/// The driver's library. Its calls may block for milliseconds.
#[derive(Debug)]
pub(crate) struct Nvml(nvml_wrapper::Nvml);

/// One card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    /// The engine's name for it, where that is certain.
    pub(crate) name: Option<String>,
    pub(crate) total: u64,
    pub(crate) free: u64,
    /// What the process that was asked for uses of it; `None` if the driver lists no such process, or
    /// does not say how much.
    pub(crate) used: Option<u64>,
}

impl Nvml {
    /// Loads the library; `None` on a machine without it, or without a working driver.
    pub(crate) fn load() -> Option<Self> {
        nvml_wrapper::Nvml::init()
            .inspect_err(
                |error| debug!(%error, "no NVML: the memory of NVIDIA cards is not watched"),
            )
            .ok()
            .map(Self)
    }

    /// All cards, with what `pid` uses of each. `env` is the engine's environment.
    pub(crate) fn cards(&self, pid: u32, env: &[(OsString, OsString)]) -> Vec<Card> {
        let read = || -> Result<Vec<Card>, NvmlError> {
            let count = self.0.device_count()?;
            let named = orders_agree(count, env);
            (0..count)
                .map(|index| {
                    let name = named.then(|| format!("CUDA{index}"));
                    card(name, &self.0.device_by_index(index)?, pid)
                })
                .collect()
        };
        read().unwrap_or_else(|error| {
            debug!(%error, "NVML does not answer");
            Vec::new()
        })
    }
}

/// What a process uses of all cards; `None` if none knows it.
pub(crate) fn used_of_all(cards: &[Card]) -> Option<u64> {
    let known = cards.iter().filter_map(|card| card.used);
    known.reduce(u64::saturating_add)
}

fn card(name: Option<String>, device: &Device<'_>, pid: u32) -> Result<Card, NvmlError> {
    let memory = device.memory_info()?;
    let compute = device.running_compute_processes().unwrap_or_default();
    // Where Vulkan is the backend.
    let graphics = device.running_graphics_processes().unwrap_or_default();
    Ok(Card {
        name,
        total: memory.total,
        free: memory.free,
        // A process that is in both lists has the same number in both.
        used: used_by(pid, &compute).max(used_by(pid, &graphics)),
    })
}

/// What a list says of a process: more than one entry where the card is partitioned.
fn used_by(pid: u32, list: &[ProcessInfo]) -> Option<u64> {
    list.iter()
        .filter(|process| process.pid == pid)
        .filter_map(|process| match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        })
        .reduce(u64::saturating_add)
}

/// Whether `CUDA{n}` is certain to be the card with the number n: all are shown, none is doubled, and
/// there is one alone or the order of the bus is asked for.
fn orders_agree(count: u32, env: &[(OsString, OsString)]) -> bool {
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
        assert!(orders_agree(1, &[]));
        assert!(!orders_agree(2, &[]));
        assert!(orders_agree(2, &env(&[by_bus])));
        assert!(!orders_agree(
            2,
            &env(&[("CUDA_DEVICE_ORDER", "FASTEST_FIRST")])
        ));
        assert!(!orders_agree(
            2,
            &env(&[by_bus, ("CUDA_VISIBLE_DEVICES", "1")])
        ));
        assert!(!orders_agree(1, &env(&[("CUDA_VISIBLE_DEVICES", "")])));
        assert!(!orders_agree(1, &env(&[("GGML_CUDA_DEVICES", "2")])));
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
        let card = |used| Card {
            name: None,
            total: 100,
            free: 50,
            used,
        };
        assert_eq!(
            used_of_all(&[card(Some(3)), card(None), card(Some(4))]),
            Some(7)
        );
        assert_eq!(used_of_all(&[card(None)]), None);
    }

    #[test]
    fn a_machine_without_the_library_is_no_error() {
        if let Some(nvml) = Nvml::load() {
            assert_eq!(used_of_all(&nvml.cards(u32::MAX, &[])), None);
        }
    }
}
