//! Plans a model's load, its memory, duration and arguments, from its placement in memory, the measurement of earlier
//! loads and the flags that the engine supports.

use super::PromptCache;
use super::extra_flags;
use super::prompt_cache::choose_prompt_cache;
use crate::load_history::LoadMeasurement;
use crate::placement::{Placement, PlacementInput};
use paddock_scheduler::{Demand, Memory};
use std::ffi::OsString;
use std::time::Duration;

/// Assumed read speed, to estimate the duration of a first load.
const READ_BYTES_PER_SECOND: u64 = 1 << 30;

/// The facts about a load, except the configuration and the machine.
#[derive(Debug)]
pub(super) struct LoadFacts {
    pub(super) placement: Placement,
    /// Measurement of earlier loads with the same files, arguments and engine.
    pub(super) measurement: Option<LoadMeasurement>,
    /// True if the engine has loaded these files before, or has begun to in a trial.
    pub(super) is_proven: bool,
}

/// The load that follows from all facts.
#[derive(Debug, PartialEq)]
pub(super) struct LoadPlan {
    /// Memory predicted from the header alone, or the configured size; includes the prompt cache.
    pub(super) predicted: Memory,
    /// Expected memory (configured, measured or else predicted), including the prompt cache, and load time.
    pub(super) demand: Demand,
    pub(super) prompt_cache: PromptCache,
    /// Additional arguments of the child.
    pub(super) args: Vec<OsString>,
}

impl LoadFacts {
    /// Plans the load. A configured size overrides the measured one.
    pub(super) fn plan(self, input: &PlacementInput<'_>) -> LoadPlan {
        let command = input.config.command(input.model);
        let predicted = self.placement.memory;
        let measured = self.measurement.as_ref();
        let memory = match measured {
            Some(measured) if input.model.memory.is_none() => {
                let names = input.engine.devices.iter();
                let names = names.map(|device| device.name.as_str());
                measured_memory(measured, &predicted, names)
            }
            _ => predicted,
        };
        let load = measured.map_or_else(
            || Duration::from_millis(predicted.bytes() / (READ_BYTES_PER_SECOND / 1000)),
            |measured| measured.load,
        );
        // Not part of the load's key: the limit does not change the memory of a load.
        let prompt_cache = choose_prompt_cache(input, &command, &memory, self.placement.context);
        let mut args = self.placement.args;
        if measured.is_none() {
            args.extend(extra_flags::verbosity_flags(&command, input.engine));
        }
        args.extend(extra_flags::disable_fit_flags(&command, input.engine));
        args.extend(extra_flags::metrics_flags(&command, input.engine));
        args.extend(prompt_cache.args());
        let with_cache = |memory: Memory| memory.with_host(prompt_cache.counted);
        LoadPlan {
            predicted: with_cache(predicted),
            demand: Demand {
                memory: with_cache(memory),
                load,
                is_proven: measured.is_some() || self.is_proven || !input.engine.supports_trials,
            },
            prompt_cache,
            args,
        }
    }
}

/// Converts measured memory to the current order of devices. Without the child's own report, the prediction is a
/// lower bound: the system does not show pages that were not touched yet.
fn measured_memory<'a>(
    measurement: &LoadMeasurement,
    predicted: &Memory,
    names: impl Iterator<Item = &'a str>,
) -> Memory {
    let known = measurement.memory();
    let least = |bytes: u64, predicted: u64| match measurement.reported {
        Some(_) => bytes,
        None => bytes.max(predicted),
    };
    let host = Memory::needed(least(known.host, predicted.host()));
    names.enumerate().fold(host, |sum, (index, name)| {
        let bytes = known.devices.get(name).copied().unwrap_or(0);
        sum.with_device(index, least(bytes, predicted.device(index)))
    })
}

#[cfg(test)]
mod tests;
