//! The stand-in child: a llama-server whose responses cost almost nothing.
//!
//! The child is this program under another name, so that paddock can start it. One thread serves
//! all connections, to make waking it as cheap as possible for the proxy; a second thread writes
//! the paced streams. Of llama-server's flags the child knows `--host` and `--port` and ignores the
//! rest.
//!
//! | switch | effect |
//! |---|---|
//! | `--load-ms N` | answers 503 for N milliseconds |
//! | `--no-event` | does not report readiness on stdout |
//!
//! The path selects the response. A `route` at the start of the body replaces the path, because
//! some proxies accept only a few paths.
//!
//! | path | answer |
//! |---|---|
//! | `/health` | 200, or 503 while loading |
//! | `/burst` | a stream of 256 events, each in its own write, as fast as the client reads |
//! | `/joined-burst` | the same stream in one write |
//! | `/paced?every_us=N&phase_us=N` | an endless stream with events at this interval, each with its sending time |
//! | `/stamp` | start time of the process, end of the load, arrival of this request |
//! | any other | a small JSON answer |

mod canned_responses;
mod child_args;
mod connection;
mod listener;
mod pacer;
mod request_reader;
mod unix_connection;

pub(crate) use canned_responses::BURST_EVENTS;

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::rc::Rc;
use std::thread;

use anyhow::{Context as _, Result};
use canned_responses::CannedResponses;
use child_args::ChildArgs;
use pacer::Pacer;
use std::cell::Cell;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::clock;

/// The program name that selects the child.
pub(crate) const CHILD_NAME: &str = "llama-server-instant";

/// The variable that makes llama-server report its state on stdout and read commands from stdin.
const ROUTER_PORT_VARIABLE: &str = "LLAMA_SERVER_ROUTER_PORT";

/// State shared by all connections.
#[derive(Debug)]
struct ChildServer {
    responses: CannedResponses,
    pacer: Pacer,
    /// Start time of the process.
    started_at: u64,
    /// End time of the model load; 0 before.
    ready_at: Cell<u64>,
}

/// Returns true if this process was started as the child.
pub(crate) fn is_child_process() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    Path::new(&name)
        .file_name()
        .is_some_and(|name| name == CHILD_NAME)
}

/// Serves until a signal arrives or the parent process is gone.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let words: Vec<String> = words.collect();
    // paddock's questions about the engine: the child has no devices and no flags.
    if words
        .iter()
        .any(|word| word == "--list-devices" || word == "--help")
    {
        return Ok(());
    }
    let started_at = clock::now();
    let args = ChildArgs::parse(words.into_iter())?;
    let server = Rc::new(ChildServer {
        started_at,
        responses: CannedResponses::new(),
        pacer: Pacer::start(),
        ready_at: Cell::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, serve(&args, &server))
}

async fn serve(args: &ChildArgs, server: &Rc<ChildServer>) -> Result<()> {
    let mut accepting = Vec::new();
    for host in &args.hosts {
        let listener = listener::bind(host, args.port).await;
        let listener = listener.with_context(|| format!("cannot listen on {host}"))?;
        accepting.push(tokio::task::spawn_local(listener.accept(Rc::clone(server))));
    }
    if !args.load.is_zero() {
        tokio::time::sleep(args.load).await;
    }
    server.ready_at.set(clock::now());
    if std::env::var_os(ROUTER_PORT_VARIABLE).is_none() {
        return std::future::pending().await;
    }
    if args.event {
        announce_ready()?;
    }
    wait_for_exit_command().await?;
    Ok(())
}

fn announce_ready() -> io::Result<()> {
    let line = "cmd_child_to_router:state:{\"state\":\"ready\",\"payload\":{}}\n";
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

/// Completes when an exit command arrives on stdin, or when stdin is closed.
fn wait_for_exit_command() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.is_ok_and(|line| line.contains("cmd_router_to_child:exit")) {
                break;
            }
        }
        // The receiver lives until the process exits.
        let _ = sender.send(());
    });
    receiver
}
