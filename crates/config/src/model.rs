//! A model as it is configured.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A model that clients can ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The name clients send.
    pub id: String,
    /// Other names clients may send.
    pub aliases: Vec<String>,
    /// The model file, or its first part; `None` when a wrapped command gets its model elsewhere.
    ///
    /// A configured file is whole unless [`Config::faults`](super::Config::faults) names it; one that was
    /// discovered may be anything.
    pub path: Option<PathBuf>,
    /// The projector for images and sound.
    pub mmproj: Option<PathBuf>,
    /// The draft model for speculative decoding.
    pub draft: Option<PathBuf>,
    /// The context in tokens; 0 for the model's own, as memory allows.
    pub context: u32,
    /// The number of slots; 0 when a wrapped command leaves it to `llama-server`.
    pub parallel: u32,
    /// How many layers go to the GPU.
    pub gpu_layers: GpuLayers,
    /// Arguments for this model.
    pub args: Vec<OsString>,
    /// Environment variables for this model; they win over the engine's.
    pub env: BTreeMap<String, String>,
    /// How long the model stays in memory when nobody uses it.
    pub keep_alive: KeepAlive,
    /// Whether the model, once loaded, goes for no other and not for being idle, unless the operator says so.
    pub pinned: bool,
    /// Whether the model is loaded when paddock starts.
    pub preload: bool,
    /// How much memory the model needs, in bytes; `None` to predict it from the file.
    pub memory: Option<u64>,
    /// How many requests may be with the child at once; 0 for as many as it takes well.
    pub max_in_flight: u32,
    /// How long a start may go on without a sign of progress.
    pub startup_timeout: Duration,
    /// How long the first byte of an answer may take.
    pub first_byte_timeout: Duration,
    /// How long may pass between two pieces of a stream.
    pub stream_idle_timeout: Duration,
    /// Whether streaming clients that wait for a load or a place are sent comments.
    pub loading_heartbeat: bool,
}

impl Model {
    /// Returns a model without a name and a file, with every key at its default.
    pub(super) fn blank() -> Self {
        Self {
            id: String::new(),
            aliases: Vec::new(),
            path: None,
            mmproj: None,
            draft: None,
            context: 0,
            parallel: 1,
            gpu_layers: GpuLayers::Auto,
            args: Vec::new(),
            env: BTreeMap::new(),
            keep_alive: KeepAlive::For(Duration::from_mins(10)),
            pinned: false,
            preload: false,
            memory: None,
            max_in_flight: 0,
            startup_timeout: Duration::from_mins(2),
            first_byte_timeout: Duration::from_mins(10),
            stream_idle_timeout: Duration::from_mins(5),
            loading_heartbeat: false,
        }
    }

    /// Returns whether clients may call the model so.
    pub fn is_called(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// How many of a model's layers go to the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuLayers {
    /// As many as fit.
    Auto,
    /// All of them.
    All,
    /// This many.
    Count(u32),
}

impl From<u32> for GpuLayers {
    fn from(count: u32) -> Self {
        Self::Count(count)
    }
}

/// How long a model that nobody uses stays in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// This long; for no time at all, it is unloaded as soon as it is idle.
    For(Duration),
    /// Until another model needs the memory.
    Forever,
}
