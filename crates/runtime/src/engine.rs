//! What the engine is and can: found out once, before the first model is looked at.

use crate::News;
use crate::learned::FileIdentity;
use crate::memory::nvml::{self, Nvml};
use crate::memory::{self, Device, devices, help};
use crate::runtime_dir::{RUN_VARIABLE, Run};
use crate::sandbox;
use paddock_config::{Config, Mode};
use paddock_scheduler::MAX_DEVICES;
use paddock_supervisor::blocking;
use paddock_supervisor::{Launch, Spawner, env};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// An engine, as far as scheduling depends on it.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    /// Which file it is.
    pub(crate) identity: Option<FileIdentity>,
    /// Its accelerators, in its own order.
    pub(crate) devices: Vec<Device>,
    /// What the driver of NVIDIA's cards says, where there is one.
    pub(crate) nvml: Option<Arc<Nvml>>,
    /// How much of the host's memory models may use, where that can be told.
    pub(crate) host: Option<u64>,
    /// It can be told not to fit a model's context to the free memory (`--fit off`).
    pub(crate) takes_fit: bool,
    /// It can be told to say more (`--log-verbosity 4`).
    pub(crate) takes_verbosity: bool,
    /// It can be told to count for Prometheus (`--metrics`).
    pub(crate) takes_metrics: bool,
    /// A limit can be set for its prompt cache (`--cache-ram`).
    pub(crate) takes_cache_ram: bool,
    /// It can be told to load a model without devices, out of a mapping of its file (`--device none`,
    /// `--load-mode mmap`).
    pub(crate) takes_trials: bool,
}

impl Engine {
    /// Looks at the machine and asks the engine, which runs for that as a child does: in a sandbox, and no
    /// longer than paddock. It ends at once when nobody is left to tell. A wrapped command is not asked anything.
    pub(crate) async fn find(
        config: Arc<Config>,
        spawner: Spawner,
        run: Run,
        to: mpsc::Sender<News>,
    ) {
        let mut engine = Self::default();
        if config.mode == Mode::Serve {
            let program = config.engine.program.clone();
            let mut env = env::build_child_env(std::env::vars_os(), &config.engine.env);
            env.push((RUN_VARIABLE.into(), run.as_str().into()));
            let launch = |flag: &str| Launch {
                sandbox: sandbox::of_engine(&config, &env),
                program: program.clone(),
                args: vec![flag.into()],
                env: env.clone(),
            };
            let (devices, help) = tokio::join!(
                devices::list(&spawner, launch(devices::FLAG), to.closed()),
                help::text(&spawner, launch(help::FLAG), to.closed())
            );
            let help = help.unwrap_or_default();
            let knows = |flag: &str| help.contains(flag);
            engine = Self {
                identity: identity(&program),
                devices: with_memory(devices),
                nvml: None,
                host: memory::host::available(),
                takes_fit: knows("--fit "),
                takes_verbosity: knows("--log-verbosity"),
                takes_metrics: knows("--metrics"),
                takes_cache_ram: knows("--cache-ram "),
                takes_trials: knows("--device ") && knows("--load-mode "),
            };
        }
        if !engine.devices.is_empty() {
            // Loading a driver's library may take a while.
            let loading = blocking::run(Nvml::load);
            let nvml = tokio::select! {
                nvml = loading => nvml,
                () = to.closed() => return,
            };
            engine.nvml = nvml.ok().flatten().map(Arc::new);
        }
        // Nobody to tell is nobody who needs it.
        let _ = to.send(News::Engine(Box::new(engine))).await;
    }
}

fn identity(program: &Path) -> Option<FileIdentity> {
    FileIdentity::of(&[program.to_owned()]).ok()
}

impl Engine {
    /// What the driver says that a process holds, by the engine's names. It is not said where a
    /// name cannot be told, nor without a driver to ask. Blocks.
    pub(crate) fn seen_on_devices(&self, pid: u32) -> BTreeMap<String, u64> {
        let cards = self.cards(pid);
        let used = |card: nvml::Card| card.name.zip(card.used);
        if let [only] = self.devices.as_slice() {
            let all = nvml::used_of_all(&cards);
            return all
                .map(|used| (only.name.clone(), used))
                .into_iter()
                .collect();
        }
        cards.into_iter().filter_map(used).collect()
    }

    /// Whether the driver still counts memory as a process's. Blocks.
    pub(crate) fn still_holds(&self, pid: u32) -> bool {
        nvml::used_of_all(&self.cards(pid)).is_some_and(|used| used > 0)
    }

    fn cards(&self, pid: u32) -> Vec<nvml::Card> {
        let env: Vec<_> = std::env::vars_os().collect();
        let nvml = self.nvml.as_ref();
        nvml.map(|nvml| nvml.cards(pid, &env)).unwrap_or_default()
    }
}

/// Those that have memory of their own, as many as are told apart.
fn with_memory(listed: Result<Vec<Device>, devices::DevicesError>) -> Vec<Device> {
    let mut devices = listed.unwrap_or_else(|error| {
        tracing::warn!(%error, "the engine does not say which devices it has");
        Vec::new()
    });
    devices.retain(|device| device.total > 0);
    devices.truncate(MAX_DEVICES);
    devices
}
