//! The limits a child runs under.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most open files. A server takes one for each client, each file of a model and each device, and has
/// room in this; a limit in the hundreds of millions, as some systems have it, costs seconds in programs
/// that close every number up to it when they start.
const OPEN_FILES: u64 = 65_536;

/// Sets them.
///
/// A dump of a child's memory is as large as its models, and holds what its clients wrote: there is none.
pub(super) fn apply() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    setrlimit(Resource::Nofile, open_files(getrlimit(Resource::Nofile)))?;
    Ok(())
}

/// As many as the system allows, up to the bound.
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
