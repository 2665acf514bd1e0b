//! The life of the process: start, load, ready, end.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::args::{Args, Hang};
use super::die::Point;
use super::failures::Failure;
use super::net::Listener;
use super::results::Wake;
use super::server::Server;
use super::{asked, clock, connection, events, failures, impostor, log, signals};

/// How long a load that is held back waits before it looks again.
const HELD_FOR: Duration = Duration::from_millis(10);

/// The whole life of the process, from its command line to its exit code.
pub fn run(words: impl IntoIterator<Item = String>) -> ExitCode {
    let words: Vec<String> = words.into_iter().collect();
    if let Some(answer) = asked::answer(&words) {
        log::answer(&answer);
        return ExitCode::SUCCESS;
    }
    // The variable stands for the flag, which wins.
    let host = std::env::var("LLAMA_ARG_HOST").ok();
    let host = host
        .into_iter()
        .flat_map(|host| ["--host".to_owned(), host]);
    let args = match Args::parse(host.chain(words)) {
        Ok(args) => args,
        Err(message) => {
            log::raw(&message);
            return ExitCode::FAILURE;
        }
    };
    match live(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::raw(&format!("fake-llama-server: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn live(args: Args) -> io::Result<()> {
    let server = start(args)?;
    load(&server);
    let obedience = get_ready(&server)?;
    wait_for_the_end(&server);
    // The real server waits for its stdin thread, so with a router it takes more than a signal.
    if let Some(thread) = obedience {
        let _ = thread.join();
    }
    Ok(())
}

/// From the first line of the log to a listener that accepts.
fn start(args: Args) -> io::Result<Arc<Server>> {
    if args.ignore_term {
        signals::ignore_term()?;
    }
    if let Some(failure) = args.fail {
        failure.at_exec();
    }
    if let Some(death) = args.die.filter(|death| death.point == Point::Start) {
        death.happen();
    }
    log::server('I', "llama_server", "initializing ...");
    if let Some(bytes_a_second) = args.log_flood {
        thread::spawn(move || log::flood(bytes_a_second));
    }
    let listeners = listen(&args);
    let server = Arc::new(Server::new(args, listeners));
    if let (Some(model), Some(own)) = (&server.args.impersonate, server.args.hosts.first()) {
        impostor::impersonate(model, Path::new(own), &server.loot);
    }
    for index in 0..server.listeners.len() {
        let server = Arc::clone(&server);
        thread::spawn(move || accept(&server, &server.listeners[index]));
    }
    Ok(server)
}

fn listen(args: &Args) -> Vec<Listener> {
    clock::sleep(args.slow_accept);
    let bind = |host: &String| {
        if args.fail == Some(Failure::PortInUse) {
            failures::cannot_bind(host, args.port);
        }
        Listener::bind(host, args.port).unwrap_or_else(|_| failures::cannot_bind(host, args.port))
    };
    args.hosts.iter().map(bind).collect()
}

fn accept(server: &Arc<Server>, listener: &Listener) {
    while !server.is_stopping() {
        // Running out of descriptors passes; the end of the listener ends the loop.
        let Ok(socket) = listener.accept() else {
            thread::yield_now();
            continue;
        };
        let open = server.counters.connection();
        let server = Arc::clone(server);
        thread::spawn(move || {
            let _open = open;
            connection::serve(&server, &socket);
        });
    }
}

/// Takes its time, and tells how far it is.
fn load(server: &Server) {
    let args = &server.args;
    let name = args.model.as_ref().map(|path| path.display().to_string());
    let name = name.as_deref().unwrap_or(&server.model);
    log::server('I', "load_model", &format!("loading model '{name}'"));
    events::loading(server, 0.0);
    if let Some(failure) = args.fail {
        failure.at_load(name);
    }
    if let Some(path) = &args.model {
        failures::look_at(path);
    }
    // The real server tells at most every 200 ms.
    let steps = (args.load.as_millis() / 200).clamp(4, 1000);
    let steps = u32::try_from(steps).unwrap_or(4);
    for step in 1..=steps {
        if step == steps / 2 {
            server.die_at(Point::Loading);
        }
        clock::sleep(args.load / steps);
        events::loading(server, f64::from(step) / f64::from(steps));
    }
    let held = || args.hold_load.as_ref().is_some_and(|file| !file.exists());
    while held() || server.is_hung() {
        clock::sleep(HELD_FOR);
    }
    let (slots, context) = (args.parallel, server.slot_context());
    let sizes =
        format!("initializing, n_slots = {slots}, n_ctx_slot = {context}, kv_unified = 'false'");
    log::server('I', "load_model", &sizes);
}

/// From here on requests are answered and signals handled. Returns the thread that obeys stdin.
fn get_ready(server: &Arc<Server>) -> io::Result<Option<JoinHandle<()>>> {
    server.loaded();
    if server.args.hang == Some(Hang::Ready) {
        loop {
            thread::park();
        }
    }
    log::server('I', "llama_server", "model loaded");
    signals::handle(server)?;
    for (listener, host) in server.listeners.iter().zip(&server.args.hosts) {
        let address = listener.address(host);
        log::server('I', "llama_server", &format!("listening on {address}"));
    }
    let obedience = events::wanted(server).then(|| events::obey_stdin(server));
    events::ready(server);
    server.die_at(Point::Ready);
    die_when_idle(server);
    Ok(obedience)
}

fn die_when_idle(server: &Arc<Server>) {
    let Some(death) = server.args.die else { return };
    let Point::IdleMs(limit) = death.point else {
        return;
    };
    let server = Arc::clone(server);
    thread::spawn(move || {
        while server.counters.idle() < Duration::from_millis(limit) {
            clock::sleep(Duration::from_millis(1));
        }
        death.happen();
    });
}

/// Waits until the server is told to stop, and then for every connection to end.
fn wait_for_the_end(server: &Server) {
    let mut seen = server.results.count();
    while !server.is_stopping() {
        if let Wake::Result(count) = server.results.wait(seen, None) {
            seen = count;
        }
    }
    log::server('I', "operator()", "operator(): cleaning up before exit...");
    while server.counters.connections_open() > 0 {
        clock::sleep(Duration::from_millis(1));
    }
}
