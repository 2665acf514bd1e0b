//! Converts a sandbox to arguments of the exec shim, the process that enters the sandbox and then becomes the child,
//! and back.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
};

use super::{AccessRight, Network, PathGrant, Sandbox};

/// The word for each access right; a grant is the argument `WORD=PATH`.
const RIGHTS: [(AccessRight, &str); 8] = [
    (AccessRight::Execute, "execute"),
    (AccessRight::Read, "read"),
    (AccessRight::Write, "write"),
    (AccessRight::Keep, "keep"),
    (AccessRight::Log, "log"),
    (AccessRight::Change, "change"),
    (AccessRight::Device, "device"),
    (AccessRight::Listen, "listen"),
];
// The other words of the arguments.
const SANDBOX: &str = "sandbox";
const STRICT: &str = "strict";
const FILES: &str = "files";
const NETWORK: &str = "network";
const PORT: &str = "port";
const SCHEDULING: &str = "scheduling";

impl Sandbox {
    /// Returns the sandbox as arguments.
    pub(crate) fn to_arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![SANDBOX.into()];
        words.extend(self.strict.then(|| STRICT.into()));
        match self.network {
            Network::Open => words.push(NETWORK.into()),
            Network::Closed => {}
            Network::Listen(port) => words.push(format!("{PORT}={port}").into()),
        }
        words.extend(self.scheduling.then(|| SCHEDULING.into()));
        if let Some(files) = &self.files {
            words.push(FILES.into());
            words.extend(files.iter().map(word));
        }
        words
    }

    /// Parses the result of [`Self::to_arguments`]. No arguments mean no sandbox.
    ///
    /// # Errors
    ///
    /// An unknown argument: a rule that is not understood must not be ignored.
    pub(crate) fn parse_arguments(words: &[OsString]) -> Result<Option<Self>, UnknownRule> {
        let Some((first, words)) = words.split_first() else {
            return Ok(None);
        };
        if first != SANDBOX {
            return Err(UnknownRule);
        }
        let mut sandbox = Self::default();
        for word in words {
            sandbox.take(word)?;
        }
        Ok(Some(sandbox))
    }

    fn take(&mut self, word: &OsStr) -> Result<(), UnknownRule> {
        match word.to_str() {
            Some(STRICT) => self.strict = true,
            Some(NETWORK) => self.network = Network::Open,
            Some(SCHEDULING) => self.scheduling = true,
            Some(FILES) => self.files = Some(Vec::new()),
            _ => {
                let bytes = word.as_bytes();
                let at = bytes.iter().position(|byte| *byte == b'=');
                let (name, value) = bytes.split_at(at.ok_or(UnknownRule)?);
                let value = OsStr::from_bytes(&value[1..]);
                if name == PORT.as_bytes() {
                    let port = value.to_str().and_then(|port| port.parse().ok());
                    self.network = Network::Listen(port.ok_or(UnknownRule)?);
                    return Ok(());
                }
                let row = RIGHTS.iter().find(|(_, word)| word.as_bytes() == name);
                let (right, _) = row.ok_or(UnknownRule)?;
                self.files
                    .as_mut()
                    .ok_or(UnknownRule)?
                    .push(right.at(value));
            }
        }
        Ok(())
    }
}

/// An argument that does not belong to a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownRule;

fn word(grant: &PathGrant) -> OsString {
    let name = RIGHTS.iter().find(|(right, _)| *right == grant.right);
    let mut word = name.map_or("", |(_, name)| name).as_bytes().to_vec();
    word.push(b'=');
    word.extend_from_slice(grant.path.as_os_str().as_bytes());
    OsString::from_vec(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let paths = ["/a b", "/x=y", "", "--"];
        let odd = OsString::from_vec(b"/\xff\xfe".to_vec());
        let mut grants: Vec<_> = RIGHTS
            .iter()
            .flat_map(|(right, _)| paths.iter().map(|path| right.at(*path)))
            .collect();
        grants.push(AccessRight::Read.at(odd));
        for files in [None, Some(Vec::new()), Some(grants)] {
            for network in [Network::Open, Network::Closed, Network::Listen(65535)] {
                for (strict, scheduling) in [(false, false), (true, false), (false, true)] {
                    let sandbox = Sandbox {
                        files: files.clone(),
                        network,
                        scheduling,
                        strict,
                    };
                    assert_eq!(
                        Sandbox::parse_arguments(&sandbox.to_arguments()),
                        Ok(Some(sandbox))
                    );
                }
            }
        }
        assert_eq!(Sandbox::parse_arguments(&[]), Ok(None));
    }

    #[test]
    fn no_rule_that_is_not_understood_is_left_out() {
        let unknown: [&[&str]; 7] = [
            &["strict"],
            &["sandbox", "Strict"],
            &["sandbox", "files", "reads=/x"],
            &["sandbox", "files", "/x"],
            &["sandbox", "read=/x"],
            &["sandbox", "port=65536"],
            &["sandbox", ""],
        ];
        for words in unknown {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            assert_eq!(
                Sandbox::parse_arguments(&words),
                Err(UnknownRule),
                "{words:?}"
            );
        }
    }
}
