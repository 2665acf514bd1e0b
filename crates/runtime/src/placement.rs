//! Decides where in memory a model goes, and predicts how much it needs there.

use super::inspection::ModelHeaders;
use crate::engine_probe::Engine;
use crate::memory::Device;
use paddock_config::{self as config, Config, GpuLayers};
use paddock_gguf::memory::{self as gguf, DeviceSplit, MemoryOptions};
use paddock_scheduler::Memory;
use std::ffi::OsString;

/// Shortest context, in tokens, that paddock chooses to make a model fit.
const MIN_CONTEXT: u32 = 4096;

/// The inputs of a placement.
pub(super) struct PlacementInput<'a> {
    pub(super) config: &'a Config,
    pub(super) model: &'a config::Model,
    pub(super) engine: &'a Engine,
    /// Memory that all models together may use.
    pub(super) budget: &'a Memory,
}

/// The memory a model needs by location, and the arguments that make it fit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placement {
    /// Memory without the prompt cache.
    pub(super) memory: Memory,
    /// Bytes of the states of one whole context.
    pub(super) context: u64,
    /// Additional arguments of the child.
    pub(super) args: Vec<OsString>,
}

/// Places a model:
/// 1. A configured size is used as is, on a device if there is one.
/// 2. A configured context is kept, and so is the model's own if it fits into the whole budget.
/// 3. Otherwise the child gets the longest half, quarter, … of the model's own context that fits. If none fits,
///    the shortest is the model's minimum.
pub(super) fn compute_placement(input: &PlacementInput<'_>, headers: &ModelHeaders) -> Placement {
    let args = input.config.command(input.model).args;
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let options = MemoryOptions {
        parallel: input.model.parallel,
        context: input.model.context,
        ..MemoryOptions::default()
    }
    .with_args(&args);
    // 1.
    if let Some(bytes) = input.model.memory {
        return Placement {
            memory: input.divide(input.split_for(bytes, &options)),
            context: context_bytes(headers, &options),
            args: Vec::new(),
        };
    }
    // 2.
    let whole = input.memory(headers, &options);
    let own = trained_context(headers);
    if options.context > 0 || options.context_per_slot > 0 || whole.fits(input.budget) || own == 0 {
        return Placement {
            memory: whole,
            context: context_bytes(headers, &options),
            args: Vec::new(),
        };
    }
    // 3.
    let mut context = own;
    loop {
        context = (context / 2).max(MIN_CONTEXT.min(own));
        let shorter = MemoryOptions {
            context,
            ..options.clone()
        };
        let memory = input.memory(headers, &shorter);
        if memory.fits(input.budget) || context <= MIN_CONTEXT {
            let args = vec!["--ctx-size".into(), context.to_string().into()];
            return Placement {
                memory,
                context: context_bytes(headers, &shorter),
                args,
            };
        }
    }
}

fn has_device(input: &PlacementInput<'_>, options: &MemoryOptions) -> bool {
    !input.engine.devices.is_empty() && options.gpu_layers != gguf::GpuLayers::Count(0)
}

/// Returns the bytes of a context's states: cached keys and values, and the states of recurrent layers.
fn context_bytes(headers: &ModelHeaders, options: &MemoryOptions) -> u64 {
    let model = gguf::predict(&headers.model, options);
    model.map_or(0, |model| model.kv().saturating_add(model.recurrent()))
}

/// Returns the context that the model was trained with.
fn trained_context(headers: &ModelHeaders) -> u32 {
    let first = headers.model.first();
    let own = first.and_then(|header| {
        let key = format!("{}.context_length", header.architecture()?);
        header.get(&key)?.as_u64()
    });
    own.and_then(|own| u32::try_from(own).ok()).unwrap_or(0)
}

impl PlacementInput<'_> {
    /// Predicts the model's memory with these options, including its projector and draft model.
    fn memory(&self, headers: &ModelHeaders, options: &MemoryOptions) -> Memory {
        let Ok(model) = gguf::predict(&headers.model, options) else {
            // The header may lack data for an architecture that the child knows: use the size of the tensors.
            let bytes = gguf::tensor_bytes(&headers.model);
            return self.divide(self.split_for(bytes, options));
        };
        let mut extra = DeviceSplit::default();
        if let Some(projector) = &headers.projector {
            extra = extra + self.split_for(gguf::projector_bytes(projector), options);
        }
        if let Some(draft) = &headers.draft
            && let Ok(draft) = gguf::predict(draft, options)
        {
            extra = extra
                + match has_device(self, options) {
                    true => draft.split_by_device(gguf::GpuLayers::All),
                    false => DeviceSplit::host(draft.total()),
                };
        }
        if !has_device(self, options) {
            return self.divide(DeviceSplit::host(model.total()) + extra);
        }
        let fixed = match self.model.gpu_layers {
            GpuLayers::Auto => None,
            GpuLayers::All => Some(gguf::GpuLayers::All),
            GpuLayers::Count(count) => Some(gguf::GpuLayers::Count(count)),
        };
        if let Some(layers) = fixed {
            return self.divide(model.split_by_device(layers) + extra);
        }
        // The child offloads as many layers as fit; do the same.
        let max_layers = u32::try_from(model.layers.len() + 1).unwrap_or(u32::MAX);
        let fits = (0..=max_layers).rev().find(|count| {
            let split = model.split_by_device(gguf::GpuLayers::Count(*count)) + extra;
            split.device <= self.device_budget()
        });
        let count = gguf::GpuLayers::Count(fits.unwrap_or(0));
        self.divide(model.split_by_device(count) + extra)
    }

    /// Puts memory that is not divided by layers on a device if there is one.
    fn split_for(&self, bytes: u64, options: &MemoryOptions) -> DeviceSplit {
        match has_device(self, options) {
            true => DeviceSplit {
                host: 0,
                device: bytes,
            },
            false => DeviceSplit::host(bytes),
        }
    }

    fn device_budget(&self) -> u64 {
        let devices = 0..self.engine.devices.len();
        devices.fold(0, |sum, index| {
            sum.saturating_add(self.budget.device(index))
        })
    }

    /// Divides device memory in proportion to each device's budget, as the child divides layers by free memory
    /// (llama.cpp b11434, src/llama-model.cpp).
    fn divide(&self, split: DeviceSplit) -> Memory {
        let host = Memory::needed(split.host);
        let room = self.device_budget();
        if split.device == 0 {
            return host;
        }
        if room == 0 {
            return host.with_device(0, split.device);
        }
        let share = |index| {
            let part = u128::from(split.device) * u128::from(self.budget.device(index));
            u64::try_from(part / u128::from(room)).unwrap_or(u64::MAX)
        };
        let devices: &[Device] = &self.engine.devices;
        (0..devices.len()).fold(host, |sum, index| sum.with_device(index, share(index)))
    }
}

#[cfg(test)]
mod tests;
