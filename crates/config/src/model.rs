//! A configured model: its names, files, flags and limits.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use paddock_models::ModelSource;

/// A model that clients can ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The name that clients send.
    pub id: String,
    /// Other names that clients may send.
    pub aliases: Vec<String>,
    /// The model file, or its first part; `None` if a wrapped command gets its model elsewhere.
    ///
    /// A configured file is complete unless [`Config::faults`](super::Config::faults) lists it; discovered files are
    /// unchecked.
    pub path: Option<PathBuf>,
    /// The source of the model, if the configuration names that instead of a file. While the model is not on disk,
    /// no file has its path, and [`Config::faults`](super::Config::faults) lists it.
    pub source: Option<ModelSource>,
    /// The multimodal projector file, for images and sound.
    pub mmproj: Option<PathBuf>,
    /// The draft model for speculative decoding.
    pub draft: Option<PathBuf>,
    /// The context in tokens; 0 for the model's own, if memory allows.
    pub context: u32,
    /// The number of slots (requests that the child processes at the same time); 0 if a wrapped command leaves it to
    /// `llama-server`.
    pub parallel: u32,
    /// Number of layers on the GPU.
    pub gpu_layers: GpuLayers,
    /// Additional `llama-server` arguments for this model.
    pub args: Vec<OsString>,
    /// Environment variables for this model, which override the engine's.
    pub env: BTreeMap<String, String>,
    /// Time that the model stays in memory while idle.
    pub keep_alive: KeepAlive,
    /// The model, once loaded, is neither evicted nor unloaded when idle, unless the operator unpins it.
    pub pinned: bool,
    /// The model is loaded when paddock starts.
    pub preload: bool,
    /// Memory that the model needs, in bytes; `None` to predict it from the file.
    pub memory: Option<u64>,
    /// Maximum number of requests sent to the child at once; 0 to derive it from the number of slots.
    pub max_in_flight: u32,
    /// Time without a sign of progress after which a start is given up.
    pub startup_timeout: Duration,
    /// Maximum time until the first byte of a response.
    pub first_byte_timeout: Duration,
    /// Maximum time between two reads of a stream.
    pub stream_idle_timeout: Duration,
    /// Sends SSE comments to streaming clients whose request waits for the model to load, or for a lease (the
    /// permission to send one request to a loaded model).
    pub loading_heartbeat: bool,
    /// True if the model's contexts are kept, if possible: saved before its child stops, and restored after its next
    /// load.
    pub context_cache: bool,
}

impl Model {
    /// Returns a model without name and file, with every key at its default.
    pub(super) fn blank() -> Self {
        Self {
            id: String::new(),
            aliases: Vec::new(),
            path: None,
            source: None,
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
            context_cache: true,
        }
    }

    /// Returns whether `name` is the model's name or an alias.
    pub fn has_name(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// Number of a model's layers on the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuLayers {
    /// As many as fit.
    Auto,
    /// All layers.
    All,
    /// A fixed number.
    Count(u32),
}

impl From<u32> for GpuLayers {
    fn from(count: u32) -> Self {
        Self::Count(count)
    }
}

/// Time that an idle model stays in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// A fixed time; with zero, the model is unloaded as soon as it is idle.
    For(Duration),
    /// Until another model needs the memory.
    Forever,
}
