//! Sets the resource limits of a child.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The maximum number of open files. A server needs one for each client, each file of a model and each device,
/// for which this is enough; a limit in the hundreds of millions, as on some systems, costs seconds in programs
/// that close every descriptor up to it when they start.
const OPEN_FILES: u64 = 65_536;

/// Sets the limits.
///
/// A core dump of a child would be as large as its models, and contain its clients' texts: it is disabled.
pub(super) fn apply() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    setrlimit(Resource::Nofile, open_files(getrlimit(Resource::Nofile)))?;
    Ok(())
}

/// Returns the limit of open files: as many as the system allows, up to the maximum.
fn open_files(limit: Rlimit) -> Rlimit {
    let most = limit.maximum.unwrap_or(u64::MAX);
    Rlimit {
        current: Some(most.min(OPEN_FILES)),
        ..limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_as_many_as_allowed_up_to_a_bound() {
        let table = [
            (Some(1024), Some(4096), Some(4096)),
            (Some(1024), Some(1 << 30), Some(OPEN_FILES)),
            (Some(1024), None, Some(OPEN_FILES)),
            (None, None, Some(OPEN_FILES)),
        ];
        for (current, maximum, wanted) in table {
            let got = open_files(Rlimit { current, maximum });
            assert_eq!((got.current, got.maximum), (wanted, maximum));
        }
    }
}
