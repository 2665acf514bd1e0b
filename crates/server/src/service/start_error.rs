//! Defines the reasons why a service does not start, and their messages with advice.

use super::resources::runtime_dir_advice;
use paddock_config::Listen;
use paddock_proxy::descriptors::TooFewDescriptors;
use paddock_runtime::state_dir::StateDirError;
use paddock_supervisor::FailureClass;
use std::io;
use std::path::PathBuf;

/// A reason why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {}", listen_failure(.source))]
    Listen {
        /// The address.
        address: Listen,
        /// The system's error.
        source: io::Error,
    },
    /// An inherited socket is open to every network, and the configuration does not allow that.
    #[error(
        "the socket {0} from the service manager listens on all network interfaces of this machine: set \
         ListenStream=127.0.0.1:PORT in the socket unit, or require an API key \
         (`paddock key new NAME`); if everyone may use it, set `allow_public = true` \
         under [server], or pass --allow-public"
    )]
    OpenToAll(Listen),
    /// Another paddock uses the state directory.
    #[error(transparent)]
    StateInUse(StateDirError),
    /// The directory of the children's sockets cannot be created.
    #[error("cannot create a runtime directory for sockets in {}: {source}; {}", place.display(), runtime_dir_advice(source))]
    RuntimeDir {
        /// The parent directory.
        place: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The limit of open files is too low.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// The threads cannot be started.
    #[error("cannot start threads: {0}; {advice}", advice = FailureClass::TooManyProcesses.advice())]
    Threads(#[source] io::Error),
}

impl StartError {
    /// Returns whether another program listens at the address.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self, Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

fn listen_failure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there already; stop it, or choose another address".to_owned()
        }
        io::ErrorKind::PermissionDenied => format!("{error}; ports below 1024 need privileges"),
        _ => error.to_string(),
    }
}
