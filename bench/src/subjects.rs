//! The measured subjects: the child itself; paddock, nginx and `HAProxy` in front of it.

pub(crate) mod debian_packages;
mod direct_child;
mod haproxy;
mod nginx;
pub(crate) mod paddock;
pub(crate) mod peers;
mod real_engine;
mod release_build;
mod run_dir;

pub(crate) use peers::Peer;
pub(crate) use real_engine::RealEngine;
pub(crate) use release_build::workspace;
pub(crate) use run_dir::RunDir;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use crate::bench_options::BenchOptions;
use crate::clock;
use crate::load::{Client, ModelLoading, post, request_bodies};
use crate::process::Process;
use crate::process_usage::Processes;

/// Limit on the time until a subject answers, which may have to read a long prompt first.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// Interval between connection attempts to a starting subject.
const CONNECT_RETRY_INTERVAL: Duration = Duration::from_millis(1);

/// Interval between requests to a loading subject.
const LOADING_RETRY_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SubjectName {
    Direct,
    Paddock,
    /// Over TCP, llama-server's default.
    Nginx,
    /// Over a unix socket, as paddock's children use.
    NginxUnix,
    Haproxy,
    /// nginx forwarding bytes over a unix socket without reading them: the lower bound for any
    /// proxy.
    Pump,
    LlamaSwap,
    Gradatum,
    /// A llama-server that starts others and forwards requests.
    Router,
}

impl SubjectName {
    /// Returns true for subjects that `--peer` adds.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::LlamaSwap | Self::Gradatum)
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Paddock => "paddock",
            Self::Nginx => "nginx",
            Self::NginxUnix => "nginx, unix socket",
            Self::Haproxy => "HAProxy",
            Self::Pump => "byte pump",
            Self::LlamaSwap => "llama-swap",
            Self::Gradatum => "gradatum-engine",
            Self::Router => "llama-server's router",
        }
    }
}

/// A running subject. Dropping it ends its processes, the proxy before its child.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: SubjectName,
    pub(crate) address: SocketAddr,
    /// The processes of the proxy, if there is a proxy.
    pub(crate) proxy: Option<Processes>,
    /// Dropped before the processes end.
    before_end: Option<Box<dyn Debug>>,
    running: Vec<Process>,
}

impl Subject {
    /// Creates a proxy that starts its own child.
    fn new(name: SubjectName, address: SocketAddr, proxy: Processes, process: Process) -> Self {
        Self {
            name,
            address,
            proxy: Some(proxy),
            before_end: None,
            running: vec![process],
        }
    }

    /// Adds a value that is dropped before the processes end.
    fn before_end(mut self, dropped: impl Debug + 'static) -> Self {
        self.before_end = Some(Box::new(dropped));
        self
    }

    /// Connects as soon as the subject listens.
    pub(crate) async fn connect(&mut self) -> Result<Client> {
        let until = clock::now() + clock::nanoseconds(START_TIMEOUT);
        loop {
            let error = match Client::connect(self.address).await {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            for process in &mut self.running {
                process.check_running()?;
            }
            if clock::now() > until {
                return Err(error).with_context(|| format!("{:?} does not listen", self.name));
            }
            sleep(CONNECT_RETRY_INTERVAL).await;
        }
    }

    /// Ends the processes, the proxy before its child.
    pub(crate) fn end(self) -> Result<()> {
        for process in self.running {
            process.end()?;
        }
        Ok(())
    }

    /// Waits until the subject answers requests.
    pub(crate) async fn wait_until_serving(self) -> Result<Self> {
        self.wait_until_answered(&post(request_bodies::CHAT_PATH, request_bodies::SMALL_CHAT))
            .await
    }

    /// Waits until the subject answers this request; a loading subject may refuse it.
    pub(crate) async fn wait_until_answered(mut self, request: &[u8]) -> Result<Self> {
        self.retry_until_served(request, LOADING_RETRY_INTERVAL)
            .await?;
        Ok(self)
    }

    /// Repeats a request until it is answered, with a pause after each refusal by a loading
    /// subject. Returns the body with its framing.
    pub(crate) async fn retry_until_served(
        &mut self,
        request: &[u8],
        pause: Duration,
    ) -> Result<Vec<u8>> {
        let asking = async {
            loop {
                let mut client = self.connect().await?;
                match client.ask(request).await {
                    Err(error) if error.is::<ModelLoading>() => sleep(pause).await,
                    asked => return asked.map(<[u8]>::to_vec),
                }
            }
        };
        match tokio::time::timeout(START_TIMEOUT, asking).await {
            Ok(answered) => answered.with_context(|| format!("{:?} does not serve", self.name)),
            Err(_) => bail!("{:?} does not answer", self.name),
        }
    }
}

/// Returns the measured executable.
pub(crate) fn find_program(options: &BenchOptions) -> Result<PathBuf> {
    match &options.paddock {
        Some(path) => path.canonicalize().context("the executable of paddock"),
        None => release_build::build_paddock(),
    }
}

/// All subjects and their shared resources.
#[derive(Debug)]
pub(crate) struct Subjects {
    pub(crate) all: Vec<Subject>,
    pub(crate) paddock: PathBuf,
    /// Versions of the other proxies.
    pub(crate) nginx: String,
    pub(crate) haproxy: String,
    /// The peers of the command line, which are also in `all`.
    pub(crate) peers: Vec<Peer>,
    // Last, so that the directory outlives the processes that use it.
    pub(crate) run_dir: RunDir,
}

impl Subjects {
    pub(crate) async fn start(options: &BenchOptions) -> Result<Self> {
        let paddock = find_program(options)?;
        let run_dir = RunDir::new()?;
        let nginx = nginx::find()?;
        let haproxy = haproxy::find()?;
        let mut all = vec![
            direct_child::start(&run_dir)?.wait_until_serving().await?,
            paddock::start(&run_dir, &paddock, &[])?
                .wait_until_serving()
                .await?,
            nginx::start(&run_dir, &nginx, SubjectName::Nginx)
                .await?
                .wait_until_serving()
                .await?,
            nginx::start(&run_dir, &nginx, SubjectName::NginxUnix)
                .await?
                .wait_until_serving()
                .await?,
            haproxy::start(&run_dir, &haproxy)?
                .wait_until_serving()
                .await?,
            nginx::start(&run_dir, &nginx, SubjectName::Pump)
                .await?
                .wait_until_serving()
                .await?,
        ];
        for peer in &options.peer {
            all.push(peer.start(&run_dir)?.wait_until_serving().await?);
        }
        Ok(Self {
            all,
            peers: options.peer.clone(),
            nginx: nginx::version(&nginx)?,
            haproxy: haproxy::version(&haproxy)?,
            paddock,
            run_dir,
        })
    }
}
