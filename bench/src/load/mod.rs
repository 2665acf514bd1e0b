//! Clients, in this process: what they see, and what the subject uses meanwhile.
//!
//! All of them live on one thread, so that the load itself takes as little of the machine from
//! the subject as it can.

pub(crate) mod bodies;
mod client;
mod paced;

pub(crate) use client::{Client, Loading, get, post};

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use paced::Listener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock;
use crate::stats::{float, micros, quantile};
use crate::usage::Processes;

/// How long the load goes on before anything counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// What a subject is given to do.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) work: Work,
}

/// What each connection does, again and again.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Sends this request and takes the whole answer. The time it took counts.
    Ask(Rc<[u8]>),
    /// Takes the events of a stream, which leave the child so often. Their lateness counts.
    Listen { every_us: usize },
}

/// What was seen in one measurement.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Answers or events.
    pub(crate) count: usize,
    pub(crate) seconds: f64,
    /// Of an answer's time or an event's lateness, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// CPU time of the subject for each of them, in microseconds.
    pub(crate) cpu: Option<f64>,
    /// What the subject holds at the end, in bytes.
    pub(crate) resident: Option<u64>,
}

/// How many streams are opened at once.
const AT_ONCE: usize = 64;

/// How long it may take until all streams are open.
const OPENING: Duration = Duration::from_mins(1);

/// What the clients note, while it counts.
#[derive(Debug)]
struct Notes {
    counting: Cell<bool>,
    /// How many streams have begun.
    begun: Cell<usize>,
    /// The turns to open one.
    opening: Semaphore,
    /// Nanoseconds.
    times: RefCell<Vec<u64>>,
}

impl Notes {
    fn new() -> Self {
        Self {
            counting: Cell::new(false),
            begun: Cell::new(0),
            opening: Semaphore::new(AT_ONCE),
            times: RefCell::default(),
        }
    }

    /// Waits until so many streams have begun.
    async fn begun(&self, streams: usize) -> Result<()> {
        let until = clock::now() + clock::nanoseconds(OPENING);
        while self.begun.get() < streams {
            if clock::now() > until {
                bail!(
                    "{} of {streams} streams are open after {OPENING:?}",
                    self.begun.get()
                );
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn add(&self, time: u64) {
        if self.counting.get() {
            self.times.borrow_mut().push(time);
        }
    }
}

/// Loads a subject for a while.
pub(crate) async fn measure(
    load: &Load,
    address: SocketAddr,
    processes: Option<&Processes>,
    window: Duration,
) -> Result<Sample> {
    let notes = Rc::new(Notes::new());
    let mut clients = JoinSet::new();
    for number in 0..load.connections {
        let (notes, load) = (Rc::clone(&notes), load.clone());
        clients.spawn_local(async move {
            match &load.work {
                Work::Ask(request) => ask(address, request, &notes).await,
                Work::Listen { every_us } => {
                    let listener = Listener {
                        number,
                        of: load.connections,
                        every_us: *every_us,
                    };
                    listener.listen(address, &notes).await
                }
            }
        });
    }
    let watching = async {
        if let Work::Listen { .. } = load.work {
            notes.begun(load.connections).await?;
        }
        watch(&notes, processes, window).await
    };
    let sample = tokio::select! {
        sample = watching => sample,
        Some(ended) = clients.join_next() => match ended {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => bail!("a client ended"),
        },
    };
    clients.shutdown().await;
    sample
}

async fn watch(notes: &Notes, processes: Option<&Processes>, window: Duration) -> Result<Sample> {
    let cpu = || processes.map(Processes::cpu).transpose();
    sleep(WARM_UP).await;
    let (cpu_before, began) = (cpu()?, clock::now());
    notes.counting.set(true);
    sleep(window).await;
    notes.counting.set(false);
    let (ended, cpu_after) = (clock::now(), cpu()?);
    let resident = processes.map(Processes::resident).transpose()?;

    let times: Vec<f64> = notes.times.borrow().iter().copied().map(micros).collect();
    if times.is_empty() {
        bail!("nothing came within {window:?}");
    }
    let used = cpu_after
        .zip(cpu_before)
        .map(|(after, before)| after.saturating_sub(before));
    Ok(Sample {
        count: times.len(),
        seconds: micros(ended - began) / 1e6,
        p50: quantile(&times, 0.5),
        p99: quantile(&times, 0.99),
        cpu: used.map(|used| micros(used) / float(times.len())),
        resident,
    })
}

/// Asks again and again.
async fn ask(address: SocketAddr, request: &[u8], notes: &Notes) -> Result<()> {
    let mut client = Client::connect(address).await?;
    loop {
        let began = clock::now();
        client.ask(request).await.context("a request failed")?;
        notes.add(clock::now() - began);
    }
}
