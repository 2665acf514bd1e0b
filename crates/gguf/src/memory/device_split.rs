//! Holds a memory prediction, and divides it between the host and devices.

use std::iter::Sum;
use std::ops::Add;

use super::memory_options::GpuLayers;
use super::saturating::sum;

/// The memory that a model needs, in bytes.
///
/// Weights count once, where they are used. With `mmap`, weights on the host are file pages that
/// the system may drop and read again. llama.cpp copies the weights that it rearranges for the
/// processor, so its own report counts them twice, as `CPU_Mapped` and as `CPU_REPACK`; the pages
/// behind the copy are no longer needed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryPrediction {
    /// The layers in order.
    pub layers: Vec<LayerMemory>,
    /// Weights looked up by token; always on the host.
    pub input: u64,
    /// Weights after the last layer, and weights of no layer.
    pub output: u64,
    /// The part of `input` that is also the output; a device that computes the output copies it.
    pub tied: u64,
    /// The compute buffers, an estimate.
    pub compute: u64,
    /// The part of `compute` that the host needs if devices compute everything.
    pub compute_inputs: u64,
    /// The buffer of logits and embeddings that the server reads; always on the host.
    pub results: u64,
    /// True if each layer's cache is on the layer's device.
    pub kv_offload: bool,
    /// Number of layers, from the first, whose experts stay on the host.
    pub cpu_experts: u32,
}

/// The memory of one layer, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerMemory {
    /// All weights.
    pub weights: u64,
    /// The experts' part of `weights`.
    pub experts: u64,
    /// The KV cache.
    pub kv: u64,
    /// The state of a recurrent layer.
    pub recurrent: u64,
}

/// Bytes divided between the host and its devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceSplit {
    /// Bytes in host memory.
    pub host: u64,
    /// Bytes in device memory.
    pub device: u64,
}

impl MemoryPrediction {
    /// Returns the bytes of all weights.
    pub fn weights(&self) -> u64 {
        let layers = sum(self.layers.iter().map(|layer| layer.weights));
        sum([self.input, layers, self.output])
    }

    /// Returns the bytes of the KV cache.
    pub fn kv(&self) -> u64 {
        sum(self.layers.iter().map(|layer| layer.kv))
    }

    /// Returns the bytes of the recurrent states.
    pub fn recurrent(&self) -> u64 {
        sum(self.layers.iter().map(|layer| layer.recurrent))
    }

    /// Returns the total bytes if the host computes everything.
    pub fn total(&self) -> u64 {
        sum([
            self.weights(),
            self.kv(),
            self.recurrent(),
            self.compute,
            self.results,
        ])
    }

    /// Divides the memory between the host and devices that take `gpu_layers` layers.
    ///
    /// As in llama.cpp b11434 (`llama_model_base::load_tensors`), the last layers move to devices
    /// first, the output counts as the very last layer, and the input never moves.
    pub fn split_by_device(&self, gpu_layers: GpuLayers) -> DeviceSplit {
        let all = self.layers.len().saturating_add(1);
        let count = match gpu_layers {
            GpuLayers::All => all,
            GpuLayers::Count(count) => usize::try_from(count).unwrap_or(all).min(all),
        };
        if count == 0 {
            return DeviceSplit::host(self.total());
        }
        let first = all - count;
        let layers = self.layers.iter().enumerate();
        let layers: DeviceSplit = layers
            .map(|(index, layer)| self.layer(index, layer, index >= first))
            .sum();
        let rest = DeviceSplit {
            host: sum([self.input, self.results]),
            device: sum([self.output, self.tied, self.compute]),
        };
        let host_layers = first > 0 || self.cpu_experts > 0 || !self.kv_offload;
        let host_computes = if host_layers {
            self.compute
        } else {
            self.compute_inputs
        };
        layers + rest + DeviceSplit::host(host_computes)
    }

    fn layer(&self, index: usize, layer: &LayerMemory, on_device: bool) -> DeviceSplit {
        let memory = layer.kv.saturating_add(layer.recurrent);
        if !on_device {
            return DeviceSplit::host(layer.weights.saturating_add(memory));
        }
        let kept = usize::try_from(self.cpu_experts).unwrap_or(usize::MAX);
        let experts = if index < kept { layer.experts } else { 0 };
        let weights = DeviceSplit {
            host: experts,
            device: layer.weights.saturating_sub(experts),
        };
        weights
            + DeviceSplit {
                host: if self.kv_offload { 0 } else { memory },
                device: if self.kv_offload { memory } else { 0 },
            }
    }
}

impl DeviceSplit {
    /// Returns a split with all bytes on the host.
    pub fn host(host: u64) -> Self {
        Self { host, device: 0 }
    }

    /// Returns the sum of host and device bytes.
    pub fn total(self) -> u64 {
        self.host.saturating_add(self.device)
    }
}

impl Add for DeviceSplit {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            host: self.host.saturating_add(other.host),
            device: self.device.saturating_add(other.device),
        }
    }
}

impl Sum for DeviceSplit {
    fn sum<I: Iterator<Item = Self>>(splits: I) -> Self {
        splits.fold(Self::default(), Add::add)
    }
}
