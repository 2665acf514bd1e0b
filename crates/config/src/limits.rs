//! What models share: memory, places in queues, time.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

/// How much memory models may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The machine's memory.
    pub ram: Ram,
    /// The memory of its GPUs.
    pub vram: Vram,
    /// What is left free of the machine's memory and of each GPU's, in bytes.
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

/// How much of the machine's memory models may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ram {
    /// What there is, a cgroup's limit included.
    Auto,
    /// This many bytes; at least 1.
    Bytes(u64),
}

/// How much of the GPUs' memory models may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vram {
    /// What there is.
    Auto,
    /// This many bytes of each device, named as `llama-server --list-devices` does, such as `CUDA0`.
    /// At least one device; 0 bytes leave it unused.
    Devices(BTreeMap<String, u64>),
}

/// Who waits, for how long, and when one model makes room for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduler {
    /// How many models may be in memory at once; `None` when memory alone decides.
    pub max_loaded: Option<NonZeroU32>,
    /// How many requests may wait for each model; one more is refused.
    pub queue_limit: usize,
    /// How long a request may wait.
    pub queue_timeout: Duration,
    /// How long a request may wait for a model that is not in memory before one that is must yield
    /// to it, busy or not.
    pub max_wait: Duration,
    /// How long a model that was loaded stays before it yields to another.
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
