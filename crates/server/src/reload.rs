//! Another configuration is read and gone on with; an invalid one changes nothing.

#[cfg(target_os = "linux")]
mod closed_aside;
#[cfg(target_os = "linux")]
mod inotify;
#[cfg(not(target_os = "linux"))]
mod notified;

#[cfg(target_os = "linux")]
use self::inotify::Touched;
#[cfg(not(target_os = "linux"))]
use self::notified::Touched;
use crate::service_manager::Teller;
use paddock_config::{Config, Listen, Problems, warnings};
use paddock_runtime::RuntimeHandle;
use paddock_supervisor::blocking;
use paddock_telemetry::{ActivityRetention, OtlpHandle};
use serde_json::Value;
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// How long a file has to stay as it is before it is read: whoever writes it may not be done.
const QUIET: Duration = Duration::from_millis(500);

/// Reads the configuration once more.
type Read = Arc<dyn Fn() -> Result<Config, Problems> + Send + Sync>;

/// Where the configuration comes from.
#[derive(Clone)]
pub struct Source {
    read: Read,
    file: Option<(PathBuf, FileState)>,
}

/// A file as it was at some moment. In another state it has been written again.
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

impl Source {
    /// A configuration that this reads, from a file where there is one, which was in this state before it
    /// was read first.
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

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Reloads the configuration of a running service.
#[derive(Debug, Clone)]
pub struct Reloader {
    pub(crate) source: Option<Source>,
    pub(crate) runtime: RuntimeHandle,
    pub(crate) course: Teller,
    /// For how long requests are kept.
    pub(crate) activity: watch::Sender<ActivityRetention>,
    /// Where traces and metrics go.
    pub(crate) otlp: OtlpHandle,
    pub(crate) open: Open,
}

/// The addresses that are open to every network because those who come there show a key. They stay what they
/// are to the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open {
    public: Option<Listen>,
    admin: Option<Listen>,
}

impl Open {
    /// Those among the addresses that are listened on.
    pub(crate) fn of(config: &Config, public: &[Listen], admin: &[Listen]) -> Self {
        let open = |at: &[Listen]| {
            let mut open = at.iter().filter(|at| at.is_wildcard());
            open.find(|_| !config.server.allow_public).cloned()
        };
        Self {
            public: open(public),
            admin: open(admin),
        }
    }

    /// The one where nobody would have to show a key any more, and that nobody has allowed otherwise.
    fn without_leave(&self, config: &Config) -> Option<&Listen> {
        let public = self
            .public
            .as_ref()
            .filter(|_| !config.public_may_be_open());
        public.or_else(|| self.admin.as_ref().filter(|_| !config.admin_may_be_open()))
    }
}

/// Why the configuration is what it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It was not read from anywhere.
    #[error(
        "paddock was started with a command to wrap, not with a configuration that it could read again"
    )]
    NoSource,
    /// It is not valid.
    #[error("the configuration is not valid, and nothing has changed:\n{0}")]
    Invalid(Problems),
    /// Without a key everybody could come in.
    #[error(
        "paddock listens on {0}, which is open to every network, and the configuration has no key any more that \
         is needed there: nothing has changed; keep a key, or stop paddock, or allow it by \
         `allow_public = true` under [server]"
    )]
    OpenToAll(Listen),
    /// The system has no thread to read it.
    #[error("the configuration cannot be read: {0}; nothing has changed")]
    Unread(#[source] io::Error),
    /// paddock is stopping.
    #[error("paddock is stopping")]
    Stopping,
}

impl Reloader {
    /// Reads the configuration and goes on with it. Says what changed.
    ///
    /// # Errors
    /// It is not valid; nothing has changed.
    pub async fn reload(&self) -> Result<Value, ReloadError> {
        // Whoever asked by a signal is answered, whatever comes of it.
        let mut reloading = self.course.reloading();
        let source = self.source.clone().ok_or(ReloadError::NoSource)?;
        // Reading checks files, which may take a while.
        let read = blocking::run(move || (source.read)()).await;
        let config = match read {
            Ok(Ok(config)) => config,
            Ok(Err(problems)) => {
                tracing::error!(%problems, "the configuration is not valid: nothing has changed");
                reloading.refused();
                return Err(ReloadError::Invalid(problems));
            }
            Err(error) => {
                tracing::error!(%error, "the configuration cannot be read: nothing has changed");
                reloading.refused();
                return Err(ReloadError::Unread(error));
            }
        };
        if let Some(open) = self.open.without_leave(&config) {
            let error = ReloadError::OpenToAll(open.clone());
            tracing::error!("{error}");
            reloading.refused();
            return Err(error);
        }
        let (public, admin) = (&config.server.listen, &config.server.admin);
        for warning in warnings(&config, public, admin) {
            tracing::warn!(help = warning.help, "{}", warning.message);
        }
        let (retention, otlp) = (config.activity_retention, config.otlp.clone());
        let reloaded = self.runtime.reload(config).await;
        let reloaded = reloaded.ok_or(ReloadError::Stopping)?.to_json();
        self.activity
            .send_if_modified(|now| std::mem::replace(now, retention) != retention);
        self.otlp.set_collector(otlp);
        tracing::info!(%reloaded, "the configuration was read again");
        Ok(reloaded)
    }

    /// Reloads whenever the file has changed and is quiet again. Never ends by itself.
    pub(crate) async fn watch(self) {
        let source = self.source.as_ref();
        let Some((file, read)) = source.and_then(|source| source.file.clone()) else {
            return;
        };
        let mut touched = match Touched::watch(&file) {
            Ok(touched) => touched,
            Err(error) => {
                let file = file.display();
                tracing::warn!(%file, %error, "not watched: changes take effect on SIGHUP alone");
                return;
            }
        };
        let state = || std::fs::metadata(&file).ok().as_ref().map(FileState::from);
        let mut read = Some(read);
        // It may have changed since it was read, so it is looked at before anything is told.
        loop {
            let mut seen = state();
            while seen != read {
                tokio::time::sleep(QUIET).await;
                let now = state();
                // A file that is gone for a moment is being replaced.
                if now.is_some() && now == seen {
                    read = now;
                    // Its problems have been said.
                    let _ = self.reload().await;
                }
                if now.is_none() {
                    break;
                }
                seen = now;
            }
            if touched.next().await.is_err() {
                return;
            }
        }
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
        let (told, mut asked) = mpsc::channel(1);
        let source = Source::new(Some((file, before)), move || {
            let _ = told.try_send(());
            Err(Problems::from(Problem::new("not now")))
        });
        let reloader = Reloader {
            source: Some(source),
            runtime: RuntimeHandle::new().0,
            course: Teller::new(),
            activity: watch::channel(None).0,
            otlp: OtlpHandle::new(None),
            open: Open::default(),
        };
        let limit = Duration::from_secs(30);
        let reread = tokio::time::timeout(limit, async {
            tokio::select! {
                () = reloader.watch() => None,
                asked = asked.recv() => asked,
            }
        });
        assert_eq!(reread.await, Ok(Some(())));
    }
}
