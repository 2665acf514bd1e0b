//! What a child is told besides, where its engine knows the flag and nobody has chosen otherwise.

use super::Task;
use std::ffi::OsString;

impl Task {
    /// With only the host's memory there is nothing to divide, and paddock has chosen the context
    /// already: the child need not spend up to a second on fitting the model
    /// (llama.cpp b11434, common/fit.cpp).
    pub(super) fn fit_off(&self) -> Vec<OsString> {
        let chosen = self.says(
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
        if self.engine.takes_fit && self.engine.devices.is_empty() && !chosen {
            vec!["--fit".into(), "off".into()]
        } else {
            Vec::new()
        }
    }

    /// The first load of its kind is to say what it takes: at this verbosity the child names each
    /// buffer it allocates (see [`crate::memory::buffers`]).
    pub(super) fn say_more(&self) -> Vec<OsString> {
        let chosen = self.says(
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
        if self.engine.takes_verbosity && !chosen {
            vec!["--log-verbosity".into(), "4".into()]
        } else {
            Vec::new()
        }
    }

    /// Without it the child says nothing of what it counts (see `routes/metrics/engines.rs`).
    pub(super) fn metrics(&self) -> Vec<OsString> {
        let chosen = self.says(&["--metrics"], "LLAMA_ARG_ENDPOINT_METRICS");
        if self.engine.takes_metrics && !chosen {
            vec!["--metrics".into()]
        } else {
            Vec::new()
        }
    }

    /// Whether the configuration gives one of these flags, or a variable that starts so.
    fn says(&self, flags: &[&str], variable: &str) -> bool {
        let command = self.config.command(&self.model);
        command
            .args
            .iter()
            .any(|arg| flags.iter().any(|flag| arg == flag))
            || command.env.keys().any(|name| name.starts_with(variable))
    }
}
