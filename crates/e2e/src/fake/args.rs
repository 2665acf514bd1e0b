//! The command line: llama-server's flags as far as they matter here, and the stand-in's own.

use std::path::PathBuf;
use std::time::Duration;

use super::compute_error::ComputeError;
use super::die::Death;
use super::failures::Failure;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Args {
    /// `-m`, `--model`: the file that is looked at, if one is named.
    pub model: Option<PathBuf>,
    /// `-a`, `--alias`: the model's name; else its path.
    pub alias: Option<String>,
    /// `--host`, split at commas; one that ends in `.sock` is a unix socket.
    pub hosts: Vec<String>,
    /// `--port`; 0 takes a free one.
    pub port: u16,
    /// `-np`, `--parallel`: the number of slots.
    pub parallel: usize,
    /// `-c`, `--ctx-size`, shared by the slots.
    pub context: u64,
    /// `--api-prefix`, before every route.
    pub api_prefix: String,
    /// `--embeddings`: without it those routes answer 501.
    pub embeddings: bool,
    /// `--metrics`: without it that route answers 501.
    pub metrics: bool,
    /// `--fake-load-ms`.
    pub load: Duration,
    /// `--fake-slow-accept-ms`.
    pub slow_accept: Duration,
    /// `--fake-token-ms`.
    pub token_pace: Duration,
    /// `--fake-tokens`.
    pub tokens: u64,
    /// `--fake-word`: what each token says, before its number.
    pub word: String,
    /// `--fake-reasoning`: how many of a chat's first tokens are reasoning.
    pub reasoning: u64,
    /// `--fake-hold`: the last token of an answer is held back until this file exists.
    pub hold: Option<PathBuf>,
    /// `--fake-hold-load`: the load does not end before this file exists.
    pub hold_load: Option<PathBuf>,
    /// `--fake-log-flood`, in bytes a second.
    pub log_flood: Option<u64>,
    /// `--fake-die`.
    pub die: Option<Death>,
    /// `--fake-fail`.
    pub fail: Option<Failure>,
    /// `--fake-compute-error`.
    pub compute_error: Option<ComputeError>,
    /// `--fake-hang`.
    pub hang: Option<Hang>,
    /// `--fake-impersonate`: the model whose sockets are taken.
    pub impersonate: Option<String>,
    /// `--fake-ignore-term`.
    pub ignore_term: bool,
    /// `--fake-no-event`.
    pub no_event: bool,
}

/// From when on the process accepts and never answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// It never becomes ready, and from the end of the load on nothing answers, `/health` included.
    Ready,
    /// Every route that needs the inference thread; `/health` and the like still answer.
    Request,
    /// A stream, after its first event.
    Stream,
}

impl Default for Args {
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
            load: Duration::ZERO,
            slow_accept: Duration::ZERO,
            token_pace: Duration::ZERO,
            tokens: 16,
            word: "token".into(),
            reasoning: 0,
            hold: None,
            hold_load: None,
            log_flood: None,
            die: None,
            fail: None,
            compute_error: None,
            hang: None,
            impersonate: None,
            ignore_term: false,
            no_event: false,
        }
    }
}

impl Args {
    /// Reads a command line, without the program's name.
    ///
    /// The error is what the real server prints before it exits with 1.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = words.into_iter().peekable();
        while let Some(flag) = words.next() {
            if flag.starts_with("--no-such") {
                return Err(format!("error: invalid argument: {flag}"));
            }
            if args.switch(&flag) {
                continue;
            }
            if !takes_value(&flag) {
                // A flag of the real server: its value, if it has one, goes with it.
                words.next_if(|next| !next.starts_with('-'));
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| rejected(&flag, "expected value for argument"))?;
            args.set(&flag, &value)
                .map_err(|why| rejected(&flag, &why))?;
        }
        Ok(args)
    }

    fn switch(&mut self, flag: &str) -> bool {
        match flag {
            "--embedding" | "--embeddings" => self.embeddings = true,
            "--metrics" => self.metrics = true,
            "--fake-ignore-term" => self.ignore_term = true,
            "--fake-no-event" => self.no_event = true,
            _ => return false,
        }
        true
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "-m" | "--model" => self.model = Some(value.into()),
            "-a" | "--alias" => self.alias = Some(value.into()),
            "--host" => self.hosts = value.split(',').map(String::from).collect(),
            "--port" => self.port = number(value)?,
            "-np" | "--parallel" => self.parallel = number::<usize>(value)?.max(1),
            "-c" | "--ctx-size" => self.context = number(value)?,
            "--api-prefix" => self.api_prefix = value.into(),
            "--fake-load-ms" => self.load = Duration::from_millis(number(value)?),
            "--fake-slow-accept-ms" => self.slow_accept = Duration::from_millis(number(value)?),
            "--fake-token-ms" => self.token_pace = Duration::from_millis(number(value)?),
            "--fake-tokens" => self.tokens = number(value)?,
            "--fake-word" => self.word = value.into(),
            "--fake-reasoning" => self.reasoning = number(value)?,
            "--fake-hold" => self.hold = Some(value.into()),
            "--fake-hold-load" => self.hold_load = Some(value.into()),
            "--fake-log-flood" => self.log_flood = Some(number(value)?),
            "--fake-die" => self.die = Some(Death::parse(value)?),
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
        )
}

fn rejected(flag: &str, why: &str) -> String {
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
