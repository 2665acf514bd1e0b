//! Other runtimes that start a llama-server and forward requests to it. They are measured if
//! `--peer` names them, with default settings except for the requirements of this load.

mod gradatum;
mod llama_swap;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

use super::{RunDir, Subject, SubjectName};

/// A runtime that `--peer NAME=PATH` names.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: SubjectName,
    program: PathBuf,
}

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, path) = text.split_once('=').context("expected NAME=PATH")?;
        let name = match name {
            "llama-swap" => SubjectName::LlamaSwap,
            "gradatum" => SubjectName::Gradatum,
            _ => bail!("unknown peer `{name}`: use llama-swap or gradatum"),
        };
        let program = path.into();
        Ok(Self { name, program })
    }
}

impl Peer {
    /// Starts the runtime with one model.
    pub(crate) fn start(&self, run_dir: &RunDir) -> Result<Subject> {
        if self.name == SubjectName::Gradatum {
            return gradatum::start(run_dir, &self.program);
        }
        let child = run_dir.child().display().to_string();
        llama_swap::start(run_dir, &self.program, &["instant"], &child)
    }

    /// Starts the runtime with models `a` and `b`, one in memory at a time, and children that this
    /// command starts. Returns `None` if the runtime supports only one model.
    pub(crate) fn start_two(&self, run_dir: &RunDir, child: &str) -> Result<Option<Subject>> {
        match self.name {
            SubjectName::Gradatum => Ok(None),
            _ => llama_swap::start(run_dir, &self.program, &["a", "b"], child).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_and_a_path() {
        let peer: Peer = "llama-swap=/a=b".parse().unwrap();
        assert_eq!(
            (peer.name, peer.program),
            (SubjectName::LlamaSwap, "/a=b".into())
        );
        assert!("/a".parse::<Peer>().is_err());
        assert!("other=/a".parse::<Peer>().is_err());
    }
}
