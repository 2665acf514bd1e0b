//! Downloads over TLS.

use std::fs;
use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use paddock_e2e::mirror::hub::read_head;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Outcome, Scene, content};

/// Starts a server that answers `/m.gguf` with `content`, and `/moved.gguf` with a redirect to http. Returns its port,
/// and the certificate of the authority that has signed its own.
fn start(content: &[u8]) -> (u16, String) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_no_client_auth();
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = [
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            content.len()
        )
        .as_bytes(),
        content,
    ]
    .concat();
    // Ends with the test's process.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            // A client that trusts another authority leaves in the handshake.
            while let Ok(head) = read_head(&mut stream) {
                let moved = &b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/m.gguf\r\nContent-Length: 0\r\n\r\n"[..];
                let is_moved = head.starts_with("GET /moved.gguf");
                let _gone = stream
                    .get_mut()
                    .write_all(if is_moved { moved } else { &file });
            }
        }
    });
    (port, pem)
}

#[test]
fn a_file_is_fetched_only_from_a_trusted_server_and_never_without_encryption() {
    let bytes = content(91, 300_000);
    let (port, pem) = start(&bytes);
    let scene = Scene::new(&[]);
    let roots = scene.home.path().join("roots.pem");
    fs::write(&roots, pem).unwrap();
    let pull = |file: &str, roots: &str| {
        let mut command = scene.command(&[&format!("https://localhost:{port}/{file}")]);
        Outcome::from(command.env("SSL_CERT_FILE", roots).output().unwrap())
    };
    let trusted = roots.to_str().unwrap();
    let refused = pull("m.gguf", "/dev/null").failed_with("no secure connection to localhost");
    assert!(refused.stderr.contains("set SSL_CERT_FILE"), "{refused:?}");
    assert!(!refused.stderr.contains("retrying"), "{refused:?}");
    pull("moved.gguf", trusted).failed_with("could be read and altered");
    let directory = scene
        .home
        .path()
        .join(format!(".local/share/paddock/models/localhost_{port}"));
    assert_eq!(
        crate::support::names(&directory),
        [""; 0],
        "nothing is left"
    );
    pull("m.gguf", trusted).succeeded();
    assert!(fs::read(directory.join("m.gguf")).unwrap() == bytes);
}
