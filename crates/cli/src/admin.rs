//! The client of the admin API: finds a running paddock, sends requests, and reports errors.

mod address;
mod client;
mod discovery;
mod routes;
mod sse;
mod typed_answer;

pub(crate) use address::Address;
pub(crate) use client::{AdminAnswer, AdminClient, parse_refusal};
pub(crate) use routes::ModelAction;
pub(crate) use sse::SseParser;
pub(crate) use typed_answer::TypedAnswer;

use std::future::Future;

use clap::Args;
use tokio::runtime::Builder;

use crate::exit::Exit;
use crate::output;
use crate::threads::{self, TooFewThreads};

/// Flags of commands that talk to a running paddock.
#[derive(Debug, Args)]
pub(crate) struct AdminArgs {
    /// Admin address of the running paddock: HOST:PORT or unix:PATH [default: 127.0.0.1:8081, or the admin address of
    /// a running `paddock wrap`]
    #[arg(long, value_name = "ADDR", env = "PADDOCK_ADMIN")]
    admin: Option<Address>,
    /// The secret of an API key. Read only from the environment, because every user of this machine can see the flags
    /// of a running command.
    #[arg(skip = std::env::var_os("PADDOCK_KEY"))]
    key: Option<std::ffi::OsString>,
}

/// A reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// No server answers.
    #[error(
        "cannot reach paddock at {address}: {why}\n  = help: start it with `paddock serve`, or give its admin \
         address with --admin or PADDOCK_ADMIN"
    )]
    NoAnswer {
        /// The address that was tried.
        address: Address,
        /// The cause.
        why: String,
    },
    /// Another server answers.
    #[error(
        "the server at {address} is not paddock's admin API\n  = help: give the admin address with --admin or \
         PADDOCK_ADMIN; `server.admin` sets it, and `paddock serve` prints it when it starts"
    )]
    NotPaddock {
        /// The address that was tried.
        address: Address,
    },
    /// No paddock answers at the default admin address, and several `paddock wrap` commands run at other addresses.
    #[error(
        "several `paddock wrap` commands are running, and none uses the default admin address\n  = help: choose \
         one with --admin or PADDOCK_ADMIN: {}", join_addresses(.addresses)
    )]
    SeveralCandidates {
        /// Their addresses.
        addresses: Vec<Address>,
    },
    /// The request has no key, or an unknown one.
    #[error("paddock at {address} {}\n  = help: {}", key_error(*.has_key), key_help(*.has_key))]
    Unauthorized {
        /// The paddock's address.
        address: Address,
        /// Set if the request had a key.
        has_key: bool,
    },
    /// The connection ended early.
    #[error("lost the connection to paddock at {address}")]
    ConnectionLost {
        /// The paddock's address.
        address: Address,
    },
    /// paddock refused the request.
    #[error("{message}")]
    Refused {
        /// The error's message.
        message: String,
        /// The kind of an error, as docs/api.md lists them.
        code: Option<String>,
    },
    /// The answer has no end.
    #[error("the response ended before it was complete")]
    AnswerTruncated,
    /// The answer is not of the expected type.
    #[error("paddock at {address} sent a response that this version cannot read: {why}")]
    UnknownAnswer {
        /// The paddock's address.
        address: Address,
        /// The first difference.
        why: String,
    },
    /// The user interrupted the command.
    #[error("interrupted")]
    Interrupted,
    /// The system lacks a resource.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The system grants too few threads.
    #[error(transparent)]
    Threads(#[from] TooFewThreads),
}

fn join_addresses(addresses: &[Address]) -> String {
    let texts = addresses.iter().map(ToString::to_string);
    texts.collect::<Vec<_>>().join(", ")
}

fn key_error(has_key: bool) -> &'static str {
    match has_key {
        true => "rejected the key in PADDOCK_KEY",
        false => "requires an API key",
    }
}

fn key_help(has_key: bool) -> &'static str {
    match has_key {
        true => {
            "the key is mistyped or was revoked; set PADDOCK_KEY to the secret of a key that allows `admin`"
        }
        false => {
            "set PADDOCK_KEY to the secret of a key that allows `admin`; the operator can create one with \
             `paddock key new NAME --allow admin --write`"
        }
    }
}

impl CommandError {
    /// Returns the exit code of a command that fails for this reason.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::NoAnswer { .. } | Self::NotPaddock { .. } | Self::ConnectionLost { .. } => {
                Exit::Unavailable
            }
            Self::Refused { .. }
            | Self::Unauthorized { .. }
            | Self::AnswerTruncated
            | Self::UnknownAnswer { .. }
            | Self::System(_)
            | Self::Threads(_) => Exit::Failed,
            Self::SeveralCandidates { .. } => Exit::Usage,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

impl AdminArgs {
    /// Runs `work` with a client of the paddock that these flags name, and prints its error.
    pub(crate) fn run<F: Future<Output = Result<(), CommandError>>>(
        self,
        work: impl FnOnce(AdminClient) -> F,
    ) -> Exit {
        let result = block_on(async {
            let client = self.client().await?;
            work(client).await
        });
        match result {
            Ok(()) => Exit::Done,
            Err(error) => {
                output::print_error(&format!("error: {error}"));
                error.exit_code()
            }
        }
    }

    /// Returns whether the user has given an address.
    pub(crate) const fn is_given(&self) -> bool {
        self.admin.is_some()
    }

    /// Returns a client of the paddock that these flags name.
    ///
    /// # Errors
    /// Several `paddock wrap` commands run, or the system grants no thread.
    pub(crate) async fn client(&self) -> Result<AdminClient, CommandError> {
        if self.admin.as_ref().is_some_and(Address::has_name) {
            // tokio resolves host names on a thread.
            threads::ensure_available(1)?;
        }
        let address = match &self.admin {
            Some(address) => address.clone(),
            None => discovery::find_address(self.key.as_ref()).await?,
        };
        Ok(AdminClient::new(address, self.key.clone()))
    }

    /// Returns a client of another paddock, with the same key.
    pub(crate) fn client_at(&self, address: Address) -> AdminClient {
        AdminClient::new(address, self.key.clone())
    }
}

/// Runs `work` on a runtime of this thread.
///
/// # Errors
/// Those of `work`, or the system lacks what a runtime needs.
pub(crate) fn block_on<T, E: From<std::io::Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A blocked write must not delay the exit.
    runtime.shutdown_background();
    result
}
