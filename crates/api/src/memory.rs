use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Memory of the host and of each device, in bytes; null means no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Memory {
    /// Bytes per device, keyed by the engine's name of the device; null means no limit.
    pub devices: BTreeMap<String, Option<u64>>,
    /// Bytes of the host's memory; null means no limit.
    #[schema(required)]
    pub host: Option<u64>,
}

/// The memory that models may use and do use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemoryUsage {
    /// Memory that models may use.
    pub budget: Memory,
    /// Memory reserved for models that wait for it, while other models are evicted.
    pub claimed: Memory,
    /// Memory counted as used by models that are loading, loaded or being unloaded.
    pub used: Memory,
}
