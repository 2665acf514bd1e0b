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
/// command is not limited: its user chose arguments that fit the machine.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use std::collections::BTreeMap;
    use std::num::NonZeroU32;
    use std::time::Duration;

    const GIB: u64 = 1 << 30;

    fn device(name: &str, free: u64) -> Device {
        Device {
            name: name.to_owned(),
            description: String::new(),
            total: 100 * GIB,
            free,
        }
    }

    fn config() -> (Fixture, Config) {
        let fixture = Fixture::new();
        let config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
        (fixture, config)
    }

    #[test]
    fn limits_are_the_configured_ones() {
        let (_fixture, mut config) = config();
        config.scheduler.queue_limit = 3;
        config.scheduler.queue_timeout = Duration::from_secs(4);
        config.scheduler.max_wait = Duration::from_secs(5);
        config.scheduler.min_residency = Duration::from_secs(6);
        let expected = Policy {
            queue_limit: 3,
            queue_timeout: Duration::from_secs(4),
            max_wait: Duration::from_secs(5),
            min_residency: Duration::from_secs(6),
        };
        assert_eq!(policy(&config), expected);
    }

    #[test]
    fn a_model_is_scheduled_as_configured() {
        let (_fixture, mut config) = config();
        config.models[0].max_in_flight = 9;
        for (mode, admit) in [
            (Mode::Serve, Admission::WhenReady),
            (
                Mode::Wrap {
                    router: false,
                    is_launched: false,
                },
                Admission::WhenListening,
            ),
        ] {
            for (keep_alive, expected) in [
                (KeepAlive::Forever, None),
                (KeepAlive::For(Duration::ZERO), Some(Duration::ZERO)),
            ] {
                for (pinned, preload) in [(false, true), (true, false)] {
                    config.mode = mode;
                    let model = &mut config.models[0];
                    (model.keep_alive, model.pinned, model.preload) = (keep_alive, pinned, preload);
                    let expected = ModelSpec {
                        cap: 9,
                        admit,
                        keep_alive: expected,
                        pinned,
                        keep_loaded: preload,
                    };
                    assert_eq!(spec(&config, &config.models[0]), expected);
                }
            }
        }
    }

    #[test]
    fn the_budget_leaves_the_reserve_of_ram_and_of_each_device() {
        let (_fixture, mut config) = config();
        config.memory.reserve = GIB;
        let devices = [device("A", 5 * GIB), device("B", GIB / 2)];
        let named = BTreeMap::from([("B".to_owned(), 7)]);
        let (auto, limit) = (None, NonZeroU32::new(2));
        for (ram, vram, free, limit, expected) in [
            (
                Ram::Auto,
                Vram::Auto,
                Some(9 * GIB),
                auto,
                Memory::budget(8 * GIB, None).with_device(0, 4 * GIB),
            ),
            (
                Ram::Auto,
                Vram::Auto,
                Some(1),
                limit,
                Memory::budget(0, limit).with_device(0, 4 * GIB),
            ),
            (
                Ram::Auto,
                Vram::Auto,
                None,
                auto,
                Memory::budget(u64::MAX, None).with_device(0, 4 * GIB),
            ),
            (
                Ram::Bytes(3),
                Vram::Devices(named),
                Some(9 * GIB),
                auto,
                Memory::budget(3, None).with_device(1, 7),
            ),
        ] {
            (config.memory.ram, config.memory.vram) = (ram, vram);
            config.scheduler.max_loaded = limit;
            assert_eq!(budget(&config, free, &devices), expected);
        }
    }

    #[test]
    fn a_wrapped_command_has_no_budget() {
        let (_fixture, mut config) = config();
        config.mode = Mode::Wrap {
            router: false,
            is_launched: false,
        };
        config.memory.ram = Ram::Bytes(3);
        let unlimited = Memory::budget(u64::MAX, None).with_device(0, u64::MAX);
        assert_eq!(budget(&config, Some(1), &[device("A", 1)]), unlimited);
    }
}
