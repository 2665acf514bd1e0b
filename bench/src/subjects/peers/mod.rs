//! Others that run a llama-server and pass requests on to it. They are measured where `--peer` says
//! that there is one, as they are by default but for what this work needs.

mod gradatum;
mod llama_swap;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

use super::{Name, Place, Subject};

/// One that `--peer NAME=PATH` names.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: Name,
    program: PathBuf,
}

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, path) = text.split_once('=').context("expected NAME=PATH")?;
        let name = match name {
            "llama-swap" => Name::LlamaSwap,
            "gradatum" => Name::Gradatum,
            _ => bail!("`{name}` is no peer: llama-swap and gradatum are"),
        };
        let program = path.into();
        Ok(Self { name, program })
    }
}

impl Peer {
    /// Starts it with one model.
    pub(crate) fn start(&self, place: &Place) -> Result<Subject> {
        if self.name == Name::Gradatum {
            return gradatum::start(place, &self.program);
        }
        let child = place.child().display().to_string();
        llama_swap::start(place, &self.program, &["instant"], &child)
    }

    /// Starts it with models `a` and `b`, one of which is in memory at a time, and children that this command
    /// starts; nothing where it cannot have two.
    pub(crate) fn start_two(&self, place: &Place, child: &str) -> Result<Option<Subject>> {
        match self.name {
            Name::Gradatum => Ok(None),
            _ => llama_swap::start(place, &self.program, &["a", "b"], child).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_and_a_path() {
        let peer: Peer = "llama-swap=/a=b".parse().unwrap();
        assert_eq!((peer.name, peer.program), (Name::LlamaSwap, "/a=b".into()));
        assert!("/a".parse::<Peer>().is_err());
        assert!("other=/a".parse::<Peer>().is_err());
    }
}
