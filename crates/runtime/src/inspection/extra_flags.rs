//! Additional flags of a child, if the engine supports them and the configuration does not set them.

use super::Inspection;
use std::ffi::OsString;

impl Inspection {
    /// Returns `--fit off` on a machine without devices: paddock has already chosen the context, and fitting costs
    /// the child up to a second (llama.cpp b11434, common/fit.cpp).
    pub(super) fn disable_fit_flags(&self) -> Vec<OsString> {
        let chosen = self.is_configured(
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
        if self.engine.supports_fit && self.engine.devices.is_empty() && !chosen {
            vec!["--fit".into(), "off".into()]
        } else {
            Vec::new()
        }
    }

    /// Raises the verbosity for the first load of a kind, at which the child names each buffer it allocates (see
    /// [`crate::memory::buffer_log`]).
    pub(super) fn verbosity_flags(&self) -> Vec<OsString> {
        let chosen = self.is_configured(
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
        if self.engine.supports_verbosity && !chosen {
            vec!["--log-verbosity".into(), "4".into()]
        } else {
            Vec::new()
        }
    }

    /// Returns `--metrics`, without which the child exports no counters (see `server/src/routes/metrics/engines.rs`).
    pub(super) fn metrics_flags(&self) -> Vec<OsString> {
        let chosen = self.is_configured(&["--metrics"], "LLAMA_ARG_ENDPOINT_METRICS");
        if self.engine.supports_metrics && !chosen {
            vec!["--metrics".into()]
        } else {
            Vec::new()
        }
    }

    /// Returns true if the configuration sets one of these flags, or a variable with this prefix.
    fn is_configured(&self, flags: &[&str], variable: &str) -> bool {
        let command = self.config.command(&self.model);
        command
            .args
            .iter()
            .any(|arg| flags.iter().any(|flag| arg == flag))
            || command.env.keys().any(|name| name.starts_with(variable))
    }
}
