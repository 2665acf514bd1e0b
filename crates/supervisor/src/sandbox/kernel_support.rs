//! Determines which parts of a sandbox the running kernel can enforce.

use super::{Network, Sandbox};

/// The parts of a sandbox: each is true if it is, or can be, enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SandboxSupport {
    /// The child ends when its parent does.
    pub parent_death: bool,
    /// No program that the child runs gains privileges, by set-uid or otherwise.
    pub no_new_privileges: bool,
    /// The child dumps no core, and its open files are limited.
    pub limits: bool,
    /// The child uses only files that were granted.
    pub files: bool,
    /// The child changes no mode, owner, times or attributes of files.
    pub metadata: bool,
    /// The child uses only sockets of its machine, and TCP as far as granted.
    pub network: bool,
    /// The child signals no process outside its sandbox, and connects to no abstract socket there.
    pub scope: bool,
    /// The child sets no limit or priority of another process, and traces none outside.
    pub processes: bool,
    /// The child sets the processors and the scheduling class of its own first thread only.
    pub scheduling: bool,
}

impl SandboxSupport {
    /// Returns the support of a Linux kernel with a level of Landlock, 0 without Landlock, and with or without
    /// filters of system calls.
    ///
    /// The levels are the kernel's "ABI versions" (Documentation/userspace-api/landlock.rst). Level 3 is the
    /// first that keeps a child from truncating files it may not write. Level 4 confines TCP, which is of
    /// little use without a filter: it does not confine MPTCP, `MSG_FASTOPEN`, and listen(2) without bind(2).
    pub const fn for_linux(landlock: u8, filter: bool) -> Self {
        Self {
            parent_death: true,
            no_new_privileges: true,
            limits: true,
            files: landlock >= 3,
            metadata: filter,
            network: filter,
            scope: landlock >= 6,
            processes: filter,
            scheduling: filter,
        }
    }

    /// Returns the support of this system. Detection restricts nothing.
    pub fn detect() -> Self {
        if cfg!(target_os = "linux") {
            Self::for_linux(crate::shim::landlock_level(), crate::shim::has_filters())
        } else {
            Self {
                limits: true,
                ..Self::default()
            }
        }
    }

    /// Returns the parts that hold for a child with this sandbox, or without one.
    #[must_use]
    pub const fn for_child(self, sandbox: Option<&Sandbox>) -> Self {
        let Some(sandbox) = sandbox else {
            return Self {
                parent_death: self.parent_death,
                no_new_privileges: false,
                limits: false,
                files: false,
                metadata: false,
                network: false,
                scope: false,
                processes: false,
                scheduling: false,
            };
        };
        Self {
            files: self.files && sandbox.files.is_some(),
            metadata: self.metadata && sandbox.files.is_some(),
            network: match sandbox.network {
                Network::Open => false,
                Network::Closed => self.network,
                // TCP is confined by a rule of Landlock that is older than its scope.
                Network::Listen(_) => self.network && self.scope,
            },
            scheduling: self.scheduling && !sandbox.scheduling,
            ..self
        }
    }

    /// Returns the name of each part, and whether it holds.
    pub const fn as_named(self) -> [(&'static str, bool); 9] {
        [
            ("parent_death", self.parent_death),
            ("no_new_privileges", self.no_new_privileges),
            ("limits", self.limits),
            ("files", self.files),
            ("metadata", self.metadata),
            ("network", self.network),
            ("scope", self.scope),
            ("processes", self.processes),
            ("scheduling", self.scheduling),
        ]
    }

    /// Returns the names of the parts that do not hold.
    pub fn missing(self) -> Vec<&'static str> {
        let parts = self.as_named().into_iter();
        parts
            .filter_map(|(name, holds)| (!holds).then_some(name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERED: [&str; 4] = ["metadata", "network", "processes", "scheduling"];

    #[test]
    fn each_level_of_landlock_adds_what_it_adds() {
        let table: [(u8, &[&str]); 9] = [
            (0, &["files", "scope"]),
            (1, &["files", "scope"]),
            (2, &["files", "scope"]),
            (3, &["scope"]),
            (4, &["scope"]),
            (5, &["scope"]),
            (6, &[]),
            (7, &[]),
            (255, &[]),
        ];
        for (level, missing) in table {
            let parts = SandboxSupport::for_linux(level, true);
            assert_eq!(parts.missing(), missing, "level {level}");
        }
    }

    #[test]
    fn without_filters_tcp_that_landlock_denies_does_not_count_as_no_network() {
        assert_eq!(SandboxSupport::for_linux(7, false).missing(), FILTERED);
    }

    #[test]
    fn what_is_left_open_does_not_hold() {
        let all = SandboxSupport::for_linux(7, true);
        let closed = Sandbox {
            files: Some(Vec::new()),
            ..Sandbox::default()
        };
        assert_eq!(all.for_child(Some(&closed)), all);
        let open = |network, scheduling| Sandbox {
            network,
            scheduling,
            ..closed.clone()
        };
        let table: [(Sandbox, &[&str]); 4] = [
            (Sandbox::default(), &["files", "metadata"]),
            (open(Network::Open, false), &["network"]),
            (open(Network::Closed, true), &["scheduling"]),
            (open(Network::Listen(80), false), &[]),
        ];
        for (sandbox, missing) in table {
            assert_eq!(all.for_child(Some(&sandbox)).missing(), missing);
        }
        let listening = open(Network::Listen(80), false);
        let old = SandboxSupport::for_linux(3, true).for_child(Some(&listening));
        assert_eq!(old.missing(), ["network", "scope"]);
        let none = [
            "no_new_privileges",
            "limits",
            "files",
            "metadata",
            "network",
            "scope",
            "processes",
            "scheduling",
        ];
        assert_eq!(all.for_child(None).missing(), none);
    }
}
