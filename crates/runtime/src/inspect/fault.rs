//! Reasons why a model's files cannot be used, and whether the same files may be usable later.

use super::super::entry::Failed;
use crate::learned::FileIdentity;
use paddock_admission::error::LoadFailure;
use paddock_gguf as gguf;
use paddock_supervisor::{ChildPhase, Failure, FailureClass};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A reason, its class, and how long it holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    class: FailureClass,
    reason: String,
    /// The contents prove it, so the files have to change.
    is_in_the_file: bool,
}

impl Fault {
    /// Judges an error of a header.
    pub(super) fn header(path: &Path, error: &gguf::Error) -> Self {
        let class = match error {
            gguf::Error::Io(error) => class(error),
            _ => FailureClass::BadFile,
        };
        Self {
            class,
            reason: format!("{} {error}", path.display()),
            is_in_the_file: error.is_permanent(),
        }
    }

    /// Judges a model whose header shows that it cannot be loaded.
    pub(super) fn unloadable(path: &Path, why: &gguf::Unloadable) -> Self {
        let hint = match why.is_missing_key() {
            true => "; if the engine loads it, set `memory` under [models.NAME]",
            false => "",
        };
        Self {
            class: FailureClass::BadFile,
            reason: format!("{} {why}{hint}", path.display()),
            is_in_the_file: true,
        }
    }

    /// Judges an error of looking at files without reading them; names the first one that is missing.
    pub(super) fn stat(files: &[PathBuf], error: &io::Error) -> Self {
        let missing = files.iter().find(|file| !file.exists());
        let missing = missing.filter(|_| error.kind() == ErrorKind::NotFound);
        Self {
            class: class(error),
            reason: match missing {
                Some(file) => format!("there is no file {}", file.display()),
                None => format!("its files cannot be looked at: {error}"),
            },
            is_in_the_file: false,
        }
    }

    /// Stands for a task that ended before it had read the files.
    pub(super) fn task(error: &dyn Error) -> Self {
        Self {
            class: FailureClass::Unknown,
            reason: format!("its files cannot be read: {error}"),
            is_in_the_file: false,
        }
    }

    /// Makes a failure of it, which is remembered with the files only if they prove it.
    pub(super) fn failed(self, files: Option<FileIdentity>) -> Failed {
        let remedy = match (self.is_in_the_file, self.class) {
            (true, _) => "nothing is started until the file is another",
            (false, FailureClass::BadFile) => {
                "the next request looks again: check the path and its permissions"
            }
            (false, FailureClass::Unknown) => {
                "the next request looks again: check the disk or the network"
            }
            (false, class) => class.advice(),
        };
        Failed {
            failure: LoadFailure {
                cause: Arc::new(Failure {
                    class: self.class,
                    phase: ChildPhase::Spawn,
                    exit: None,
                    message: format!("{}; {remedy}", self.reason),
                    log_tail: Vec::new(),
                }),
                retry_at: None,
                restarts_left: 0,
            },
            until: None,
            files: files.filter(|_| self.is_in_the_file),
            broke: false,
        }
    }
}

/// Classifies an error of reading a file. A missing or forbidden file, or a directory in its
/// place, is the configuration's fault; of any other
/// error (EIO, ESTALE) the file tells nothing.
fn class(error: &io::Error) -> FailureClass {
    FailureClass::from_io_error(error).unwrap_or(match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::IsADirectory
        | ErrorKind::NotADirectory => FailureClass::BadFile,
        _ => FailureClass::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Error numbers of Linux (errno(3)).
    const CASES: [(i32, FailureClass); 7] = [
        (24, FailureClass::TooManyFiles),
        (12, FailureClass::OutOfMemory),
        (5, FailureClass::Unknown),
        (116, FailureClass::Unknown),
        (13, FailureClass::BadFile),
        (2, FailureClass::BadFile),
        (21, FailureClass::BadFile),
    ];

    fn identity() -> FileIdentity {
        FileIdentity::of(&[PathBuf::from("/")]).unwrap()
    }

    #[test]
    fn an_error_of_the_system_is_not_remembered_as_the_files_fault() {
        for (number, class) in CASES {
            let error = || io::Error::from_raw_os_error(number);
            let path = Path::new("m.gguf");
            for fault in [
                Fault::header(path, &gguf::Error::Io(error())),
                Fault::stat(&["/".into()], &error()),
            ] {
                let failed = fault.failed(Some(identity()));
                assert_eq!(failed.failure.cause.class, class, "{number}");
                assert_eq!(failed.files, None, "{number}");
            }
        }
    }

    #[test]
    fn what_the_contents_prove_is_remembered_with_the_file() {
        let fault = Fault::header(Path::new("m.gguf"), &gguf::Error::Empty);
        let failed = fault.failed(Some(identity()));
        assert_eq!(failed.failure.cause.class, FailureClass::BadFile);
        assert_eq!(failed.files, Some(identity()));
        let message = &failed.failure.cause.message;
        assert_eq!(
            message,
            "m.gguf is empty; nothing is started until the file is another"
        );
    }
}
