//! Limits that all models share: `[memory]` and `[scheduler]`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

/// Memory limits of all models together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The machine's memory.
    pub ram: Ram,
    /// The memory of its GPUs.
    pub vram: Vram,
    /// Bytes to keep free in the machine's memory and in each GPU's.
    pub reserve: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            ram: Ram::Auto,
            vram: Vram::Auto,
            reserve: 1 << 30,
        }
    }
}

/// Limit of the machine's memory for models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ram {
    /// All memory, within the cgroup's limit.
    Auto,
    /// This many bytes; at least 1.
    Bytes(u64),
}

/// Limit of the GPUs' memory for models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vram {
    /// All memory of all GPUs.
    Auto,
    /// This many bytes of each device, named as `llama-server --list-devices` does, such as `CUDA0`.
    /// At least one device; 0 bytes leave it unused.
    Devices(BTreeMap<String, u64>),
}

/// Limits of queues, of waiting, and of residency (the time that a model stays in memory).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduler {
    /// Maximum number of models in memory; `None` if memory alone decides.
    pub max_loaded: Option<NonZeroU32>,
    /// Maximum number of queued requests per model; further ones are denied.
    pub queue_limit: usize,
    /// Maximum waiting time of a request.
    pub queue_timeout: Duration,
    /// Time that a request waits for a model that is not in memory before another model, even a busy one, is drained
    /// for it.
    pub max_wait: Duration,
    /// Minimum time that a loaded model stays before it can be evicted.
    pub min_residency: Duration,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            max_loaded: None,
            queue_limit: 256,
            queue_timeout: Duration::from_mins(5),
            max_wait: Duration::from_secs(30),
            min_residency: Duration::from_secs(5),
        }
    }
}
