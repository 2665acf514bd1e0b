//! The stand-in child: a llama-server whose answers cost nothing.
//!
//! It is this same program under another name, so that paddock can be told to start it. One
//! thread serves all connections, so that waking it costs a busy proxy as little as can be; a
//! second one writes the paced streams. Of the real server's flags it knows `--host` and
//! `--port`; others are passed over.
//!
//! | switch | what it does |
//! |---|---|
//! | `--load-ms N` | answers 503 for so long |
//! | `--no-event` | does not say on stdout that it is ready |
//!
//! What it answers is decided by the path, or by a `wish` at the start of the body in its place: some
//! proxies know few paths.
//!
//! | path | answer |
//! |---|---|
//! | `/health` | 200, or 503 while it loads |
//! | `/burst` | a stream of 256 events, each written by itself, as fast as they are taken |
//! | `/paced?every_us=N&phase_us=N` | a stream without end, its events at this pace, with the time they left |
//! | `/stamp` | when the process began, when the load ended and when this request came |
//! | any other | a small JSON answer |

mod answers;
mod args;
mod http;
mod listen;
mod local;
mod pacer;
mod serve;

pub(crate) use answers::BURST;

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::rc::Rc;
use std::thread;

use answers::Answers;
use anyhow::{Context as _, Result};
use args::Args;
use pacer::Pacer;
use std::cell::Cell;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::clock;

/// The name under which this program is the child.
pub(crate) const NAME: &str = "llama-server-instant";

/// What makes a llama-server tell its state on stdout and obey its stdin.
const ROUTER: &str = "LLAMA_SERVER_ROUTER_PORT";

/// What all connections share.
#[derive(Debug)]
struct Server {
    answers: Answers,
    pacer: Pacer,
    /// When the process began.
    began: u64,
    /// When the load ended; 0 before.
    ready: Cell<u64>,
}

/// Whether this process was started to be the child.
pub(crate) fn is_meant() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    Path::new(&name)
        .file_name()
        .is_some_and(|name| name == NAME)
}

/// Serves until a signal, or until whoever started it is gone.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let words: Vec<String> = words.collect();
    // What it is asked before there is a model: it has no devices, and knows no flags.
    if words
        .iter()
        .any(|word| word == "--list-devices" || word == "--help")
    {
        return Ok(());
    }
    let began = clock::now();
    let args = Args::parse(words.into_iter())?;
    let server = Rc::new(Server {
        began,
        answers: Answers::new(),
        pacer: Pacer::start(),
        ready: Cell::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, live(&args, &server))
}

async fn live(args: &Args, server: &Rc<Server>) -> Result<()> {
    let mut accepting = Vec::new();
    for host in &args.hosts {
        let listener = listen::bind(host, args.port).await;
        let listener = listener.with_context(|| format!("cannot listen on {host}"))?;
        accepting.push(tokio::task::spawn_local(listener.accept(Rc::clone(server))));
    }
    if !args.load.is_zero() {
        tokio::time::sleep(args.load).await;
    }
    server.ready.set(clock::now());
    if std::env::var_os(ROUTER).is_none() {
        return std::future::pending().await;
    }
    if args.event {
        announce()?;
    }
    told_to_exit().await?;
    Ok(())
}

fn announce() -> io::Result<()> {
    let line = "cmd_child_to_router:state:{\"state\":\"ready\",\"payload\":{}}\n";
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

/// Completes when told to exit on stdin, or when nobody is there who could.
fn told_to_exit() -> oneshot::Receiver<()> {
    let (told, waiting) = oneshot::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.is_ok_and(|line| line.contains("cmd_router_to_child:exit")) {
                break;
            }
        }
        // The other end is there until the process ends.
        let _ = told.send(());
    });
    waiting
}
