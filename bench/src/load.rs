//! Clients in this process: the times they observe, and the subject's resource usage meanwhile.
//!
//! All clients run on one thread, so that the load takes as little of the machine as possible.

mod client;
mod paced_stream;
pub(crate) mod request_bodies;

pub(crate) use client::{Client, ModelLoading, get, post};

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use paced_stream::PacedClient;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock;
use crate::process_usage::Processes;
use crate::stats::{float, micros, quantile};

/// Duration of the load before measuring starts.
const WARM_UP_TIME: Duration = Duration::from_millis(300);

/// The load on a subject.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) work: ClientWork,
}

/// The repeated work of each connection.
#[derive(Debug, Clone)]
pub(crate) enum ClientWork {
    /// Sends this request and reads the whole response. The time taken is recorded.
    Ask(Rc<[u8]>),
    /// Reads the events of a stream, which leave the child at this interval. Their delay is
    /// recorded.
    Listen { every_us: usize },
}

/// The result of one measurement.
#[derive(Debug)]
pub(crate) struct LoadSample {
    /// Number of responses or events.
    pub(crate) count: usize,
    pub(crate) seconds: f64,
    /// Response time or event delay, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// CPU time of the subject per response or event, in microseconds.
    pub(crate) cpu: Option<f64>,
    /// Resident memory of the subject at the end, in bytes.
    pub(crate) resident: Option<u64>,
}

/// Limit on streams being opened at the same time.
const MAX_CONCURRENT_OPENS: usize = 64;

/// Limit on the time until all streams are open.
const OPEN_TIMEOUT: Duration = Duration::from_mins(1);

/// Records the times that clients observe while measuring.
#[derive(Debug)]
struct Recorder {
    is_counting: Cell<bool>,
    /// Number of open streams.
    open_streams: Cell<usize>,
    /// Permits for opening streams.
    open_permits: Semaphore,
    /// Nanoseconds.
    times: RefCell<Vec<u64>>,
}

impl Recorder {
    fn new() -> Self {
        Self {
            is_counting: Cell::new(false),
            open_streams: Cell::new(0),
            open_permits: Semaphore::new(MAX_CONCURRENT_OPENS),
            times: RefCell::default(),
        }
    }

    /// Waits until `streams` streams are open.
    async fn wait_for_open(&self, streams: usize) -> Result<()> {
        let until = clock::now() + clock::nanoseconds(OPEN_TIMEOUT);
        while self.open_streams.get() < streams {
            if clock::now() > until {
                bail!(
                    "{} of {streams} streams are open after {OPEN_TIMEOUT:?}",
                    self.open_streams.get()
                );
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn add(&self, time: u64) {
        if self.is_counting.get() {
            self.times.borrow_mut().push(time);
        }
    }
}

/// Applies a load to a subject and measures for `window`.
pub(crate) async fn measure(
    load: &Load,
    address: SocketAddr,
    processes: Option<&Processes>,
    window: Duration,
) -> Result<LoadSample> {
    let recorder = Rc::new(Recorder::new());
    let mut clients = JoinSet::new();
    for number in 0..load.connections {
        let (recorder, load) = (Rc::clone(&recorder), load.clone());
        clients.spawn_local(async move {
            match &load.work {
                ClientWork::Ask(request) => ask_repeatedly(address, request, &recorder).await,
                ClientWork::Listen { every_us } => {
                    let client = PacedClient {
                        number,
                        count: load.connections,
                        every_us: *every_us,
                    };
                    client.listen(address, &recorder).await
                }
            }
        });
    }
    let sampling = async {
        if let ClientWork::Listen { .. } = load.work {
            recorder.wait_for_open(load.connections).await?;
        }
        sample_window(&recorder, processes, window).await
    };
    let sample = tokio::select! {
        sample = sampling => sample,
        Some(ended) = clients.join_next() => match ended {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => bail!("a client ended"),
        },
    };
    clients.shutdown().await;
    sample
}

async fn sample_window(
    recorder: &Recorder,
    processes: Option<&Processes>,
    window: Duration,
) -> Result<LoadSample> {
    let cpu = || processes.map(Processes::cpu).transpose();
    sleep(WARM_UP_TIME).await;
    let (cpu_before, started) = (cpu()?, clock::now());
    recorder.is_counting.set(true);
    sleep(window).await;
    recorder.is_counting.set(false);
    let (ended, cpu_after) = (clock::now(), cpu()?);
    let resident = processes.map(Processes::resident).transpose()?;

    let times: Vec<f64> = recorder
        .times
        .borrow()
        .iter()
        .copied()
        .map(micros)
        .collect();
    if times.is_empty() {
        bail!("no response or event arrived within {window:?}");
    }
    let used = cpu_after
        .zip(cpu_before)
        .map(|(after, before)| after.saturating_sub(before));
    Ok(LoadSample {
        count: times.len(),
        seconds: micros(ended - started) / 1e6,
        p50: quantile(&times, 0.5),
        p99: quantile(&times, 0.99),
        cpu: used.map(|used| micros(used) / float(times.len())),
        resident,
    })
}

/// Sends the request repeatedly.
async fn ask_repeatedly(address: SocketAddr, request: &[u8], recorder: &Recorder) -> Result<()> {
    let mut client = Client::connect(address).await?;
    loop {
        let started = clock::now();
        client.ask(request).await.context("a request failed")?;
        recorder.add(clock::now() - started);
    }
}
