//! What the scheduler is told of the configuration.

use crate::memory::Device;
use paddock_config::{self as config, Config, KeepAlive, Mode, Ram, Vram};
use paddock_scheduler::{Admission, Memory, ModelSpec, Policy};

/// The rules for all models.
pub(crate) fn policy(config: &Config) -> Policy {
    let scheduler = &config.scheduler;
    Policy {
        queue_limit: scheduler.queue_limit,
        queue_timeout: scheduler.queue_timeout,
        max_wait: scheduler.max_wait,
        min_residency: scheduler.min_residency,
    }
}

/// The rules for one model.
pub(crate) fn spec(config: &Config, model: &config::Model) -> ModelSpec {
    ModelSpec {
        cap: paddock_admission::model::cap(model),
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

/// What all models together may hold, given what the host has free and which devices there are.
/// A wrapped command is its writer's to fit.
pub(crate) fn budget(config: &Config, free: Option<u64>, devices: &[Device]) -> Memory {
    if matches!(config.mode, Mode::Wrap { .. }) {
        return devices
            .iter()
            .enumerate()
            .fold(Memory::budget(u64::MAX, None), |sum, (at, _)| {
                sum.with_device(at, u64::MAX)
            });
    }
    let reserve = config.memory.reserve;
    let host = match config.memory.ram {
        Ram::Bytes(bytes) => bytes,
        // Where it cannot be told, it is left to the system.
        Ram::Auto => free.map_or(u64::MAX, |free| free.saturating_sub(reserve)),
    };
    let budget = Memory::budget(host, config.scheduler.max_loaded);
    devices
        .iter()
        .enumerate()
        .fold(budget, |sum, (at, device)| {
            let bytes = match &config.memory.vram {
                Vram::Auto => device.free.saturating_sub(reserve),
                Vram::Devices(named) => named.get(&device.name).copied().unwrap_or(0),
            };
            sum.with_device(at, bytes)
        })
}
