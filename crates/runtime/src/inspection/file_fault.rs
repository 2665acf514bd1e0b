//! Describes the reasons why a model's files cannot be used, and whether trying the same files again can help.

use crate::load_history::FileIdentity;
use crate::model_knowledge::FailedLoad;
use paddock_admission::error::LoadFailure;
use paddock_gguf as gguf;
use paddock_supervisor::{ChildPhase, Failure, FailureClass};
use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A reason why a model's files cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileFault {
    class: FailureClass,
    reason: String,
    /// True if only another file can help.
    is_permanent: bool,
    /// Advice that replaces the usual one.
    remedy: Option<String>,
}

impl FileFault {
    /// Classifies an error in reading a header.
    pub(super) fn from_gguf_error(path: &Path, error: &gguf::Error) -> Self {
        let class = match error {
            gguf::Error::Io(error) => classify(error),
            _ => FailureClass::BadFile,
        };
        Self {
            class,
            reason: format!("{} {error}", path.display()),
            is_permanent: error.is_permanent(),
            remedy: None,
        }
    }

    /// Describes a model whose header shows that it cannot be loaded.
    pub(super) fn from_unloadable(path: &Path, why: &gguf::Unloadable) -> Self {
        let hint = match why.is_missing_key() {
            true => "; if the engine loads it, set `memory` under [models.NAME]",
            false => "",
        };
        Self {
            class: FailureClass::BadFile,
            reason: format!("{} {why}{hint}", path.display()),
            is_permanent: true,
            remedy: None,
        }
    }

    /// Classifies a failed `stat` and names the first missing file.
    pub(super) fn from_stat_error(files: &[PathBuf], error: &io::Error) -> Self {
        let missing = files.iter().find(|file| !file.exists());
        let missing = missing.filter(|_| error.kind() == ErrorKind::NotFound);
        Self {
            class: classify(error),
            reason: match missing {
                Some(file) => format!("there is no file {}", file.display()),
                None => format!("the model's files cannot be read: {error}"),
            },
            is_permanent: false,
            remedy: None,
        }
    }

    /// Describes a model whose source is not on disk.
    pub(super) fn from_missing_source(name: &str, source: &impl Display) -> Self {
        Self {
            class: FailureClass::BadFile,
            reason: format!("{source} is not on disk"),
            is_permanent: false,
            remedy: Some(format!("`paddock pull {name}` downloads it")),
        }
    }

    /// Describes a task that ended before it had read the files.
    pub(super) fn from_task_error(error: &dyn Error) -> Self {
        Self {
            class: FailureClass::Unknown,
            reason: format!("the model's files cannot be read: {error}"),
            is_permanent: false,
            remedy: None,
        }
    }

    /// Converts the fault to a failed load, which keeps the files' identity only if they are at fault.
    pub(super) fn into_failed_load(self, files: Option<FileIdentity>) -> FailedLoad {
        let usual = match (self.is_permanent, self.class) {
            (true, _) => "the model will not be started until the file changes",
            (false, FailureClass::BadFile) => {
                "check the path and its permissions; the next request will try again"
            }
            (false, FailureClass::Unknown) => {
                "check the disk or the network; the next request will try again"
            }
            (false, class) => class.advice(),
        };
        let remedy = self.remedy.as_deref().unwrap_or(usual);
        FailedLoad {
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
            files: files.filter(|_| self.is_permanent),
            breaker_opened: false,
        }
    }
}

/// Classifies an I/O error. A missing or forbidden file, or a directory in its place, is a configuration fault;
/// other errors (EIO, ESTALE) prove nothing about the file.
fn classify(error: &io::Error) -> FailureClass {
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
        FileIdentity::from_paths(&[PathBuf::from("/")]).unwrap()
    }

    #[test]
    fn an_error_of_the_system_is_not_remembered_as_the_files_fault() {
        for (number, class) in CASES {
            let error = || io::Error::from_raw_os_error(number);
            let path = Path::new("m.gguf");
            for fault in [
                FileFault::from_gguf_error(path, &gguf::Error::Io(error())),
                FileFault::from_stat_error(&["/".into()], &error()),
            ] {
                let failed = fault.into_failed_load(Some(identity()));
                assert_eq!(failed.failure.cause.class, class, "{number}");
                assert_eq!(failed.files, None, "{number}");
            }
        }
    }

    #[test]
    fn what_the_contents_prove_is_remembered_with_the_file() {
        let fault = FileFault::from_gguf_error(Path::new("m.gguf"), &gguf::Error::Empty);
        let failed = fault.into_failed_load(Some(identity()));
        assert_eq!(failed.failure.cause.class, FailureClass::BadFile);
        assert_eq!(failed.files, Some(identity()));
        let message = &failed.failure.cause.message;
        assert_eq!(
            message,
            "m.gguf is empty; the model will not be started until the file changes"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let files = ["/", "/no/such.gguf", "/no/other.gguf"].map(PathBuf::from);
        let message = |number| {
            let error = io::Error::from_raw_os_error(number);
            let failed = FileFault::from_stat_error(&files, &error).into_failed_load(None);
            failed.failure.cause.message.clone()
        };
        assert_eq!(
            message(2),
            "there is no file /no/such.gguf; check the path and its permissions; the next request will try again"
        );
        // Another error says nothing about the files that are missing now.
        let denied = message(13);
        assert!(
            denied.starts_with("the model's files cannot be read: "),
            "{denied}"
        );
        let broken = message(5);
        let remedy = "; check the disk or the network; the next request will try again";
        assert!(broken.ends_with(remedy), "{broken}");
        let full = message(24);
        assert!(
            full.ends_with(FailureClass::TooManyFiles.advice()),
            "{full}"
        );
    }

    #[test]
    fn a_missing_key_is_answered_with_a_hint() {
        use paddock_gguf::builder::GgufBuilder;
        let unloadable = |builder: GgufBuilder| {
            let header = gguf::Header::read(&builder.build()[..]).unwrap();
            let why = gguf::check_loadable(&[header]).unwrap_err();
            let fault = FileFault::from_unloadable(Path::new("m.gguf"), &why);
            let failed = fault.into_failed_load(Some(identity()));
            assert_eq!(failed.files, Some(identity()));
            failed
                .failure
                .cause
                .message
                .contains("set `memory` under [models.NAME]")
        };
        let tensor = |builder: GgufBuilder| builder.tensor("x", &[32], gguf::GgmlType::F32);
        assert!(unloadable(tensor(GgufBuilder::new("llama"))));
        assert!(!unloadable(tensor(GgufBuilder::new("clip"))));
    }
}
