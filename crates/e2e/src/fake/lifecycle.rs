//! Runs the fake llama-server through its life: start, load, ready, end.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::crash::CrashPoint;
use super::failures::Failure;
use super::fake_args::{FakeArgs, Hang};
use super::result_signal::WakeReason;
use super::server::Server;
use super::sockets::Listener;
use super::{
    clock, connection, failures, impostor, log_lines, router_protocol, signals, startup_questions,
};

/// Interval between checks for the file that releases the load.
const HOLD_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Runs the process from its command line to its exit code.
pub fn run(words: impl IntoIterator<Item = String>) -> ExitCode {
    let words: Vec<String> = words.into_iter().collect();
    if let Some(answer) = startup_questions::answer(&words) {
        log_lines::answer(&answer);
        return ExitCode::SUCCESS;
    }
    // The flag comes later and overrides the variable.
    let host = std::env::var("LLAMA_ARG_HOST").ok();
    let host = host
        .into_iter()
        .flat_map(|host| ["--host".to_owned(), host]);
    let args = match FakeArgs::parse(host.chain(words)) {
        Ok(args) => args,
        Err(message) => {
            log_lines::raw(&message);
            return ExitCode::FAILURE;
        }
    };
    match live(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log_lines::raw(&format!("fake-llama-server: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal or the router stops the server.
fn live(args: FakeArgs) -> io::Result<()> {
    let server = start(args)?;
    load(&server);
    let obedience = get_ready(&server)?;
    wait_for_the_end(&server);
    // The real server waits for its stdin thread, so with a router a signal alone does not end it.
    if let Some(thread) = obedience {
        let _ = thread.join();
    }
    Ok(())
}

/// Starts the server, from the first log line to an accepting listener.
fn start(args: FakeArgs) -> io::Result<Arc<Server>> {
    if args.ignore_term {
        signals::ignore_term()?;
    }
    if let Some(failure) = args.fail {
        failure.at_exec();
    }
    if let Some(death) = args.crash.filter(|death| death.point == CrashPoint::Start) {
        death.happen();
    }
    log_lines::server('I', "llama_server", "initializing ...");
    if let Some(bytes_a_second) = args.log_flood {
        thread::spawn(move || log_lines::flood(bytes_a_second));
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

fn listen(args: &FakeArgs) -> Vec<Listener> {
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
        // Exhausted descriptors are temporary; the end of the listener ends the loop.
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

/// Simulates the load and reports its progress.
fn load(server: &Server) {
    let args = &server.args;
    let name = args.model.as_ref().map(|path| path.display().to_string());
    let name = name.as_deref().unwrap_or(&server.model);
    log_lines::server('I', "load_model", &format!("loading model '{name}'"));
    router_protocol::loading(server, 0.0);
    if let Some(failure) = args.fail {
        failure.at_load(name);
    }
    if let Some(path) = &args.model {
        failures::look_at(path);
    }
    // The real server reports at most every 200 ms.
    let steps = (args.load.as_millis() / 200).clamp(4, 1000);
    let steps = u32::try_from(steps).unwrap_or(4);
    for step in 1..=steps {
        if step == steps / 2 {
            server.crash_at(CrashPoint::Loading);
        }
        clock::sleep(args.load / steps);
        router_protocol::loading(server, f64::from(step) / f64::from(steps));
    }
    let held = || args.hold_load.as_ref().is_some_and(|file| !file.exists());
    while held() || server.is_hung() {
        clock::sleep(HOLD_POLL_INTERVAL);
    }
    let (slots, context) = (args.parallel, server.slot_context());
    let sizes =
        format!("initializing, n_slots = {slots}, n_ctx_slot = {context}, kv_unified = 'false'");
    log_lines::server('I', "load_model", &sizes);
}

/// Marks the server ready: requests are answered and signals handled from now on. Returns the
/// thread that reads stdin.
fn get_ready(server: &Arc<Server>) -> io::Result<Option<JoinHandle<()>>> {
    server.mark_loaded();
    if server.args.hang == Some(Hang::Ready) {
        loop {
            thread::park();
        }
    }
    log_lines::server('I', "llama_server", "model loaded");
    signals::handle(server)?;
    for (listener, host) in server.listeners.iter().zip(&server.args.hosts) {
        let address = listener.address(host);
        log_lines::server('I', "llama_server", &format!("listening on {address}"));
    }
    let obedience =
        router_protocol::has_router(server).then(|| router_protocol::obey_stdin(server));
    router_protocol::ready(server);
    server.crash_at(CrashPoint::Ready);
    die_when_idle(server);
    Ok(obedience)
}

fn die_when_idle(server: &Arc<Server>) {
    let Some(death) = server.args.crash else {
        return;
    };
    let CrashPoint::IdleMs(limit) = death.point else {
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

/// Waits for a stop command, then for every connection to end.
fn wait_for_the_end(server: &Server) {
    let mut seen = server.results.count();
    while !server.is_stopping() {
        if let WakeReason::Result(count) = server.results.wait(seen, None) {
            seen = count;
        }
    }
    log_lines::server('I', "operator()", "operator(): cleaning up before exit...");
    while server.counters.connections_open() > 0 {
        clock::sleep(Duration::from_millis(1));
    }
}
