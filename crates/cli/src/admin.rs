//! The commands' side of the admin plane: finding paddock, asking it, saying why it did not go.

mod address;
mod client;
mod find;
mod sse;

pub(crate) use address::Address;
pub(crate) use client::{Answer, Client, refusal};
pub(crate) use sse::Sse;

use std::future::Future;

use clap::Args;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::runtime::Builder;

use crate::exit::Exit;
use crate::output;
use crate::threads::{self, TooFewThreads};

/// What a name may hold in a path as it is.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Flags of every command that asks a paddock that runs.
#[derive(Debug, Args)]
pub(crate) struct AdminArgs {
    /// The admin address of the paddock to ask: HOST:PORT or unix:PATH [default: 127.0.0.1:8081, or a wrapped command's]
    #[arg(long, value_name = "ADDR", env = "PADDOCK_ADMIN")]
    admin: Option<Address>,
    /// The secret of an API key. In the environment alone: whoever is on this machine can read the flags of
    /// every command.
    #[arg(skip = std::env::var_os("PADDOCK_KEY"))]
    key: Option<std::ffi::OsString>,
}

/// Why a command has not done what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nobody is there.
    #[error(
        "no paddock answers at {at}: {why}\n  = help: start one with `paddock serve`, or give its admin \
         address with --admin or PADDOCK_ADMIN"
    )]
    NoAnswer {
        /// Where it was looked for.
        at: Address,
        /// What was met instead.
        why: String,
    },
    /// Somebody else is there.
    #[error(
        "what answers at {at} is not paddock's admin address\n  = help: it is what `server.admin` says, \
         and what `paddock serve` shows when it starts; give it with --admin or PADDOCK_ADMIN"
    )]
    NotPaddock {
        /// Where it was looked for.
        at: Address,
    },
    /// Nobody is at the usual address, and several are elsewhere.
    #[error(
        "several wrapped commands run, and none at the usual admin address\n  = help: say which with --admin or \
         PADDOCK_ADMIN: {}", listed(.at)
    )]
    Several {
        /// Where they are.
        at: Vec<Address>,
    },
    /// It wants a key.
    #[error("the paddock at {at} {}\n  = help: {}", wants(*.shown), wanted(*.shown))]
    NoKey {
        /// Where it is.
        at: Address,
        /// One was shown.
        shown: bool,
    },
    /// It was there.
    #[error("the paddock at {at} has gone")]
    Gone {
        /// Where it was.
        at: Address,
    },
    /// It says no.
    #[error("{message}")]
    Refused {
        /// What it says.
        message: String,
        /// The kind of an error, as docs/api.md lists them.
        code: Option<String>,
    },
    /// An answer that began has no end.
    #[error("the answer breaks off")]
    BrokenOff,
    /// Somebody at the terminal, or a signal, ended it.
    #[error("interrupted")]
    Interrupted,
    /// This process lacks something.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The system grants too few threads.
    #[error(transparent)]
    Threads(#[from] TooFewThreads),
}

fn listed(addresses: &[Address]) -> String {
    let shown = addresses.iter().map(ToString::to_string);
    shown.collect::<Vec<_>>().join(", ")
}

fn wants(shown: bool) -> &'static str {
    match shown {
        true => "does not know the key in PADDOCK_KEY",
        false => "wants an API key",
    }
}

fn wanted(shown: bool) -> &'static str {
    match shown {
        true => "it is misspelt, or was revoked; put the secret of a key that allows `admin` there",
        false => {
            "put the secret of a key that allows `admin` into the environment, as PADDOCK_KEY; its operator \
             makes one: paddock key new NAME --allow admin --write"
        }
    }
}

impl Trouble {
    fn exit(&self) -> Exit {
        match self {
            Self::NoAnswer { .. } | Self::NotPaddock { .. } | Self::Gone { .. } => {
                Exit::Unavailable
            }
            Self::Refused { .. }
            | Self::NoKey { .. }
            | Self::BrokenOff
            | Self::System(_)
            | Self::Threads(_) => Exit::Failed,
            Self::Several { .. } => Exit::Usage,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

impl AdminArgs {
    /// Does something with the paddock these flags name, and says what went wrong.
    pub(crate) fn run<F: Future<Output = Result<(), Trouble>>>(
        self,
        work: impl FnOnce(Client) -> F,
    ) -> Exit {
        let runtime = Builder::new_current_thread().enable_all().build();
        let done = runtime.map_err(Trouble::from).and_then(|runtime| {
            if self.admin.as_ref().is_some_and(Address::has_name) {
                // tokio looks names up on a thread.
                threads::ensure(1)?;
            }
            let done = runtime.block_on(async {
                let at = match self.admin {
                    Some(at) => at,
                    None => find::address(self.key.as_ref()).await?,
                };
                work(Client::new(at, self.key)).await
            });
            // A write that nobody takes must not hold up the end.
            runtime.shutdown_background();
            done
        });
        match done {
            Ok(()) => Exit::Done,
            Err(trouble) => {
                output::error(&format!("error: {trouble}"));
                trouble.exit()
            }
        }
    }
}

/// The path of something that belongs to a model.
pub(crate) fn model_path(model: &str, what: &str) -> String {
    path("models", model, what)
}

/// The path of something that belongs to a request.
pub(crate) fn request_path(id: &str, what: &str) -> String {
    path("requests", id, what)
}

fn path(kind: &str, name: &str, what: &str) -> String {
    let name = utf8_percent_encode(name, IN_A_PATH);
    format!("/api/{kind}/{name}/{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        assert_eq!(model_path("a-b_c.d1", "logs"), "/api/models/a-b_c.d1/logs");
        assert_eq!(
            model_path("org/b c?é", "logs"),
            "/api/models/org%2Fb%20c%3F%C3%A9/logs"
        );
    }
}
