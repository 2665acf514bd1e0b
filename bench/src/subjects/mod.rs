//! What is measured: the child itself, paddock and nginx in front of it.

mod build;
mod direct;
mod nginx;
pub(crate) mod paddock;
mod place;

pub(crate) use build::workspace;
pub(crate) use place::Place;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use crate::clock;
use crate::load::{Client, post};
use crate::options::Options;
use crate::process::Process;
use crate::usage::Processes;

/// How long a subject may take until it answers.
const START: Duration = Duration::from_secs(10);

/// Between two tries to reach one that starts.
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Direct,
    Paddock,
    Nginx,
}

impl Name {
    pub(crate) const ALL: [Self; 3] = [Self::Direct, Self::Paddock, Self::Nginx];
}

/// One that runs. Its processes end with it, a proxy before its child.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: Name,
    pub(crate) address: SocketAddr,
    /// The processes of the proxy; none where there is no proxy.
    pub(crate) proxy: Option<Processes>,
    running: Vec<Process>,
}

impl Subject {
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

    /// Waits until requests are answered.
    pub(crate) async fn answers(mut self) -> Result<Self> {
        let asking = async {
            let mut client = self.connect().await?;
            client.ask(&post("/v1/chat/completions", b"{}")).await?;
            Ok::<_, anyhow::Error>(())
        };
        match tokio::time::timeout(START, asking).await {
            Ok(answered) => answered.with_context(|| format!("{:?} does not serve", self.name))?,
            Err(_) => bail!("{:?} does not answer", self.name),
        }
        Ok(self)
    }
}

/// All subjects, and what they need.
#[derive(Debug)]
pub(crate) struct Subjects {
    pub(crate) all: Vec<Subject>,
    pub(crate) paddock: PathBuf,
    /// The version of nginx.
    pub(crate) nginx: String,
    // Last, so that the directory outlives what runs in it.
    pub(crate) place: Place,
}

impl Subjects {
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let paddock = match &options.paddock {
            Some(path) => path.canonicalize().context("the executable of paddock")?,
            None => build::paddock()?,
        };
        let place = Place::new()?;
        let nginx = nginx::find()?;
        let direct = direct::start(&place)?.answers().await?;
        let behind_nginx = nginx::start(&place, &nginx).await?.answers().await?;
        let behind_paddock = paddock::start(&place, &paddock, &[])?.answers().await?;
        Ok(Self {
            all: vec![direct, behind_paddock, behind_nginx],
            nginx: nginx::version(&nginx)?,
            paddock,
            place,
        })
    }
}
