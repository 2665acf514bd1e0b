//! Runs the engine without paddock.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use paddock_e2e::harness::{Address, Connection, LIMIT, post, real, wait_for};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{ANSWER_LIMIT, Kind};

/// A running engine, which is killed on drop.
pub(crate) struct Engine {
    process: Child,
    directory: TempDir,
}

impl Engine {
    /// Starts an engine with one slot and waits until its model is loaded.
    pub(crate) fn start(kind: Kind, args: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("pd-").tempdir().unwrap();
        let process = Command::new(real::engine())
            .arg("--host")
            .arg(directory.path().join("engine.sock"))
            .arg("--model")
            .arg(kind.path())
            .args(["--ctx-size", "2048", "--parallel", "1"])
            .args(real::SMALL)
            .args(kind.args())
            .args(args)
            .env_remove("LLAMA_SERVER_ROUTER_PORT")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let engine = Self { process, directory };
        wait_for(LIMIT, "the engine", || {
            let mut connection = engine.connect()?;
            let health = connection.try_ask(paddock_e2e::harness::get("/health"));
            health.ok().filter(|answer| answer.status == 200)
        });
        engine
    }

    fn connect(&self) -> Option<Connection> {
        let path = self.directory.path().join("engine.sock");
        Connection::try_connect(&Address::Unix(path)).ok()
    }

    /// Posts JSON and returns the JSON of the answer, which must have status 200.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Value {
        let mut connection = self.connect().unwrap();
        connection.limit(ANSWER_LIMIT);
        let answer = connection.ask(post(path, &body.to_string()));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Returns the value of `--slot-save-path` for a directory. It ends in a slash because the engine adds none.
pub(crate) fn slot_directory(path: &Path) -> String {
    format!("{}/", path.display())
}
