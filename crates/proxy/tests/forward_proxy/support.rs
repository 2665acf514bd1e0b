//! A router that serves only the proxy; the test plays both neighbours.

use crate::example::serve;
use paddock_proxy::Upstream;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;

/// Longest wait for anything that must happen.
const LIMIT: Duration = Duration::from_mins(1);

/// Returns eight mebibytes that contain every byte value.
pub(crate) fn large() -> Vec<u8> {
    (0..8 << 20)
        .map(|at: u32| at.to_le_bytes()[0] ^ at.to_le_bytes()[2])
        .collect()
}

/// Runs a test with a time limit.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.unwrap() });
}

/// Kind of address that a child listens on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Tcp,
    Unix,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Tcp, Kind::Unix];

/// A listener in place of a child.
pub(crate) struct Child {
    pub(crate) upstream: Upstream,
    listener: Listener,
    _dir: TempDir,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Child {
    pub(crate) async fn listen(kind: Kind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (listener, upstream) = match kind {
            Kind::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let at = format!("http://{}", listener.local_addr().unwrap());
                (Listener::Tcp(listener), at)
            }
            Kind::Unix => {
                let path = dir.path().join("child.sock");
                let at = format!("unix:{}", path.display());
                (Listener::Unix(UnixListener::bind(path).unwrap()), at)
            }
        };
        let upstream = upstream.parse().unwrap();
        Self {
            upstream,
            listener,
            _dir: dir,
        }
    }

    /// Accepts the proxy's next connection.
    pub(crate) async fn accept(&self) -> Wire {
        match &self.listener {
            Listener::Tcp(listener) => Wire::over(listener.accept().await.unwrap().0),
            Listener::Unix(listener) => Wire::over(listener.accept().await.unwrap().0),
        }
    }
}

/// A router with the proxy in it, served until dropped.
pub(crate) struct Mounted {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Mounted {
    pub(crate) async fn of(upstream: Upstream) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { serve(listener, upstream).await.unwrap() });
        Self {
            address,
            _serving: serving,
        }
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::over(TcpStream::connect(self.address).await.unwrap())
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// A connection that the test reads and writes byte by byte.
pub(crate) struct Wire(BufStream<Box<dyn Io>>);

impl Wire {
    fn over(stream: impl Io + 'static) -> Self {
        Self(BufStream::new(Box::new(stream)))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    pub(crate) async fn head(&mut self) -> Head {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(self.0.read_u8().await.unwrap());
        }
        Head::of(&bytes)
    }

    /// Reads the body behind this head, without framing.
    pub(crate) async fn body(&mut self, head: &Head) -> Vec<u8> {
        match (
            head.value("content-length"),
            head.value("transfer-encoding"),
        ) {
            (Some(length), None) => self.exactly(length.parse().unwrap()).await,
            (None, Some("chunked")) => self.chunks().await,
            (None, None) => Vec::new(),
            framing => panic!("two framings: {framing:?}"),
        }
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                return body;
            }
            body.extend(chunk);
        }
    }

    /// Reads the next chunk's data.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            size.push(self.0.read_u8().await.unwrap());
        }
        let size = std::str::from_utf8(&size).unwrap().trim_end();
        let chunk = self.exactly(usize::from_str_radix(size, 16).unwrap()).await;
        assert_eq!(self.exactly(2).await, b"\r\n");
        chunk
    }

    async fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// Reads until the other side closes or resets.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest).await {
            Ok(_) => rest,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                rest
            }
        }
    }
}

/// A head with field names in lower case, sorted by name; fields of one name keep their order.
pub(crate) struct Head {
    pub(crate) first: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        // Each byte becomes one character.
        let text: String = bytes.iter().copied().map(char::from).collect();
        let mut lines = text.trim_end().split("\r\n");
        let first = lines.next().unwrap().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let mut fields: Vec<_> = lines.map(field).collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        Self { first, fields }
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(field, _)| field == name);
        values.next().map(|(_, value)| value.as_str())
    }

    /// Returns every field except those of these names.
    pub(crate) fn without(&self, names: &[&str]) -> Vec<(&str, &str)> {
        let all = self
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| !names.contains(name)).collect()
    }
}

pub(crate) fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in chunks.iter().chain(&[&b""[..]]) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(*chunk);
        bytes.extend(b"\r\n");
    }
    bytes
}
