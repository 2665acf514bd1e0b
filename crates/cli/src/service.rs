//! Running the service until a signal ends it.

use std::future;
use std::io;
use std::path::Path;

use paddock_server::config::{Config, Listen, Mode, Model, Problems, warnings};
use paddock_server::{
    Broken, CommandEnd, Inherited, InheritedError, Service, ServiceManager, Source, StartError,
};
use paddock_supervisor::Adoption;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::commands::exec;
use crate::exit::Exit;
use crate::hangup::{Hangup, Hangups};
use crate::{logging, open_files, output, threads};

/// Why the service came to an end that nobody asked for.
#[derive(Debug, thiserror::Error)]
enum RunError {
    /// The control runtime or the signal handlers cannot be had.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// What the service manager handed over is of no use.
    #[error(transparent)]
    Inherited(#[from] InheritedError),
    /// The service does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The service has ended by itself.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Runs a configuration. The control runtime lives on this thread.
pub(crate) fn run(config: Config, file: Option<&Path>, source: Option<Source>) -> Exit {
    // The environment is changed by this, so there are no threads yet.
    let inherited = Inherited::take().map_err(RunError::from);
    // With the one that writes the log.
    if let Err(error) = threads::ensure(Service::threads() + 1) {
        output::error(&format!("error: {error}"));
        return Exit::Failed;
    }
    let log = logging::start(&config.log);
    open_files::raise();
    let outcome = inherited.and_then(|inherited| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve(config, file, source, inherited))
    });
    // What was logged comes before what is said now.
    drop(log);
    match outcome {
        Ok(None) => Exit::Done,
        Ok(Some(end)) => report_end(&end),
        Err(error) => {
            output::error(&format!("error: {error}"));
            match error {
                // It is the configuration, of paddock or of its sockets, that has to change.
                RunError::Inherited(_)
                | RunError::Start(StartError::StateInUse(_) | StartError::OpenToAll(_)) => {
                    Exit::Config
                }
                RunError::System(_) | RunError::Start(_) | RunError::Broken(_) => Exit::Failed,
            }
        }
    }
}

/// Starts the service, says where it is, and drains it when a signal comes.
async fn serve(
    config: Config,
    file: Option<&Path>,
    source: Option<Source>,
    inherited: Inherited,
) -> Result<Option<CommandEnd>, RunError> {
    // From here on a signal waits for the service to be there instead of ending the process.
    let manager = ServiceManager::from_env();
    let Hangups { mut reloads, ends } = Hangups::listen(config.mode, manager.is_some())?;
    let mut signals = Signals::new(ends)?;
    let shown = config.clone();
    let adoption = Adoption::begin().inspect_err(|error| {
        tracing::debug!(%error, "this process does not adopt orphans");
    });
    let shim = exec::shim()?;
    let service = Service::start(config, source, shim, inherited, manager, adoption.ok()).await?;
    announce(
        &shown,
        file,
        service.public_addresses(),
        service.admin_addresses(),
    );

    let (stop, stopped) = oneshot::channel::<()>();
    let (end, ended) = oneshot::channel::<()>();
    let reloader = service.reloader();
    let running = service.run(asked(stopped), asked(ended));
    let reloading = async {
        loop {
            reloads.recv().await;
            // What is wrong has been logged.
            let _ = reloader.reload().await;
        }
    };
    tokio::select! {
        ended = running => Ok(ended?),
        () = forward(&mut signals, stop, end) => Ok(None),
        () = reloading => Ok(None),
    }
}

/// Says what a wrapped command that has ended has said, and ends as it did.
fn report_end(end: &CommandEnd) -> Exit {
    for line in &end.lines {
        output::error(line);
    }
    if end.status != 0 {
        let message = &end.message;
        output::error(&format!(
            "error: the command has ended before it served: {message}"
        ));
    }
    Exit::Command(end.status)
}

/// Says what is served and where: in words on a terminal, as one event where logs are JSON.
fn announce(config: &Config, file: Option<&Path>, public: &[Listen], admin: &[Listen]) {
    let version = env!("CARGO_PKG_VERSION");
    if logging::is_text() {
        let summary = summary(config, file, public, admin);
        output::error(&format!("paddock {version}\n{summary}"));
        for warning in warnings(config, public, admin) {
            output::error(&warning.to_string());
        }
        return;
    }
    for warning in warnings(config, public, admin) {
        tracing::warn!(help = warning.help, "{}", warning.message);
    }
    for skipped in &config.skipped {
        tracing::warn!("{skipped}");
    }
    tracing::info!(
        target: logging::ALWAYS,
        version,
        models = ids(config),
        engine = %config.engine.program.display(),
        listen = join(public),
        admin = join(admin),
        "serving"
    );
}

/// Completes when the other end sends, and never when it is dropped.
async fn asked(signal: oneshot::Receiver<()>) {
    if signal.await.is_err() {
        future::pending::<()>().await;
    }
}

/// Asks for a stop at the first signal and for an end at the second; never completes.
async fn forward(signals: &mut Signals, stop: oneshot::Sender<()>, end: oneshot::Sender<()>) {
    let first = signals.next().await;
    tracing::info!(signal = first, "draining; a second signal ends it at once");
    let _gone = stop.send(());
    let second = signals.next().await;
    tracing::warn!(signal = second, "ending at once");
    let _gone = end.send(());
    future::pending::<()>().await;
}

/// Signals that ask for an end.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: Hangup,
}

#[cfg(unix)]
impl Signals {
    fn new(hangup: Hangup) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
        })
    }

    /// Waits for the next signal and returns its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = self.hangup.recv() => "SIGHUP",
        }
    }
}

/// Shows problems, and how many there are if there are several.
pub(crate) fn report(problems: &Problems) {
    let count = problems.as_slice().len();
    let problems = problems.coloured();
    output::coloured_error(&if count > 1 {
        format!("{problems}\n\n{count} problems")
    } else {
        problems.to_string()
    });
}

/// Says in a few lines what is served, from what, and where.
pub(crate) fn summary(
    config: &Config,
    file: Option<&Path>,
    public: &[Listen],
    admin: &[Listen],
) -> String {
    let file = file.map_or("none; flags and defaults".to_owned(), |file| {
        file.display().to_string()
    });
    let models = config.models.iter();
    let mut lines: Vec<_> = models
        .map(|model| format!("  model   {}: {}", model.id, origin(model, config.mode)))
        .collect();
    let skipped = config.skipped.iter();
    lines.extend(skipped.map(|skipped| format!("  skipped {skipped}")));
    lines.push(format!("  engine  {}", config.engine.program.display()));
    if config.mode == Mode::Serve {
        lines.push(format!("  config  {file}"));
    }
    lines.push(format!("  listen  {}", join(public)));
    lines.push(format!("  admin   {}", join(admin)));
    let lines: Vec<_> = lines.iter().map(|line| output::printable(line)).collect();
    lines.join("\n")
}

fn origin(model: &Model, mode: Mode) -> String {
    match (&model.path, mode) {
        (Some(path), _) => path.display().to_string(),
        (None, Mode::Wrap { router: true, .. }) => "whatever llama-server is asked for".to_owned(),
        (None, _) => "as llama-server finds it".to_owned(),
    }
}

fn ids(config: &Config) -> String {
    let ids = config.models.iter().map(|model| model.id.as_str());
    ids.collect::<Vec<_>>().join(", ")
}

fn join(addresses: &[Listen]) -> String {
    if addresses.is_empty() {
        return "nowhere".to_owned();
    }
    let shown = addresses.iter().map(|address| match address {
        Listen::Tcp(_) | Listen::Localhost(_) => format!("http://{address}"),
        Listen::Unix(_) => address.to_string(),
    });
    shown.collect::<Vec<_>>().join(", ")
}
