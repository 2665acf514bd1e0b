//! Converts the configuration into the scheduler's types.
//!
//! `paddock wrap` runs one llama-server command line that its user wrote, a wrapped command, where `paddock serve`
//! composes its own.

use crate::memory::Device;
use paddock_config::{self as config, Config, KeepAlive, Mode, Ram, Vram};
use paddock_scheduler::{Admission, Memory, ModelSpec, Policy};

/// Returns the settings that apply to all models: limits and timeouts of queues.
pub(crate) fn policy(config: &Config) -> Policy {
    let scheduler = &config.scheduler;
    Policy {
        queue_limit: scheduler.queue_limit,
        queue_timeout: scheduler.queue_timeout,
        max_wait: scheduler.max_wait,
        min_residency: scheduler.min_residency,
    }
}

/// Returns the scheduling settings of one model.
pub(crate) fn spec(config: &Config, model: &config::Model) -> ModelSpec {
    ModelSpec {
        cap: paddock_admission::model::lease_cap(model),
        admit: match config.mode {
            Mode::Serve => Admission::WhenReady,
            Mode::Wrap { .. } => Admission::WhenListening,
        },
        keep_alive: match model.keep_alive {
            KeepAlive::For(time) => Some(time),
            KeepAlive::Forever => None,
        },
        pinned: model.pinned,
        keep_loaded: model.preload,
    }
}

/// Returns the memory that all models together may use, given the host's free memory and the devices. A wrapped
/// command is not limited: its user has made it fit.
pub(crate) fn budget(config: &Config, free: Option<u64>, devices: &[Device]) -> Memory {
    if matches!(config.mode, Mode::Wrap { .. }) {
        return devices
            .iter()
            .enumerate()
            .fold(Memory::budget(u64::MAX, None), |sum, (index, _)| {
                sum.with_device(index, u64::MAX)
            });
    }
    let reserve = config.memory.reserve;
    let host = match config.memory.ram {
        Ram::Bytes(bytes) => bytes,
        // If free memory is unknown, the kernel sets the limit.
        Ram::Auto => free.map_or(u64::MAX, |free| free.saturating_sub(reserve)),
    };
    let budget = Memory::budget(host, config.scheduler.max_loaded);
    devices
        .iter()
        .enumerate()
        .fold(budget, |sum, (index, device)| {
            let bytes = match &config.memory.vram {
                Vram::Auto => device.free.saturating_sub(reserve),
                Vram::Devices(named) => named.get(&device.name).copied().unwrap_or(0),
            };
            sum.with_device(index, bytes)
        })
}
