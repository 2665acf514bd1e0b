//! Decides which web pages may use the public address (CORS), from `server.allowed_origins`, the API keys and the flags
//! of a wrapped command (`paddock wrap -- llama-server …`).

use super::child_command::Command;
use super::engine_cors::EngineCors;
use super::origins::AllowedOrigins;
use super::owned_flags::normalize_flag;
use super::{Config, Mode};

/// Flags with which a wrapped llama-server requires an API key, each with its environment variable.
const API_KEY_FLAG: (&str, &str) = ("--api-key", "LLAMA_API_KEY");
const API_KEY_FILE_FLAG: (&str, &str) = ("--api-key-file", "LLAMA_ARG_API_KEY_FILE");

impl Config {
    /// Returns whether clients of the public address need an API key, of paddock or of the wrapped command.
    pub fn clients_need_key(&self) -> bool {
        !self.api_keys.is_empty()
            || self
                .wrapped_command()
                .is_some_and(|command| requires_key(&command))
    }

    /// Returns the origins whose pages may use the public address.
    ///
    /// The first of these that applies counts: `server.allowed_origins`; every origin if clients need a key, because
    /// a page without a key gets nothing; `--cors-origins` of the wrapped command; the origins of this machine.
    pub fn allowed_origins(&self) -> AllowedOrigins {
        if let Some(listed) = &self.server.allowed_origins {
            return listed.clone();
        }
        if self.clients_need_key() {
            return AllowedOrigins::any();
        }
        let command = self.wrapped_command();
        let explicit =
            command.and_then(|command| EngineCors::from_command(&command).explicit_origins());
        explicit.unwrap_or_else(AllowedOrigins::local)
    }

    /// Returns the wrapped command, if there is one.
    fn wrapped_command(&self) -> Option<Command> {
        let is_wrapped = matches!(self.mode, Mode::Wrap { .. });
        is_wrapped.then(|| super::child_command::wrapped_command(&self.engine))
    }
}

/// Returns whether a llama-server started by this command requires keys (llama.cpp b11434, common/arg.cpp).
fn requires_key(command: &Command) -> bool {
    let pairs = command.args.iter().zip(command.args.iter().skip(1));
    let pairs = pairs.map(|(flag, value)| {
        (
            normalize_flag(&flag.to_string_lossy()),
            value.to_string_lossy(),
        )
    });
    let pairs: Vec<_> = pairs.collect();
    let any = |(flag, variable): (&str, &str), holds: fn(&str) -> bool| {
        let mut given = pairs.iter().filter(|(found, _)| *found == flag);
        given.any(|(_, value)| holds(value))
            || command.env.get(variable).is_some_and(|value| holds(value))
    };
    any(API_KEY_FLAG, |list| {
        list.split(',').any(|key| !key.trim_matches('"').is_empty())
    }) || any(API_KEY_FILE_FLAG, file_has_key)
}

/// Returns whether a file of keys contains one: a line that is neither empty nor a comment.
fn file_has_key(file: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .any(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(args: &[&str], env: &[(&str, &str)]) -> bool {
        requires_key(&Command {
            program: "llama-server".into(),
            args: args.iter().map(Into::into).collect(),
            env: env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        })
    }

    #[test]
    fn a_wrapped_command_says_whether_it_wants_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (some, none) = (file("some", "# mine\nk\n"), file("none", "# mine\n\n"));
        assert!(wants(&["--api_key", "k"], &[]));
        assert!(wants(&["--api-key-file", &some], &[]));
        assert!(wants(&[], &[("LLAMA_API_KEY", "a,b")]));
        assert!(wants(&[], &[("LLAMA_ARG_API_KEY_FILE", &some)]));
        assert!(!wants(&["-m", "a.gguf"], &[("LLAMA_API_KEY", "")]));
        assert!(!wants(&["--api-key", ","], &[]));
        assert!(!wants(&["--api-key-file", &none], &[]));
        assert!(!wants(&["--api-key-file", "/proc/nonexistent"], &[]));
    }
}
