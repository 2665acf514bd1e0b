//! What is measured: the child itself; paddock, nginx and `HAProxy` in front of it.

mod build;
pub(crate) mod debian;
mod direct;
mod engine;
mod haproxy;
mod nginx;
pub(crate) mod paddock;
pub(crate) mod peers;
mod place;

pub(crate) use build::workspace;
pub(crate) use engine::Engine;
pub(crate) use peers::Peer;
pub(crate) use place::Place;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use crate::clock;
use crate::load::{Client, Loading, bodies, post};
use crate::options::Options;
use crate::process::Process;
use crate::usage::Processes;

/// How long a subject may take until it answers.
const START: Duration = Duration::from_secs(30);

/// Between two tries to reach one that starts.
const PAUSE: Duration = Duration::from_millis(1);

/// Between two tries to be served by one that loads.
const LOADING: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Direct,
    Paddock,
    /// By TCP, as llama-server listens unless it is told otherwise.
    Nginx,
    /// By the unix socket that paddock gives its children.
    NginxUnix,
    Haproxy,
    /// nginx passing bytes on by a unix socket without reading any: what no proxy gets below.
    Pump,
    LlamaSwap,
    Gradatum,
    /// A llama-server that starts others and passes requests on.
    Router,
}

impl Name {
    /// Whether it is one of those that `--peer` names.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::LlamaSwap | Self::Gradatum)
    }

    pub(crate) fn words(self) -> &'static str {
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

/// One that runs. Its processes end with it, a proxy before its child.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: Name,
    pub(crate) address: SocketAddr,
    /// The processes of the proxy; none where there is no proxy.
    pub(crate) proxy: Option<Processes>,
    /// What is to be done before its processes end, when it is dropped.
    before_end: Option<Box<dyn Debug>>,
    running: Vec<Process>,
}

impl Subject {
    /// A proxy that starts its child itself.
    fn new(name: Name, address: SocketAddr, proxy: Processes, process: Process) -> Self {
        Self {
            name,
            address,
            proxy: Some(proxy),
            before_end: None,
            running: vec![process],
        }
    }

    /// Does something by dropping it, before the processes end.
    fn before_end(mut self, dropped: impl Debug + 'static) -> Self {
        self.before_end = Some(Box::new(dropped));
        self
    }

    /// Connects as soon as it listens.
    pub(crate) async fn connect(&mut self) -> Result<Client> {
        let until = clock::now() + clock::nanoseconds(START);
        loop {
            let error = match Client::connect(self.address).await {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            for process in &mut self.running {
                process.check()?;
            }
            if clock::now() > until {
                return Err(error).with_context(|| format!("{:?} does not listen", self.name));
            }
            sleep(PAUSE).await;
        }
    }

    /// Ends what runs, the proxy before its child.
    pub(crate) fn end(self) -> Result<()> {
        for process in self.running {
            process.end()?;
        }
        Ok(())
    }

    /// Waits until requests are answered.
    pub(crate) async fn answers(self) -> Result<Self> {
        self.answers_to(&post(bodies::CHATS, bodies::CHAT)).await
    }

    /// Waits until this request is answered; one that loads may refuse it.
    pub(crate) async fn answers_to(mut self, request: &[u8]) -> Result<Self> {
        self.serves(request, LOADING).await?;
        Ok(self)
    }

    /// Asks until it is answered, again after such a pause where one that loads refuses.
    pub(crate) async fn serves(&mut self, request: &[u8], pause: Duration) -> Result<()> {
        let asking = async {
            loop {
                let mut client = self.connect().await?;
                match client.ask(request).await {
                    Err(error) if error.is::<Loading>() => sleep(pause).await,
                    asked => return asked.map(|_| ()),
                }
            }
        };
        match tokio::time::timeout(START, asking).await {
            Ok(answered) => answered.with_context(|| format!("{:?} does not serve", self.name)),
            Err(_) => bail!("{:?} does not answer", self.name),
        }
    }
}

/// The executable that is measured.
pub(crate) fn program(options: &Options) -> Result<PathBuf> {
    match &options.paddock {
        Some(path) => path.canonicalize().context("the executable of paddock"),
        None => build::paddock(),
    }
}

/// All subjects, and what they need.
#[derive(Debug)]
pub(crate) struct Subjects {
    pub(crate) all: Vec<Subject>,
    pub(crate) paddock: PathBuf,
    /// The versions of the others.
    pub(crate) nginx: String,
    pub(crate) haproxy: String,
    /// Those of the command line; they are among all the subjects too.
    pub(crate) peers: Vec<Peer>,
    // Last, so that the directory outlives what runs in it.
    pub(crate) place: Place,
}

impl Subjects {
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let paddock = program(options)?;
        let place = Place::new()?;
        let nginx = nginx::find()?;
        let haproxy = haproxy::find()?;
        let mut all = vec![
            direct::start(&place)?.answers().await?,
            paddock::start(&place, &paddock, &[])?.answers().await?,
            nginx::start(&place, &nginx, Name::Nginx)
                .await?
                .answers()
                .await?,
            nginx::start(&place, &nginx, Name::NginxUnix)
                .await?
                .answers()
                .await?,
            haproxy::start(&place, &haproxy)?.answers().await?,
            nginx::start(&place, &nginx, Name::Pump)
                .await?
                .answers()
                .await?,
        ];
        for peer in &options.peer {
            all.push(peer.start(&place)?.answers().await?);
        }
        Ok(Self {
            all,
            peers: options.peer.clone(),
            nginx: nginx::version(&nginx)?,
            haproxy: haproxy::version(&haproxy)?,
            paddock,
            place,
        })
    }
}
