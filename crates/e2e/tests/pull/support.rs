//! Runs `paddock pull` with a home directory of its own, against a hub of its own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use paddock_e2e::mirror::hub::{HubMirror, sha256_hex};
use tempfile::TempDir;

/// The repository of most tests.
pub(crate) const REPO: &str = "org/model-GGUF";

/// A home directory, and a hub.
pub(crate) struct Scene {
    pub(crate) hub: HubMirror,
    pub(crate) home: TempDir,
}

/// The outcome of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    /// Starts a hub with these files in [`REPO`].
    pub(crate) fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let hub = HubMirror::start();
        hub.add_repo(REPO, files);
        let home = tempfile::tempdir().unwrap();
        Self { hub, home }
    }

    /// Returns the command `paddock pull` with these arguments. Nothing else is in its environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paddock-e2e"));
        command.arg("pull").args(args).env_clear();
        // Parsing the system's root certificates takes longer than the rest of a small pull.
        command
            .env("SSL_CERT_FILE", "/dev/null")
            .env("HOME", self.home.path())
            .env("HF_ENDPOINT", self.hub.endpoint());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn pull(&self, args: &[&str]) -> Outcome {
        self.command(args).output().unwrap().into()
    }

    /// Returns the directory of the repository in the cache.
    pub(crate) fn cache(&self) -> PathBuf {
        self.home
            .path()
            .join(".cache/huggingface/hub/models--org--model-GGUF")
    }

    /// Returns the blob of a content.
    pub(crate) fn blob(&self, content: &[u8]) -> PathBuf {
        self.cache().join("blobs").join(sha256_hex(content))
    }

    /// Returns all complete files of snapshots, by name.
    pub(crate) fn snapshot_files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories: Vec<PathBuf> = vec![self.cache().join("snapshots")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else {
                    let name = entry.file_name().into_string().unwrap();
                    files.push((name, fs::read(entry.path()).unwrap()));
                }
            }
        }
        files.sort();
        files
    }

    /// Checks that the only files are these.
    pub(crate) fn assert_files(&self, files: &[(&str, &[u8])]) {
        let found = self.snapshot_files();
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        let expected: Vec<_> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected);
        for ((name, found), (_, expected)) in found.iter().zip(files) {
            assert!(found == expected, "{name} has another content");
        }
    }

    /// Checks that no file is complete.
    pub(crate) fn assert_no_file(&self) {
        assert_eq!(self.snapshot_files(), []);
    }

    /// Returns the space that unfinished files take, in bytes.
    pub(crate) fn part_bytes(&self) -> u64 {
        let blobs = self.cache().join("blobs");
        let parts = names(&blobs)
            .into_iter()
            .filter(|name| name.strip_suffix(".part").is_some());
        let sizes = parts.filter_map(|name| fs::metadata(blobs.join(name)).ok());
        sizes.map(|metadata| metadata.blocks() * 512).sum()
    }

    /// Returns the names in the directory of blobs.
    pub(crate) fn blob_names(&self) -> Vec<String> {
        names(&self.cache().join("blobs"))
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Outcome {
    /// Checks that the command succeeded.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Checks that the command failed with a message.
    pub(crate) fn failed_with(self, message: &str) -> Self {
        assert_eq!(self.code, Some(1), "{self:#?}");
        assert!(self.stderr.contains(message), "no `{message}` in {self:#?}");
        self
    }
}

/// Returns the outcome of a command that was started before.
pub(crate) fn finish(child: Child) -> Outcome {
    child.wait_with_output().unwrap().into()
}

/// Returns the sorted names in a directory.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Returns a content of this size, different for each seed, that begins as a model does.
pub(crate) fn content(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    let magic = b"GGUF";
    let count = size.min(magic.len());
    bytes[..count].copy_from_slice(&magic[..count]);
    bytes
}

/// The source of the variant `Q4_0` of [`REPO`].
pub(crate) const Q4_0: &str = "hf:org/model-GGUF:Q4_0";
