//! Which flags the engine knows, by its own help: an older one would not start with a newer flag.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How much of the text is read, in bytes.
const MOST: u64 = 1024 * 1024;

/// What the engine says to `--help`; nothing where it says nothing.
pub(crate) async fn text(program: &Path, env: &[(OsString, OsString)]) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--help")
        .env_clear()
        .envs(env.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut text = Vec::new();
    let out = child.stdout.take()?;
    timeout(LIMIT, async {
        out.take(MOST).read_to_end(&mut text).await.ok()?;
        child.wait().await.ok()
    })
    .await
    .ok()??;
    Some(String::from_utf8_lossy(&text).into_owned())
}
