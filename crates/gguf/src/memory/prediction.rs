//! A prediction, and how it divides between the host and its devices.

use std::iter::Sum;
use std::ops::Add;

use super::options::GpuLayers;
use super::sizes::sum;

/// What a model takes, in bytes.
///
/// Weights count once, where they are used. With `mmap`, those on the host are pages of the file that
/// the system may drop and read again; those that llama.cpp rearranges for the processor it copies, so
/// its own report counts them twice, once as `CPU_Mapped` and once as `CPU_REPACK`, while the pages
/// behind the copy are not needed any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prediction {
    /// The layers, from the first.
    pub layers: Vec<Layer>,
    /// Weights that are looked up for each token; always on the host.
    pub input: u64,
    /// Weights after the last layer, and those of no layer.
    pub output: u64,
    /// The part of `input` that serves as output too; a device that computes the output copies it.
    pub tied: u64,
    /// The buffers it computes in, an estimate.
    pub compute: u64,
    /// The part of `compute` that the host needs when devices compute everything.
    pub compute_inputs: u64,
    /// The buffer of logits and embeddings that the server reads; on the host.
    pub results: u64,
    /// Whether a layer's cache is where the layer is.
    pub kv_offload: bool,
    /// In how many layers, from the first, the experts' weights stay on the host.
    pub cpu_experts: u32,
}

/// What one layer takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layer {
    /// All its weights.
    pub weights: u64,
    /// The part of `weights` that is experts'.
    pub experts: u64,
    /// Its cache of keys and values.
    pub kv: u64,
    /// Its state, if it is recurrent.
    pub recurrent: u64,
}

/// Bytes on the host and on its devices together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Split {
    /// In the host's memory.
    pub host: u64,
    /// In the memory of devices.
    pub device: u64,
}

impl Prediction {
    /// Returns the bytes of weights.
    pub fn weights(&self) -> u64 {
        let layers = sum(self.layers.iter().map(|layer| layer.weights));
        sum([self.input, layers, self.output])
    }

    /// Returns the bytes of the cache of keys and values.
    pub fn kv(&self) -> u64 {
        sum(self.layers.iter().map(|layer| layer.kv))
    }

    /// Returns the bytes of the states of recurrent layers.
    pub fn recurrent(&self) -> u64 {
        sum(self.layers.iter().map(|layer| layer.recurrent))
    }

    /// Returns all bytes, where the host computes everything.
    pub fn total(&self) -> u64 {
        sum([
            self.weights(),
            self.kv(),
            self.recurrent(),
            self.compute,
            self.results,
        ])
    }

    /// Divides it between the host and devices that take so many layers.
    ///
    /// As llama.cpp b11434, `llama_model_base::load_tensors`: the last layers go to devices, the output
    /// is the very last, the input never goes.
    pub fn on_devices(&self, gpu_layers: GpuLayers) -> Split {
        let all = self.layers.len().saturating_add(1);
        let count = match gpu_layers {
            GpuLayers::All => all,
            GpuLayers::Count(count) => usize::try_from(count).unwrap_or(all).min(all),
        };
        if count == 0 {
            return Split::host(self.total());
        }
        let first = all - count;
        let layers = self.layers.iter().enumerate();
        let layers: Split = layers
            .map(|(index, layer)| self.layer(index, layer, index >= first))
            .sum();
        let rest = Split {
            host: sum([self.input, self.results]),
            device: sum([self.output, self.tied, self.compute]),
        };
        let host_layers = first > 0 || self.cpu_experts > 0 || !self.kv_offload;
        let host_computes = if host_layers {
            self.compute
        } else {
            self.compute_inputs
        };
        layers + rest + Split::host(host_computes)
    }

    fn layer(&self, index: usize, layer: &Layer, on_device: bool) -> Split {
        let memory = layer.kv.saturating_add(layer.recurrent);
        if !on_device {
            return Split::host(layer.weights.saturating_add(memory));
        }
        let kept = usize::try_from(self.cpu_experts).unwrap_or(usize::MAX);
        let experts = if index < kept { layer.experts } else { 0 };
        let weights = Split {
            host: experts,
            device: layer.weights.saturating_sub(experts),
        };
        weights
            + Split {
                host: if self.kv_offload { 0 } else { memory },
                device: if self.kv_offload { memory } else { 0 },
            }
    }
}

impl Split {
    /// Returns so many bytes on the host.
    pub fn host(host: u64) -> Self {
        Self { host, device: 0 }
    }

    /// Returns the bytes in both.
    pub fn total(self) -> u64 {
        self.host.saturating_add(self.device)
    }
}

impl Add for Split {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            host: self.host.saturating_add(other.host),
            device: self.device.saturating_add(other.device),
        }
    }
}

impl Sum for Split {
    fn sum<I: Iterator<Item = Self>>(splits: I) -> Self {
        splits.fold(Self::default(), Add::add)
    }
}
