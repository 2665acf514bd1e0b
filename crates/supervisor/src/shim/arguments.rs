//! Parses the arguments of the exec shim, which enters the sandbox and then becomes the child's program.

use std::ffi::OsString;

use rustix::process::Pid;

use crate::Sandbox;

/// The separator between the rules and the program.
pub(crate) const RULES_END: &str = "--";

/// The program to become, its parent, and its sandbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShimArguments {
    pub(super) parent: Pid,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
}

impl ShimArguments {
    /// Parses `PARENT_PID [RULES…] -- PROGRAM ARGS…`; `None` for anything else.
    pub(super) fn read(mut args: impl Iterator<Item = OsString>) -> Option<Self> {
        let parent = args.next()?.to_str()?.parse().ok();
        let parent = parent.and_then(Pid::from_raw)?;
        let mut rules = Vec::new();
        loop {
            let word = args.next()?;
            if word == RULES_END {
                break;
            }
            rules.push(word);
        }
        Some(Self {
            parent,
            sandbox: Sandbox::parse_arguments(&rules).ok()?,
            program: args.next()?,
            args: args.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::AccessRight;

    fn read(args: &[&str]) -> Option<ShimArguments> {
        ShimArguments::read(args.iter().map(OsString::from))
    }

    #[test]
    fn only_the_spawners_arguments_are_taken() {
        for args in [
            &[][..],
            &["x", "--", "true"],
            &["0", "--", "true"],
            &["1", "true"],
            &["1", "--"],
            &["1", "sandbox", "true"],
            &["1", "sandbox", "--"],
            &["1", "no-such-rule", "--", "true"],
            &["1", "sandbox", "no-such-rule", "--", "true"],
        ] {
            assert_eq!(read(args), None, "{args:?}");
        }
    }

    #[test]
    fn rules_end_where_the_program_begins() {
        let arguments = read(&["7", "--", "a", "--", "strict"]).unwrap();
        assert_eq!(arguments.sandbox, None);
        assert_eq!(
            (arguments.program, arguments.args),
            ("a".into(), vec!["--".into(), "strict".into()])
        );
        let arguments = read(&["7", "sandbox", "files", "read=--", "--", "a"]).unwrap();
        let sandbox = Sandbox {
            files: Some(vec![AccessRight::Read.at("--")]),
            ..Sandbox::default()
        };
        assert_eq!(arguments.sandbox, Some(sandbox));
    }
}
