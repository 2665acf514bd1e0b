//! Parses the command line: llama-server's relevant flags, and the fake's own switches.

use std::path::PathBuf;
use std::time::Duration;

use super::compute_error::ComputeError;
use super::crash::OrderedCrash;
use super::failures::Failure;
use super::slot_actions::SlotFailure;

/// The parsed command line.
#[derive(Debug, Clone)]
pub struct FakeArgs {
    /// `-m`, `--model`: the model file to check, if given.
    pub model: Option<PathBuf>,
    /// `-a`, `--alias`: the model's name; default: its path.
    pub alias: Option<String>,
    /// `--host`, split at commas; one that ends in `.sock` is a unix socket.
    pub hosts: Vec<String>,
    /// `--port`; 0 selects a free port.
    pub port: u16,
    /// `-np`, `--parallel`: the number of slots.
    pub parallel: usize,
    /// `-c`, `--ctx-size`, shared by the slots.
    pub context: u64,
    /// `--api-prefix`, before every route.
    pub api_prefix: String,
    /// `--embeddings`: without it the embedding routes answer 501.
    pub embeddings: bool,
    /// `--metrics`: without it the metrics route answers 501.
    pub metrics: bool,
    /// `--slot-save-path`: the directory of saved slots, which ends in a slash. Without this flag no prompt is cached.
    pub slot_save_path: Option<String>,
    /// `--fake-load-ms`.
    pub load: Duration,
    /// `--fake-slow-accept-ms`.
    pub slow_accept: Duration,
    /// `--fake-read-ms`: the reported time to read a prompt token, in milliseconds.
    pub read_ms: u64,
    /// `--fake-token-ms`.
    pub token_pace: Duration,
    /// `--fake-tokens`.
    pub tokens: u64,
    /// `--fake-word`: the text of each token, before its number.
    pub word: String,
    /// `--fake-reasoning`: number of reasoning tokens at the start of a chat.
    pub reasoning: u64,
    /// `--fake-hold`: holds back the last token of a response until this file exists.
    pub hold: Option<PathBuf>,
    /// `--fake-hold-load`: delays the end of the load until this file exists.
    pub hold_load: Option<PathBuf>,
    /// `--fake-log-flood`, in bytes per second.
    pub log_flood: Option<u64>,
    /// `--fake-die`.
    pub crash: Option<OrderedCrash>,
    /// `--fake-fail`.
    pub fail: Option<Failure>,
    /// `--fake-compute-error`.
    pub compute_error: Option<ComputeError>,
    /// `--fake-slot-fail`.
    pub slot_fail: Option<SlotFailure>,
    /// `--fake-hang`.
    pub hang: Option<Hang>,
    /// `--fake-impersonate`: the model whose sockets to take over.
    pub impersonate: Option<String>,
    /// `--fake-ignore-term`.
    pub ignore_term: bool,
    /// `--fake-no-event`.
    pub no_event: bool,
}

/// The point from which the process accepts connections and never answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// The server never becomes ready, and after the load no route answers, including `/health`.
    Ready,
    /// Routes that need the inference thread do not answer; `/health` and similar routes do.
    Request,
    /// A stream stops after its first event.
    Stream,
}

impl Default for FakeArgs {
    fn default() -> Self {
        Self {
            model: None,
            alias: None,
            hosts: vec!["127.0.0.1".into()],
            port: 8080,
            parallel: 4,
            context: 16384,
            api_prefix: String::new(),
            embeddings: false,
            metrics: false,
            slot_save_path: None,
            load: Duration::ZERO,
            slow_accept: Duration::ZERO,
            read_ms: 0,
            token_pace: Duration::ZERO,
            tokens: 16,
            word: "token".into(),
            reasoning: 0,
            hold: None,
            hold_load: None,
            log_flood: None,
            crash: None,
            fail: None,
            compute_error: None,
            slot_fail: None,
            hang: None,
            impersonate: None,
            ignore_term: false,
            no_event: false,
        }
    }
}

impl FakeArgs {
    /// Parses a command line without the program's name.
    ///
    /// The error is the text that the real server prints before it exits with 1.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = words.into_iter().peekable();
        while let Some(flag) = words.next() {
            if flag.starts_with("--no-such") {
                return Err(format!("error: invalid argument: {flag}"));
            }
            if args.apply_switch(&flag) {
                continue;
            }
            if !takes_value(&flag) {
                // An ignored flag of the real server, together with its value, if present.
                words.next_if(|next| !next.starts_with('-'));
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| argument_error(&flag, "expected value for argument"))?;
            args.apply_value(&flag, &value)
                .map_err(|why| argument_error(&flag, &why))?;
        }
        Ok(args)
    }

    fn apply_switch(&mut self, flag: &str) -> bool {
        match flag {
            "--embedding" | "--embeddings" => self.embeddings = true,
            "--metrics" => self.metrics = true,
            "--fake-ignore-term" => self.ignore_term = true,
            "--fake-no-event" => self.no_event = true,
            _ => return false,
        }
        true
    }

    fn apply_value(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "-m" | "--model" => self.model = Some(value.into()),
            "-a" | "--alias" => self.alias = Some(value.into()),
            "--host" => self.hosts = value.split(',').map(String::from).collect(),
            "--port" => self.port = number(value)?,
            "-np" | "--parallel" => self.parallel = number::<usize>(value)?.max(1),
            "-c" | "--ctx-size" => self.context = number(value)?,
            "--api-prefix" => self.api_prefix = value.into(),
            "--slot-save-path" => self.slot_save_path = Some(value.into()),
            "--fake-read-ms" => self.read_ms = number(value)?,
            "--fake-slot-fail" => self.slot_fail = Some(SlotFailure::parse(value)?),
            "--fake-load-ms" => self.load = Duration::from_millis(number(value)?),
            "--fake-slow-accept-ms" => self.slow_accept = Duration::from_millis(number(value)?),
            "--fake-token-ms" => self.token_pace = Duration::from_millis(number(value)?),
            "--fake-tokens" => self.tokens = number(value)?,
            "--fake-word" => self.word = value.into(),
            "--fake-reasoning" => self.reasoning = number(value)?,
            "--fake-hold" => self.hold = Some(value.into()),
            "--fake-hold-load" => self.hold_load = Some(value.into()),
            "--fake-log-flood" => self.log_flood = Some(number(value)?),
            "--fake-die" => self.crash = Some(OrderedCrash::parse(value)?),
            "--fake-fail" => self.fail = Some(Failure::parse(value)?),
            "--fake-compute-error" => self.compute_error = Some(ComputeError::parse(value)?),
            "--fake-impersonate" => self.impersonate = Some(value.into()),
            "--fake-hang" => self.hang = Some(parse_hang(value)?),
            _ => return Err("no such switch of the stand-in".into()),
        }
        Ok(())
    }
}

fn takes_value(flag: &str) -> bool {
    flag.starts_with("--fake-")
        || matches!(
            flag,
            "-m" | "--model"
                | "-a"
                | "--alias"
                | "--host"
                | "--port"
                | "-np"
                | "--parallel"
                | "-c"
                | "--ctx-size"
                | "--api-prefix"
                | "--slot-save-path"
        )
}

fn argument_error(flag: &str, why: &str) -> String {
    format!(
        "error while handling argument \"{flag}\": {why}\n\n\nto show complete usage, run with -h"
    )
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| "stoi".into())
}

fn parse_hang(value: &str) -> Result<Hang, String> {
    match value {
        "ready" => Ok(Hang::Ready),
        "request" => Ok(Hang::Request),
        "stream" => Ok(Hang::Stream),
        _ => Err(format!("no such hang: {value}")),
    }
}
