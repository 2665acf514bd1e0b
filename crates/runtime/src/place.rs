//! Where in memory a model will go, and what it will take there.

use super::inspect::Headers;
use crate::engine::Engine;
use crate::memory::Device;
use paddock_config::{self as config, Config, GpuLayers};
use paddock_gguf::memory::{self as gguf, DeviceSplit, MemoryOptions};
use paddock_scheduler::Memory;
use std::ffi::OsString;

/// A context is not made shorter than this to make a model fit.
const LEAST_CONTEXT: u32 = 4096;

/// What a placement is made of.
pub(super) struct Placing<'a> {
    pub(super) config: &'a Config,
    pub(super) model: &'a config::Model,
    pub(super) engine: &'a Engine,
    /// What all models together may hold.
    pub(super) budget: &'a Memory,
}

/// Where a model will go.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// Without its prompt cache.
    pub(super) memory: Memory,
    /// The bytes of the states of one whole context.
    pub(super) context: u64,
    /// What its child is told for that.
    pub(super) args: Vec<OsString>,
}

/// Places a model:
/// 1. where its memory is configured, that is believed, on a device if there is one;
/// 2. with a context, or the model's own if that fits into the whole budget;
/// 3. else with the longest half, quarter, … of it that does, as memory allows. The child is told.
///    Where none does, the last is what it needs at least.
pub(super) fn place(placing: &Placing<'_>, headers: &Headers) -> Place {
    let args = placing.config.command(placing.model).args;
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let options = MemoryOptions {
        parallel: placing.model.parallel,
        context: placing.model.context,
        ..MemoryOptions::default()
    }
    .with_args(&args);
    // 1.
    if let Some(bytes) = placing.model.memory {
        let split = match has_device(placing, &options) {
            true => DeviceSplit {
                host: 0,
                device: bytes,
            },
            false => DeviceSplit::host(bytes),
        };
        return Place {
            memory: placing.divide(split),
            context: states(headers, &options),
            args: Vec::new(),
        };
    }
    // 2.
    let whole = placing.memory(headers, &options);
    let own = own_context(headers);
    if options.context > 0 || options.context_per_slot > 0 || whole.fits(placing.budget) || own == 0
    {
        return Place {
            memory: whole,
            context: states(headers, &options),
            args: Vec::new(),
        };
    }
    // 3.
    let mut context = own;
    loop {
        context = (context / 2).max(LEAST_CONTEXT.min(own));
        let shorter = MemoryOptions {
            context,
            ..options.clone()
        };
        let memory = placing.memory(headers, &shorter);
        if memory.fits(placing.budget) || context <= LEAST_CONTEXT {
            let args = vec!["--ctx-size".into(), context.to_string().into()];
            return Place {
                memory,
                context: states(headers, &shorter),
                args,
            };
        }
    }
}

fn has_device(placing: &Placing<'_>, options: &MemoryOptions) -> bool {
    !placing.engine.devices.is_empty() && options.gpu_layers != gguf::GpuLayers::Count(0)
}

/// Returns the bytes of a context's states: cached keys and values, and the state of recurrent layers.
fn states(headers: &Headers, options: &MemoryOptions) -> u64 {
    let model = gguf::predict(&headers.model, options);
    model.map_or(0, |model| model.kv().saturating_add(model.recurrent()))
}

/// The context a model was trained with.
fn own_context(headers: &Headers) -> u32 {
    let first = headers.model.first();
    let own = first.and_then(|header| {
        let key = format!("{}.context_length", header.architecture()?);
        header.get(&key)?.as_u64()
    });
    own.and_then(|own| u32::try_from(own).ok()).unwrap_or(0)
}

impl Placing<'_> {
    /// What the model takes with these options, its projector and its draft model included.
    fn memory(&self, headers: &Headers, options: &MemoryOptions) -> Memory {
        let Ok(model) = gguf::predict(&headers.model, options) else {
            // The child knows architectures of which the header tells too little: then the tensors
            // are what is known.
            let bytes = gguf::tensor_bytes(&headers.model);
            let split = match has_device(self, options) {
                true => DeviceSplit {
                    host: 0,
                    device: bytes,
                },
                false => DeviceSplit::host(bytes),
            };
            return self.divide(split);
        };
        let mut extra = DeviceSplit::default();
        if let Some(projector) = &headers.projector {
            extra = extra + self.beside(gguf::projector_bytes(projector), options);
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
        // As many layers as there is room for, as the child will do it.
        let most = u32::try_from(model.layers.len() + 1).unwrap_or(u32::MAX);
        let fits = (0..=most).rev().find(|count| {
            let split = model.split_by_device(gguf::GpuLayers::Count(*count)) + extra;
            split.device <= self.device_room()
        });
        let count = gguf::GpuLayers::Count(fits.unwrap_or(0));
        self.divide(model.split_by_device(count) + extra)
    }

    fn beside(&self, bytes: u64, options: &MemoryOptions) -> DeviceSplit {
        match has_device(self, options) {
            true => DeviceSplit {
                host: 0,
                device: bytes,
            },
            false => DeviceSplit::host(bytes),
        }
    }

    fn device_room(&self) -> u64 {
        let devices = 0..self.engine.devices.len();
        devices.fold(0, |sum, at| sum.saturating_add(self.budget.device(at)))
    }

    /// Divides what goes to devices in proportion to what each has room for, as the child divides
    /// layers by free memory (llama.cpp b11434, src/llama-model.cpp).
    fn divide(&self, split: DeviceSplit) -> Memory {
        let host = Memory::needed(split.host);
        let room = self.device_room();
        if split.device == 0 {
            return host;
        }
        if room == 0 {
            return host.with_device(0, split.device);
        }
        let share = |at| {
            let part = u128::from(split.device) * u128::from(self.budget.device(at));
            u64::try_from(part / u128::from(room)).unwrap_or(u64::MAX)
        };
        let devices: &[Device] = &self.engine.devices;
        (0..devices.len()).fold(host, |sum, at| sum.with_device(at, share(at)))
    }
}
