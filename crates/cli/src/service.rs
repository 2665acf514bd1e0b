//! Runs the service of `paddock serve` or `paddock wrap` until a signal ends it.

use std::future;
use std::io;
use std::path::Path;

use paddock_server::config::{Config, Listen, Mode, Model, Problems, warnings};
use paddock_server::{
    CommandEnd, ConfigSource, InheritedSockets, PartPanicked, Service, ServiceManager,
    SocketActivationError, StartError,
};
use paddock_supervisor::Adoption;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::commands::exec;
use crate::exit::Exit;
use crate::hangup::{HangupSignal, HangupSignals};
use crate::{logging, open_files, output, threads};

/// A reason why the service ended without a signal.
#[derive(Debug, thiserror::Error)]
enum RunError {
    /// The tokio runtime or the signal handlers cannot be created.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// The sockets that the service manager passed are invalid.
    #[error(transparent)]
    SocketActivation(#[from] SocketActivationError),
    /// The service does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A part of the service has panicked.
    #[error(transparent)]
    Panicked(#[from] PartPanicked),
}

/// Runs the service with this configuration. `file` is shown to the user; `source` reads the configuration again for a
/// reload.
///
/// The tokio runtime of this thread drives the admin API and supervises the models; worker threads serve the clients.
pub(crate) fn run(config: Config, file: Option<&Path>, source: Option<ConfigSource>) -> Exit {
    // Changes the environment, so call this before starting threads.
    let inherited = InheritedSockets::take().map_err(RunError::from);
    // One more thread writes the log.
    if let Err(error) = threads::ensure_available(Service::threads() + 1) {
        output::print_error(&format!("error: {error}"));
        return Exit::Failed;
    }
    let log = logging::start(&config.log);
    open_files::raise_limit();
    let outcome = inherited.and_then(|inherited| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve(config, file, source, inherited))
    });
    // Flushes the log before printing errors.
    drop(log);
    match outcome {
        Ok(None) => Exit::Done,
        Ok(Some(end)) => report_command_end(&end),
        Err(error) => {
            output::print_error(&format!("error: {error}"));
            match error {
                // The configuration of paddock or of its socket units has to change.
                RunError::SocketActivation(_)
                | RunError::Start(StartError::StateInUse(_) | StartError::OpenToAll(_)) => {
                    Exit::Config
                }
                RunError::System(_) | RunError::Start(_) | RunError::Panicked(_) => Exit::Failed,
            }
        }
    }
}

/// Starts the service, announces its addresses, and drains it on a signal.
async fn serve(
    config: Config,
    file: Option<&Path>,
    source: Option<ConfigSource>,
    inherited: InheritedSockets,
) -> Result<Option<CommandEnd>, RunError> {
    // From here on a signal waits until the service has started instead of ending the process.
    let manager = ServiceManager::from_env();
    let HangupSignals { mut reloads, ends } =
        HangupSignals::listen(config.mode, manager.is_some())?;
    let mut signals = Signals::new(ends)?;
    let announced = config.clone();
    let adoption = Adoption::begin().inspect_err(|error| {
        tracing::debug!(%error, "cannot adopt orphaned processes");
    });
    let shim = exec::build_shim()?;
    let service = Service::start(config, source, shim, inherited, manager, adoption.ok()).await?;
    announce(
        &announced,
        file,
        service.public_addresses(),
        service.admin_addresses(),
    );

    let (stop, stopped) = oneshot::channel::<()>();
    let (end, ended) = oneshot::channel::<()>();
    let reloader = service.reloader();
    let running = service.run(wait_for(stopped), wait_for(ended));
    let reloading = async {
        loop {
            reloads.recv().await;
            // Errors have been logged.
            let _ = reloader.reload().await;
        }
    };
    tokio::select! {
        ended = running => Ok(ended?),
        () = forward_signals(&mut signals, stop, end) => Ok(None),
        () = reloading => Ok(None),
    }
}

/// Prints the last lines of a wrapped command that has ended, and returns its exit status.
fn report_command_end(end: &CommandEnd) -> Exit {
    for line in &end.lines {
        output::print_error(line);
    }
    if end.status != 0 {
        let message = &end.message;
        output::print_error(&format!(
            "error: the command exited before it was ready: {message}"
        ));
    }
    Exit::Command(end.status)
}

/// Announces models and addresses: as text on a terminal, as one event if logs are JSON.
fn announce(config: &Config, file: Option<&Path>, public: &[Listen], admin: &[Listen]) {
    let version = env!("CARGO_PKG_VERSION");
    if logging::is_text() {
        let summary = format_summary(config, file, public, admin);
        output::print_error(&format!("paddock {version}\n{summary}"));
        for warning in warnings(config, public, admin) {
            output::print_error(&warning.to_string());
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
        target: logging::ALWAYS_TARGET,
        version,
        models = model_ids(config),
        engine = %config.engine.program.display(),
        listen = format_addresses(public),
        admin = format_addresses(admin),
        "serving"
    );
}

/// Waits until the other end sends. Never completes if that is dropped.
async fn wait_for(signal: oneshot::Receiver<()>) {
    if signal.await.is_err() {
        future::pending::<()>().await;
    }
}

/// Requests a drain at the first signal and an immediate end at the second; never completes.
async fn forward_signals(
    signals: &mut Signals,
    stop: oneshot::Sender<()>,
    end: oneshot::Sender<()>,
) {
    let first = signals.next().await;
    tracing::info!(
        signal = first,
        "draining; a second signal stops paddock immediately"
    );
    let _gone = stop.send(());
    let second = signals.next().await;
    tracing::warn!(signal = second, "stopping immediately");
    let _gone = end.send(());
    future::pending::<()>().await;
}

/// The signals that end the service.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: HangupSignal,
}

#[cfg(unix)]
impl Signals {
    fn new(hangup: HangupSignal) -> io::Result<Self> {
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

/// Prints problems, and their number if there are several.
pub(crate) fn print_problems(problems: &Problems) {
    let count = problems.as_slice().len();
    let problems = problems.coloured();
    output::print_coloured_error(&if count > 1 {
        format!("{problems}\n\n{count} problems")
    } else {
        problems.to_string()
    });
}

/// Formats models, engine, configuration file and addresses as a few lines.
pub(crate) fn format_summary(
    config: &Config,
    file: Option<&Path>,
    public: &[Listen],
    admin: &[Listen],
) -> String {
    let file = file.map_or("none (flags and defaults only)".to_owned(), |file| {
        file.display().to_string()
    });
    let models = config.models.iter();
    let mut lines: Vec<_> = models
        .map(|model| {
            format!(
                "  model   {}: {}",
                model.id,
                describe_source(model, config.mode)
            )
        })
        .collect();
    let skipped = config.skipped.iter();
    lines.extend(skipped.map(|skipped| format!("  skipped {skipped}")));
    lines.push(format!("  engine  {}", config.engine.program.display()));
    if config.mode == Mode::Serve {
        lines.push(format!("  config  {file}"));
    }
    lines.push(format!("  listen  {}", format_addresses(public)));
    lines.push(format!("  admin   {}", format_addresses(admin)));
    let lines: Vec<_> = lines.iter().map(|line| output::printable(line)).collect();
    lines.join("\n")
}

fn describe_source(model: &Model, mode: Mode) -> String {
    if let (Some(source), Some(path)) = (&model.source, &model.path) {
        return match path.exists() {
            true => format!("{source} ({})", path.display()),
            false => format!("{source} (not on disk: paddock pull {})", model.id),
        };
    }
    match (&model.path, mode) {
        (Some(path), _) => path.display().to_string(),
        (None, Mode::Wrap { router: true, .. }) => {
            "selected per request (llama-server router mode)".to_owned()
        }
        (None, _) => "located by llama-server".to_owned(),
    }
}

fn model_ids(config: &Config) -> String {
    let ids = config.models.iter().map(|model| model.id.as_str());
    ids.collect::<Vec<_>>().join(", ")
}

fn format_addresses(addresses: &[Listen]) -> String {
    if addresses.is_empty() {
        return "none".to_owned();
    }
    let urls = addresses.iter().map(|address| match address {
        Listen::Tcp(_) | Listen::Localhost(_) => format!("http://{address}"),
        Listen::Unix(_) => address.to_string(),
    });
    urls.collect::<Vec<_>>().join(", ")
}
