use paddock_e2e::harness::{Connection, LIMIT, Paddock, PaddockBuilder, post, wait_until};

use crate::fault::Fault;
use crate::seen::Client;

/// What is going on when something breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The model loads, and a client waits for it.
    Loading,
    /// The model is ready, and nobody asks for anything.
    Idle,
    /// A stream has begun.
    Streaming,
    /// An answer that is no stream is being made.
    Whole,
    /// The model is to be unloaded, as soon as the stream that it still has is over.
    Draining,
    /// The model has crashed, is to be started again, and a client waits for it.
    Backoff,
}

/// The file without which an engine in [`Moment::Backoff`] dies at once.
const LIVE: &str = "let-live";

impl Moment {
    pub(crate) const ALL: [Self; 6] = [
        Self::Loading,
        Self::Idle,
        Self::Streaming,
        Self::Whole,
        Self::Draining,
        Self::Backoff,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Idle => "idle",
            Self::Streaming => "streaming",
            Self::Whole => "answering",
            Self::Draining => "draining",
            Self::Backoff => "backoff",
        }
    }

    /// What it is, in a sentence.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Loading => "The model loads, and a client waits for it.",
            Self::Idle => "The model is ready; the client is the next one that comes.",
            Self::Streaming => "A stream has begun.",
            Self::Whole => "An answer that is no stream is being made.",
            Self::Draining => "The model is to be unloaded as soon as its last stream is over.",
            Self::Backoff => {
                "The model has crashed twice and is to be started again; a client waits for it."
            }
        }
    }

    /// Whether there is a child that something could happen to.
    pub(crate) fn has_child(self) -> bool {
        self != Self::Backoff
    }

    /// What paddock is started with so that this moment lasts.
    pub(crate) fn builder(self, fault: Fault, builder: PaddockBuilder) -> PaddockBuilder {
        let builder = builder.config("server.drain_timeout = '10m'");
        match self {
            Self::Loading => {
                let file = builder.directory().join("let-load").display().to_string();
                let builder = builder.engine_args(["--fake-hold-load".to_owned(), file]);
                // On a busy machine other faults can strike later than this.
                if fault.is_silent() {
                    builder.config("models.m.startup_timeout = '2s'")
                } else {
                    builder
                }
            }
            Self::Idle => builder,
            Self::Streaming | Self::Whole | Self::Draining => builder.hold_streams(),
            Self::Backoff => {
                let engine = builder.link_engine("engine");
                let script = format!(
                    "case \"$1\" in --help|--list-devices) ;; \
                     *) [ -e {LIVE} ] || exit 1;; esac\nexec '{}' \"$@\"",
                    engine.display()
                );
                let path = builder.script("dies", &script);
                builder.engine(path)
            }
        }
    }

    /// Brings a paddock to this moment, and returns the client that there is.
    pub(crate) fn reach(self, paddock: &Paddock) -> Option<Client> {
        let mut head = None;
        let mut client = paddock.connect();
        match self {
            Self::Idle => {
                paddock.wait_ready();
                return None;
            }
            Self::Loading | Self::Backoff => {
                client.send(whole());
                paddock.wait_queued(1);
                if self == Self::Backoff {
                    wait_until(LIMIT, "a crash", || paddock.model()["restarts"] == 2);
                }
            }
            Self::Whole => {
                client.send(whole());
                paddock.wait_in_flight(1);
            }
            Self::Streaming | Self::Draining => {
                client.send(stream(3));
                head = Some(client.head());
                client.event();
                if self == Self::Draining {
                    unload(paddock);
                    paddock.wait_status("draining");
                }
            }
        }
        Some(Client {
            connection: client,
            head,
        })
    }

    /// Lets everything go on that was held for this moment.
    pub(crate) fn release(self, paddock: &Paddock) {
        match self {
            Self::Loading => paddock.release_load(),
            Self::Idle => {}
            Self::Streaming | Self::Whole | Self::Draining => paddock.release_streams(),
            Self::Backoff => {
                std::fs::write(paddock.directory().join(LIVE), "").expect("a file");
            }
        }
    }
}

/// A request for one answer.
pub(crate) fn whole() -> String {
    post("/completion", r#"{"prompt":"a","n_predict":3}"#)
}

/// A request for a stream of so many tokens.
pub(crate) fn stream(tokens: u32) -> String {
    let body = format!(
        r#"{{"stream":true,"max_tokens":{tokens},"messages":[{{"role":"user","content":"a"}}]}}"#
    );
    post("/v1/chat/completions", &body)
}

pub(crate) fn unload(paddock: &Paddock) {
    let answer = Connection::connect(paddock.admin()).ask(post("/api/models/m/unload", ""));
    // 200: it is unloaded already.
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
}
