//! The parts of a sandbox, and which a kernel has.

use super::{Network, Sandbox};

/// Says of each part of a sandbox whether it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The child ends when its parent does.
    pub parent_death: bool,
    /// No program it runs gains privileges, set-uid or otherwise.
    pub no_new_privileges: bool,
    /// It dumps no core, and its open files have a bound.
    pub limits: bool,
    /// It uses only the files it is granted.
    pub files: bool,
    /// It uses no TCP but what it is granted.
    pub network: bool,
    /// It signals no process outside, and connects to no abstract socket there.
    pub scope: bool,
}

impl Parts {
    /// Returns what a Linux kernel has with a level of Landlock; 0 for a kernel without.
    ///
    /// The levels are the kernel's "ABI versions" (Documentation/userspace-api/landlock.rst). Level 3 is the
    /// first that keeps a child from emptying files it may not write.
    pub const fn of_linux(landlock: u8) -> Self {
        Self {
            parent_death: true,
            no_new_privileges: true,
            limits: true,
            files: landlock >= 3,
            network: landlock >= 4,
            scope: landlock >= 6,
        }
    }

    /// Returns what this system has. It is asked, and nothing is restricted by that.
    pub fn of_this_system() -> Self {
        if cfg!(target_os = "linux") {
            Self::of_linux(crate::shim::landlock_level())
        } else {
            Self {
                limits: true,
                ..Self::default()
            }
        }
    }

    /// Returns what holds for a child with this sandbox, or with none.
    #[must_use]
    pub const fn for_child(self, sandbox: Option<&Sandbox>) -> Self {
        let Some(sandbox) = sandbox else {
            return Self {
                parent_death: self.parent_death,
                no_new_privileges: false,
                limits: false,
                files: false,
                network: false,
                scope: false,
            };
        };
        Self {
            files: self.files && sandbox.files.is_some(),
            network: self.network && !matches!(sandbox.network, Network::Open),
            ..self
        }
    }

    /// Returns each part's name and whether it holds.
    pub const fn named(self) -> [(&'static str, bool); 6] {
        [
            ("parent_death", self.parent_death),
            ("no_new_privileges", self.no_new_privileges),
            ("limits", self.limits),
            ("files", self.files),
            ("network", self.network),
            ("scope", self.scope),
        ]
    }

    /// Returns the names of the parts that do not hold.
    pub fn missing(self) -> Vec<&'static str> {
        let parts = self.named().into_iter();
        parts
            .filter_map(|(name, holds)| (!holds).then_some(name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_of_landlock_adds_what_it_adds() {
        let table: [(u8, &[&str]); 9] = [
            (0, &["files", "network", "scope"]),
            (1, &["files", "network", "scope"]),
            (2, &["files", "network", "scope"]),
            (3, &["network", "scope"]),
            (4, &["scope"]),
            (5, &["scope"]),
            (6, &[]),
            (7, &[]),
            (255, &[]),
        ];
        for (level, missing) in table {
            assert_eq!(Parts::of_linux(level).missing(), missing, "level {level}");
        }
    }

    #[test]
    fn what_is_left_open_does_not_hold() {
        let all = Parts::of_linux(7);
        let closed = Sandbox {
            files: Some(Vec::new()),
            ..Sandbox::default()
        };
        let open = Sandbox {
            network: Network::Open,
            ..Sandbox::default()
        };
        assert_eq!(all.for_child(Some(&closed)), all);
        assert_eq!(all.for_child(Some(&open)).missing(), ["files", "network"],);
        let none = ["no_new_privileges", "limits", "files", "network", "scope"];
        assert_eq!(all.for_child(None).missing(), none);
    }
}
