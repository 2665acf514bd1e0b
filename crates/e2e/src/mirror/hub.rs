//! A server like the Hugging Face hub, and a second one like the CDN that it redirects downloads to. The CDN listens on
//! another port, so it is another origin.

mod answer;
mod behaviour;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

pub use answer::read_head;
pub use behaviour::HubBehaviour;

/// A repository of the mirror.
#[derive(Debug, Clone)]
struct Repo {
    commit: String,
    /// The files, by path.
    files: BTreeMap<String, MirrorFile>,
}

#[derive(Debug, Clone)]
struct MirrorFile {
    digest: String,
    content: Arc<Vec<u8>>,
}

/// Everything that both servers share.
#[derive(Debug, Default)]
struct State {
    repos: BTreeMap<String, Repo>,
    behaviour: HubBehaviour,
    hub_requests: Vec<String>,
    cdn_requests: Vec<String>,
    bytes_sent: u64,
    is_stopped: bool,
}

/// The two roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Hub,
    Cdn,
}

/// A server of the two, as its threads see it.
#[derive(Debug, Clone)]
struct Server {
    role: Role,
    /// The address of the CDN, for redirects.
    cdn: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// A running hub, until dropped.
#[derive(Debug)]
pub struct HubMirror {
    hub: SocketAddr,
    cdn: SocketAddr,
    state: Arc<Mutex<State>>,
    threads: Vec<JoinHandle<()>>,
}

impl HubMirror {
    /// Starts a hub without repositories.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let [hub, cdn] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [hub_address, cdn_address] =
            [&hub, &cdn].map(|listener| listener.local_addr().unwrap());
        let threads = [(hub, Role::Hub), (cdn, Role::Cdn)].map(|(listener, role)| {
            let (state, cdn) = (Arc::clone(&state), cdn_address);
            let server = Server { role, cdn, state };
            thread::spawn(move || server.accept(&listener))
        });
        Self {
            hub: hub_address,
            cdn: cdn_address,
            state,
            threads: threads.into(),
        }
    }

    /// Returns the address for `HF_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.hub)
    }

    /// Adds a repository, or replaces it by a new commit.
    pub fn add_repo(&self, name: &str, files: &[(&str, Vec<u8>)]) {
        let files = files.iter().map(|(path, content)| {
            let (digest, content) = (sha256_hex(content), Arc::new(content.clone()));
            ((*path).to_owned(), MirrorFile { digest, content })
        });
        let files: BTreeMap<_, _> = files.collect();
        let mut hasher = Sha256::new();
        for (path, file) in &files {
            hasher.update(path);
            hasher.update(&file.digest);
        }
        let commit = hex(&hasher.finalize()[..20]);
        lock(&self.state)
            .repos
            .insert(name.to_owned(), Repo { commit, files });
    }

    /// Changes how the servers behave from now on.
    pub fn behave(&self, change: impl FnOnce(&mut HubBehaviour)) {
        change(&mut lock(&self.state).behaviour);
    }

    /// Returns the heads of all requests to the hub.
    pub fn hub_requests(&self) -> Vec<String> {
        lock(&self.state).hub_requests.clone()
    }

    /// Returns the heads of all requests to the CDN.
    pub fn cdn_requests(&self) -> Vec<String> {
        lock(&self.state).cdn_requests.clone()
    }

    /// Returns the number of bytes of files that were sent so far.
    pub fn bytes_sent(&self) -> u64 {
        lock(&self.state).bytes_sent
    }
}

impl Drop for HubMirror {
    fn drop(&mut self) {
        lock(&self.state).is_stopped = true;
        for address in [self.hub, self.cdn] {
            let _wakes = TcpStream::connect(address);
        }
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

impl Server {
    fn accept(&self, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.lock().is_stopped {
                return;
            }
            let (server, stream) = (self.clone(), stream.unwrap());
            thread::spawn(move || server.serve(&stream));
        }
    }

    /// Answers requests until the client closes the connection, or an answer is cut.
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Ok(head) = read_head(&mut reader) {
            {
                let mut state = self.lock();
                match self.role {
                    Role::Hub => state.hub_requests.push(head.clone()),
                    Role::Cdn => state.cdn_requests.push(head.clone()),
                }
            }
            if self.answer(stream, &head).is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the SHA-256 of a content as hexadecimal digits.
pub fn sha256_hex(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
