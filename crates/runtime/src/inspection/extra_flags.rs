//! Chooses additional flags of a child (a llama-server process): each only if the engine supports the flag and the
//! configuration does not set it.

use crate::engine_probe::Engine;
use paddock_config::Command;
use std::ffi::OsString;

/// Returns `--fit off` on a machine without devices: paddock has already chosen the context, and fitting costs
/// the child up to a second (llama.cpp b11434, common/fit.cpp).
pub(super) fn disable_fit_flags(command: &Command, engine: &Engine) -> Vec<OsString> {
    let chosen = is_configured(
        command,
        &[
            "-fit",
            "--fit",
            "-fitt",
            "--fit-target",
            "-fitc",
            "--fit-ctx",
        ],
        "LLAMA_ARG_FIT",
    );
    if engine.supports_fit && engine.devices.is_empty() && !chosen {
        vec!["--fit".into(), "off".into()]
    } else {
        Vec::new()
    }
}

/// Returns `--log-verbosity 4`, at which the child logs each buffer that it allocates (see
/// [`crate::memory::buffer_log`]). The caller adds the flag to the first load with the same files,
/// arguments and engine.
pub(super) fn verbosity_flags(command: &Command, engine: &Engine) -> Vec<OsString> {
    let chosen = is_configured(
        command,
        &[
            "-lv",
            "--verbosity",
            "--log-verbosity",
            "-v",
            "--verbose",
            "--log-verbose",
            "--log-disable",
        ],
        "LLAMA_LOG_VERBOSITY",
    );
    if engine.supports_verbosity && !chosen {
        vec!["--log-verbosity".into(), "4".into()]
    } else {
        Vec::new()
    }
}

/// Returns `--metrics`, without which the child exports no counters (see `server/src/routes/metrics/engines.rs`).
pub(super) fn metrics_flags(command: &Command, engine: &Engine) -> Vec<OsString> {
    let chosen = is_configured(command, &["--metrics"], "LLAMA_ARG_ENDPOINT_METRICS");
    if engine.supports_metrics && !chosen {
        vec!["--metrics".into()]
    } else {
        Vec::new()
    }
}

/// Returns true if the configuration sets one of these flags, or a variable with this prefix.
fn is_configured(command: &Command, flags: &[&str], variable: &str) -> bool {
    command
        .args
        .iter()
        .any(|arg| flags.iter().any(|flag| arg == flag))
        || command.env.keys().any(|name| name.starts_with(variable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Device;

    fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Command {
            program: "llama-server".into(),
            args: args.iter().map(OsString::from).collect(),
            env: env.collect(),
        }
    }

    fn able() -> Engine {
        Engine {
            supports_fit: true,
            supports_verbosity: true,
            supports_metrics: true,
            ..Engine::default()
        }
    }

    #[test]
    fn an_engine_gets_only_flags_that_it_supports() {
        let (plain, able, unable) = (command(&[], &[]), able(), Engine::default());
        assert_eq!(disable_fit_flags(&plain, &able), ["--fit", "off"]);
        assert_eq!(verbosity_flags(&plain, &able), ["--log-verbosity", "4"]);
        assert_eq!(metrics_flags(&plain, &able), ["--metrics"]);
        for flags in [disable_fit_flags, verbosity_flags, metrics_flags] {
            assert_eq!(flags(&plain, &unable), [""; 0]);
        }
    }

    #[test]
    fn fitting_stays_on_with_a_device() {
        let mut engine = able();
        engine.devices.push(Device {
            name: "CUDA0".to_owned(),
            description: String::new(),
            total: 1,
            free: 1,
        });
        assert_eq!(disable_fit_flags(&command(&[], &[]), &engine), [""; 0]);
    }

    #[test]
    fn a_configured_flag_or_variable_is_kept() {
        type Flags = fn(&Command, &Engine) -> Vec<OsString>;
        let table: [(Flags, &str, &str); 6] = [
            (disable_fit_flags, "-fit", "LLAMA_ARG_FIT"),
            (disable_fit_flags, "--fit-ctx", "LLAMA_ARG_FIT_TARGET"),
            (verbosity_flags, "-lv", "LLAMA_LOG_VERBOSITY"),
            (verbosity_flags, "--log-disable", "LLAMA_LOG_VERBOSITY"),
            (metrics_flags, "--metrics", "LLAMA_ARG_ENDPOINT_METRICS"),
            (metrics_flags, "--metrics", "LLAMA_ARG_ENDPOINT_METRICS"),
        ];
        for (flags, flag, variable) in table {
            let by_flag = command(&["-c", "1", flag], &[]);
            let by_variable = command(&[], &[(variable, "x")]);
            assert_eq!(flags(&by_flag, &able()), [""; 0], "{flag}");
            assert_eq!(flags(&by_variable, &able()), [""; 0], "{variable}");
            let other = command(&["-c", "1"], &[("LLAMA_ARG_OTHER", "x")]);
            assert_ne!(flags(&other, &able()), [""; 0], "{flag}");
        }
    }
}
