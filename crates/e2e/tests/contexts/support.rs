//! Models of each kind, conversations with them, and swaps between them.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use paddock_e2e::harness::{Connection, Paddock, PaddockBuilder, post, real};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Maximum wait for an answer: reading a prompt takes seconds, and longer on a busy machine.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_mins(2);

/// Kinds of models, by the state that they keep of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `SmolLM2`, with real weights.
    Full,
    /// Full attention, with random weights.
    Random,
    Hybrid,
    Recurrent,
    /// Gemma 3, with windows of 512 tokens.
    Window,
}

impl Kind {
    pub(crate) fn path(self) -> PathBuf {
        match self {
            Self::Full => real::context_model("smollm2"),
            Self::Random => real::context_model("llama"),
            Self::Hybrid => real::context_model("lfm2"),
            Self::Recurrent => real::context_model("mamba"),
            Self::Window => real::model().to_owned(),
        }
    }

    /// Returns true if the weights are random. Each character is then a token.
    fn is_random(self) -> bool {
        matches!(self, Self::Random | Self::Hybrid | Self::Recurrent)
    }

    /// Returns arguments of the engine. The random models are small. With a batch of one token they read slowly enough
    /// that keeping a context pays off, and rounding does not depend on the number of tokens read at once.
    pub(crate) fn args(self) -> &'static [&'static str] {
        match self.is_random() {
            true => &["--ubatch-size", "1"],
            false => &[],
        }
    }

    /// Returns the first message of a conversation, long enough to be kept.
    pub(crate) fn text(self, topic: &str) -> String {
        match self {
            Self::Full => text(topic, 420),
            // Longer than the window.
            Self::Window => text(topic, 1220),
            Self::Random | Self::Hybrid | Self::Recurrent => text(topic, 320),
        }
    }
}

/// Returns a text of at most `length` characters that begins with the topic.
pub(crate) fn text(topic: &str, length: usize) -> String {
    let lines =
        (1..=length / 20).map(|number| format!(" Line {number}: {} lazy dogs.", number * 7));
    let mut text = format!("{topic}.{}", lines.collect::<String>());
    text.truncate(length);
    text
}

/// Returns true if the tests should run more rounds.
pub(crate) fn is_long() -> bool {
    env::var_os("PADDOCK_CONTEXTS_LONG").is_some()
}

/// Returns a paddock with the real engine and the models `m` and `other`, of which one can be loaded at a time.
pub(crate) fn paddock(model: Kind, other: Kind) -> PaddockBuilder {
    let builder = paddock_e2e::paddock!();
    let engine = slow_engine(builder.directory(), LOAD_SECONDS);
    builder
        .engine(engine)
        .engine_args(real::SMALL)
        .model(model.path())
        .config("scheduler.max_loaded = 1\nscheduler.min_residency = '0s'")
        .config(&format!("models.other.path = {:?}", other.path()))
        .config(&settings("m", model))
        .config(&settings("other", other))
}

/// File name of the script that runs the engine with a delay.
const ENGINE: &str = "slow-engine";

/// Delay of a load, in seconds. Restoring may take a quarter of the load time. On a machine that runs other tests,
/// restoring takes longer than the quarter of a second that is allowed after a fast load.
const LOAD_SECONDS: u32 = 3;

/// Writes a script that runs the engine and delays each load by `seconds`.
pub(crate) fn slow_engine(directory: &Path, seconds: u32) -> PathBuf {
    let path = directory.join(ENGINE);
    // The sandbox grants access only to the script's directory, so the engine must be there too.
    let engine = directory.join("llama-server");
    if !engine.exists() && fs::hard_link(real::engine(), &engine).is_err() {
        fs::copy(real::engine(), &engine).unwrap();
    }
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in --help|--list-devices) ;; *) sleep {seconds};; esac\nexec '{}' \"$@\"\n",
        engine.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn settings(name: &str, kind: Kind) -> String {
    let args = kind.args();
    format!("models.{name}.args = {args:?}\nmodels.{name}.context = 4096")
}

/// Posts JSON and returns the JSON of the answer, which must have status 200.
pub(crate) fn ask(paddock: &Paddock, path: &str, body: &Value) -> Value {
    let mut connection = Connection::connect(paddock.public());
    connection.limit(ANSWER_LIMIT);
    let answer = connection.ask(post(path, &body.to_string()));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Loads a model, which unloads the other one.
pub(crate) fn swap_to(paddock: &Paddock, model: &str) {
    ask(
        paddock,
        "/completion",
        &json!({"model": model, "prompt": "a", "n_predict": 1}),
    );
}

/// A conversation through `/v1/chat/completions`.
pub(crate) struct Conversation {
    model: &'static str,
    messages: Vec<Value>,
    /// Number of tokens of the last prompt.
    prompt: u64,
}

impl Conversation {
    pub(crate) fn new(model: &'static str) -> Self {
        Self {
            model,
            messages: Vec::new(),
            prompt: 0,
        }
    }

    /// Sends a message. Returns the number of cached tokens in percent of the previous prompt's tokens.
    pub(crate) fn say(&mut self, paddock: &Paddock, text: &str) -> u64 {
        self.messages.push(json!({"role": "user", "content": text}));
        let answer = ask(
            paddock,
            "/v1/chat/completions",
            &json!({
                "model": self.model,
                "messages": self.messages,
                "max_tokens": 8,
                "temperature": 0,
                "ignore_eos": true,
            }),
        );
        let content = &answer["choices"][0]["message"]["content"];
        self.messages
            .push(json!({"role": "assistant", "content": content}));
        let usage = &answer["usage"];
        let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
        let before = self.prompt;
        self.prompt = usage["prompt_tokens"].as_u64().unwrap();
        (100 * cached.unwrap()).checked_div(before).unwrap_or(0)
    }
}

/// A state directory and a model file that several paddocks use one after another.
pub(crate) struct SavedState {
    directory: TempDir,
}

impl SavedState {
    pub(crate) fn new() -> Self {
        Self::with_load_time(LOAD_SECONDS)
    }

    /// Creates a state whose engine delays each load by `seconds`.
    pub(crate) fn with_load_time(seconds: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        slow_engine(directory.path(), seconds);
        let state = Self { directory };
        fs::copy(Kind::Random.path(), state.model()).unwrap();
        state
    }

    /// Returns the state directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path of the file of model `m`.
    pub(crate) fn model(&self) -> PathBuf {
        self.directory.path().join("m.gguf")
    }

    /// Starts a paddock with this state and additional arguments of model `m`.
    pub(crate) fn start(&self, args: &[&str]) -> Paddock {
        self.builder(args).start()
    }

    /// Returns the builder of a paddock with this state and additional arguments of model `m`.
    pub(crate) fn builder(&self, args: &[&str]) -> PaddockBuilder {
        let args = [Kind::Random.args(), args].concat();
        paddock_e2e::paddock!()
            .engine(self.directory.path().join(ENGINE))
            .engine_args(real::SMALL)
            .model(self.model())
            .config("scheduler.max_loaded = 1\nscheduler.min_residency = '0s'")
            .config(&format!(
                "models.m.args = {args:?}\nmodels.m.context = 4096"
            ))
            .config(&format!("models.other.path = {:?}", Kind::Random.path()))
            .config(&settings("other", Kind::Random))
            .config(&format!("server.state_dir = {:?}", self.directory()))
    }
}

/// Returns the directory of the store in a state directory.
pub(crate) fn store(state: &Path) -> PathBuf {
    state.join("contexts")
}

/// Returns the number of context files in a state directory.
pub(crate) fn context_count(state: &Path) -> usize {
    let entries = fs::read_dir(store(state)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".slot"))
        .count()
}

/// Asserts that no child has crashed.
pub(crate) fn assert_no_crash(paddock: &Paddock) {
    let lines = paddock.stderr().all();
    let errors = lines.iter().filter(|line| line.contains("\"ERROR\""));
    assert_eq!(errors.collect::<Vec<_>>(), [""; 0]);
}
