//! Acts as a hostile child: takes over the sockets of another model's children and answers in their
//! place.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::clock;

/// Number of children of the model, one after the other, whose sockets are taken over.
const GENERATION_COUNT: u32 = 9;

/// Interval between checks of each socket.
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// The answer to every request on a stolen socket.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nstolen";

/// Requests received on stolen sockets.
#[derive(Debug, Default)]
pub(super) struct StolenRequests(Mutex<(u64, Vec<u8>)>);

impl StolenRequests {
    /// Returns the number of connections and the received bytes.
    pub(super) fn to_json(&self) -> String {
        let (connections, sent) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = String::from_utf8_lossy(sent);
        serde_json::json!({ "connections": connections, "sent": sent }).to_string()
    }

    /// Answers a client and records all bytes that it sends.
    fn take(&self, mut client: UnixStream) {
        // Answers first, to satisfy the probe of a supervisor that does not check the peer.
        let _ = client.write_all(ANSWER);
        let _ = client.set_read_timeout(Some(Duration::from_secs(1)));
        let mut sent = Vec::new();
        let _ = client.read_to_end(&mut sent);
        let mut loot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loot.0 += 1;
        loot.1.extend(sent);
    }
}

/// Takes over the sockets of a model's children for the life of the process. `own` is the socket of
/// this child.
pub(super) fn impersonate(model: &str, own: &Path, loot: &Arc<StolenRequests>) {
    let Some(place) = own.parent().and_then(Path::parent) else {
        return;
    };
    let paths = (1..=GENERATION_COUNT).map(|number| place.join(format!("{model}-{number}/s.sock")));
    let mut taken: Vec<(PathBuf, Option<u64>)> = paths.map(|path| (path, None)).collect();
    let loot = Arc::clone(loot);
    thread::spawn(move || {
        loop {
            for (path, inode) in &mut taken {
                if inode.is_none() || *inode != inode_of(path) {
                    *inode = take(path, &loot);
                }
            }
            clock::sleep(CHECK_INTERVAL);
        }
    });
}

fn take(path: &Path, loot: &Arc<StolenRequests>) -> Option<u64> {
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path).ok()?;
    let loot = Arc::clone(loot);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let loot = Arc::clone(&loot);
            thread::spawn(move || loot.take(client));
        }
    });
    inode_of(path)
}

fn inode_of(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|file| file.ino())
}
