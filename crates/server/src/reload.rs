//! Reloads the configuration of a running service, on request or when the file has changed. An invalid configuration
//! changes nothing.

#[cfg(target_os = "linux")]
mod background_close;
#[cfg(target_os = "linux")]
mod inotify;
mod missing_sources;
#[cfg(not(target_os = "linux"))]
mod notify_watcher;

#[cfg(target_os = "linux")]
use self::inotify::FileWatcher;
#[cfg(not(target_os = "linux"))]
use self::notify_watcher::FileWatcher;
use crate::service_manager::ProgressReporter;
use paddock_api::{KeyChanges, ReloadResult};
use paddock_config::{Config, Listen, MissingSources, Problems, warnings};
use paddock_runtime::{ReloadReport, RuntimeHandle};
use paddock_supervisor::blocking;
use paddock_telemetry::{ActivityRetention, OtlpHandle};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Time without a change after which a changed file is read, because its writer may still be writing.
const QUIET_PERIOD: Duration = Duration::from_millis(500);

/// A function that reads the configuration again.
type ReadConfig = Arc<dyn Fn() -> Result<Config, Problems> + Send + Sync>;

/// The source from which the configuration is read again.
#[derive(Clone)]
pub struct ConfigSource {
    read: ReadConfig,
    file: Option<(PathBuf, FileState)>,
}

/// A file's identity at some moment; a different value means that the file has been written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    inode: u64,
    len: u64,
    modified: Option<SystemTime>,
}

impl From<&Metadata> for FileState {
    fn from(file: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(file);
        #[cfg(not(unix))]
        let inode = 0;
        Self {
            inode,
            len: file.len(),
            modified: file.modified().ok(),
        }
    }
}

impl ConfigSource {
    /// Creates a source that calls `read`. `file` is the configuration file, if any, and its state before it was
    /// first read.
    pub fn new(
        file: Option<(PathBuf, FileState)>,
        read: impl Fn() -> Result<Config, Problems> + Send + Sync + 'static,
    ) -> Self {
        Self {
            read: Arc::new(read),
            file,
        }
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSource")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Reloads the configuration of a running service.
#[derive(Debug, Clone)]
pub struct Reloader {
    pub(crate) source: Option<ConfigSource>,
    pub(crate) runtime: RuntimeHandle,
    pub(crate) progress: ProgressReporter,
    /// Retention of ended requests and lifecycle events.
    pub(crate) retention: watch::Sender<ActivityRetention>,
    /// The OTLP collector's settings.
    pub(crate) otlp: OtlpHandle,
    pub(crate) wildcard_listeners: WildcardListeners,
    /// Sources of models that were not on disk at the last reload.
    pub(crate) missing_sources: watch::Sender<MissingSources>,
}

/// The addresses that are open to every network because clients need a key there. Listeners do not change on
/// reload.
#[derive(Debug, Clone, Default)]
pub(crate) struct WildcardListeners {
    public: Option<Listen>,
    admin: Option<Listen>,
}

impl WildcardListeners {
    /// Finds these addresses among those that are listened on.
    pub(crate) fn new(config: &Config, public: &[Listen], admin: &[Listen]) -> Self {
        let wildcard = |addresses: &[Listen]| {
            let mut wildcards = addresses.iter().filter(|address| address.is_wildcard());
            wildcards.find(|_| !config.server.allow_public).cloned()
        };
        Self {
            public: wildcard(public),
            admin: wildcard(admin),
        }
    }

    /// Returns an address that `config` would open to every network without requiring a key or `allow_public`.
    fn exposed_without_key(&self, config: &Config) -> Option<&Listen> {
        let public = self
            .public
            .as_ref()
            .filter(|_| !config.public_may_be_open());
        public.or_else(|| self.admin.as_ref().filter(|_| !config.admin_may_be_open()))
    }
}

/// A reason why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration has no source.
    #[error("paddock wraps a command and has no configuration to reload")]
    NoSource,
    /// The configuration is not valid.
    #[error("the configuration is not valid; nothing has changed:\n{0}")]
    Invalid(Problems),
    /// An address that is open to every network would no longer require a key.
    #[error(
        "nothing has changed: paddock listens on {0}, that is, on all network interfaces of this machine, and the new \
         configuration requires no API key there; keep a key, restart paddock with another address, or set \
         `allow_public = true` under [server]"
    )]
    OpenToAll(Listen),
    /// The system has no thread left to read the configuration.
    #[error("the configuration cannot be read: {0}; nothing has changed")]
    Unread(#[source] io::Error),
    /// paddock is stopping.
    #[error("paddock is stopping")]
    Stopping,
}

impl Reloader {
    /// Reads the configuration, applies it and returns what changed.
    ///
    /// # Errors
    /// The configuration stays as it is, for the given reason.
    pub async fn reload(&self) -> Result<ReloadResult, ReloadError> {
        // The service manager waits for the end of a reload, even of a failed one.
        let mut reloading = self.progress.begin_reload();
        let source = self.source.clone().ok_or(ReloadError::NoSource)?;
        // Reading checks files, which may take a while.
        let read = blocking::run(move || (source.read)()).await;
        let config = match read {
            Ok(Ok(config)) => config,
            Ok(Err(problems)) => {
                tracing::error!(%problems, "the configuration is not valid; nothing has changed");
                reloading.mark_refused();
                return Err(ReloadError::Invalid(problems));
            }
            Err(error) => {
                tracing::error!(%error, "the configuration cannot be read; nothing has changed");
                reloading.mark_refused();
                return Err(ReloadError::Unread(error));
            }
        };
        if let Some(open) = self.wildcard_listeners.exposed_without_key(&config) {
            let error = ReloadError::OpenToAll(open.clone());
            tracing::error!("{error}");
            reloading.mark_refused();
            return Err(error);
        }
        let (public, admin) = (&config.server.listen, &config.server.admin);
        for warning in warnings(&config, public, admin) {
            tracing::warn!(help = warning.help, "{}", warning.message);
        }
        let (retention, otlp) = (config.activity_retention, config.otlp.clone());
        self.missing_sources.send_replace(config.missing_sources());
        let reloaded = self.runtime.reload(config).await;
        let reloaded = to_api(reloaded.ok_or(ReloadError::Stopping)?);
        self.retention
            .send_if_modified(|now| std::mem::replace(now, retention) != retention);
        self.otlp.set_collector(otlp);
        let json = serde_json::to_string(&reloaded).unwrap_or_default();
        tracing::info!(reloaded = json, "the configuration was reloaded");
        Ok(reloaded)
    }

    /// Reloads each time the file has changed and is quiet again, or a missing model has been downloaded. Ends only if the file cannot be watched.
    pub(crate) async fn watch(self) {
        let source = self.source.as_ref();
        let Some((file, read)) = source.and_then(|source| source.file.clone()) else {
            return;
        };
        let mut watcher = match FileWatcher::watch(&file) {
            Ok(watcher) => watcher,
            Err(error) => {
                let file = file.display();
                tracing::warn!(%file, %error, "cannot watch the file; changes take effect only after SIGHUP or `POST /api/reload`");
                return;
            }
        };
        let state = || std::fs::metadata(&file).ok().as_ref().map(FileState::from);
        let mut read = Some(read);
        // The file may have changed before it was watched, so check it before waiting for events.
        loop {
            let mut last = state();
            while last != read {
                tokio::time::sleep(QUIET_PERIOD).await;
                let now = state();
                // A file that is gone for a moment is being replaced.
                if now.is_some() && now == last {
                    read = now;
                    // The reload has logged its problems.
                    let _ = self.reload().await;
                }
                if now.is_none() {
                    break;
                }
                last = now;
            }
            tokio::select! {
                changed = watcher.next() => if changed.is_err() {
                    return;
                },
                () = missing_sources::wait_for_arrival(&self.missing_sources) => {
                    let _ = self.reload().await;
                }
            }
        }
    }
}

/// Converts a report to the admin API's type.
fn to_api(report: ReloadReport) -> ReloadResult {
    let at_next_start = report.at_next_start.into_iter();
    ReloadResult {
        added: report.added,
        at_next_start: at_next_start.map(str::to_owned).collect(),
        changed: report.changed,
        keys: KeyChanges {
            added: report.api_keys.added,
            changed: report.api_keys.changed,
            removed: report.api_keys.removed,
        },
        removed: report.removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_config::Problem;
    use std::fs;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_file_that_changed_before_it_was_watched_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("paddock.toml");
        fs::write(&file, "a").unwrap();
        let before = FileState::from(&fs::metadata(&file).unwrap());
        fs::write(&file, "another").unwrap();
        let (on_read, mut reads) = mpsc::channel(1);
        let source = ConfigSource::new(Some((file, before)), move || {
            let _ = on_read.try_send(());
            Err(Problems::from(Problem::new("not now")))
        });
        let reloader = Reloader {
            source: Some(source),
            runtime: RuntimeHandle::new().0,
            progress: ProgressReporter::new(),
            retention: watch::channel(None).0,
            otlp: OtlpHandle::new(None),
            wildcard_listeners: WildcardListeners::default(),
            missing_sources: watch::channel(MissingSources::default()).0,
        };
        let limit = Duration::from_secs(30);
        let reread = tokio::time::timeout(limit, async {
            tokio::select! {
                () = reloader.watch() => None,
                read = reads.recv() => read,
            }
        });
        assert_eq!(reread.await, Ok(Some(())));
    }
}
