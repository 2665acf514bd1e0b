//! Predicts whether the models of a repository fit this machine.

use std::fmt;

use paddock_gguf::Header;
use paddock_gguf::memory::{MemoryOptions, predict};
use paddock_models::Variant;
use paddock_server::MachineMemory;

/// Tokens of context that the prediction assumes, unless the model was trained with fewer.
pub(crate) const ASSUMED_CONTEXT: u32 = 4096;

/// Memory that a variant needs in bytes; `None` if unknown.
pub(crate) type VariantMemory = Option<u64>;

/// The memory that a model fits into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Into one GPU.
    Gpu,
    /// Into RAM.
    Ram,
    /// Into GPUs and RAM together.
    GpuAndRam,
    /// Nowhere.
    TooLarge,
    /// The model's or the machine's memory is unknown.
    Unknown,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gpu => "in the GPU",
            Self::Ram => "in RAM",
            Self::GpuAndRam => "in GPU and RAM",
            Self::TooLarge => "too large",
            Self::Unknown => "unknown",
        })
    }
}

impl Fit {
    /// Compares a need with what is free now.
    pub(crate) fn new(needed: VariantMemory, machine: &MachineMemory) -> Self {
        let (Some(needed), Some(ram)) = (needed, machine.ram) else {
            return Self::Unknown;
        };
        let largest_gpu = machine.gpus.iter().map(|gpu| gpu.free).max();
        let all = machine
            .gpus
            .iter()
            .map(|gpu| gpu.free)
            .fold(ram, u64::saturating_add);
        match largest_gpu {
            Some(free) if needed <= free => Self::Gpu,
            _ if needed <= ram => Self::Ram,
            Some(_) if needed <= all => Self::GpuAndRam,
            _ => Self::TooLarge,
        }
    }

    /// Returns the word in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Ram => "ram",
            Self::GpuAndRam => "gpu_and_ram",
            Self::TooLarge => "too_large",
            Self::Unknown => "unknown",
        }
    }
}

/// Predicts the memory of each variant: the size of its files, and caches and buffers as the header of one variant
/// says. These depend on the model's shape, which quantisations share.
pub(super) fn predict_variants(
    header: Option<&Header>,
    variants: &[Variant],
) -> Vec<VariantMemory> {
    let beside_weights = header.and_then(|header| {
        let is_longer = header
            .trained_context()
            .is_none_or(|trained| trained > u64::from(ASSUMED_CONTEXT));
        let options = MemoryOptions {
            context: if is_longer { ASSUMED_CONTEXT } else { 0 },
            ..MemoryOptions::default()
        };
        let prediction = predict(std::slice::from_ref(header), &options).ok()?;
        Some(prediction.total().saturating_sub(prediction.weights()))
    });
    let memory = |variant: &Variant| Some(variant.size().saturating_add(beside_weights?));
    variants.iter().map(memory).collect()
}

#[cfg(test)]
mod tests {
    use paddock_gguf::builder::GgufBuilder;
    use paddock_models::{FileDigest, RepoFile};
    use paddock_server::GpuMemory;

    use super::*;

    #[test]
    fn a_need_is_compared_with_what_is_free() {
        let machine = |ram, gpus: &[u64]| MachineMemory {
            ram,
            gpus: gpus
                .iter()
                .map(|&free| GpuMemory { total: 100, free })
                .collect(),
        };
        for (needed, ram, gpus, expected) in [
            (Some(10), Some(10), &[][..], Fit::Ram),
            (Some(11), Some(10), &[], Fit::TooLarge),
            (Some(10), Some(10), &[10, 2], Fit::Gpu),
            (Some(11), Some(20), &[10, 2], Fit::Ram),
            (Some(21), Some(10), &[10, 2], Fit::GpuAndRam),
            (Some(23), Some(10), &[10, 2], Fit::TooLarge),
            (None, Some(10), &[10], Fit::Unknown),
            (Some(1), None, &[10], Fit::Unknown),
        ] {
            assert_eq!(
                Fit::new(needed, &machine(ram, gpus)),
                expected,
                "{needed:?} {ram:?} {gpus:?}"
            );
        }
    }

    #[test]
    fn memory_is_the_files_and_what_the_shape_adds() {
        let variant = |size| Variant {
            name: "Q4_0".to_owned(),
            parts: vec![RepoFile {
                path: "m.gguf".parse().unwrap(),
                size,
                digest: FileDigest::Sha256([0; 32]),
            }],
            projector: None,
        };
        let header = Header::read(&*GgufBuilder::stand_in().build()).unwrap();
        let variants = [variant(1_000), variant(5_000)];
        let memory = predict_variants(Some(&header), &variants);
        let beside = memory[0].unwrap() - 1_000;
        assert!(beside > 0);
        assert_eq!(memory[1], Some(5_000 + beside));
        assert_eq!(predict_variants(None, &variants), [None, None]);
    }
}
