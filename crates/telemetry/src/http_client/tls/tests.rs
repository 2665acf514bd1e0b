//! Tests of handshakes with right, wrong and absent certificates.

use super::super::{REQUEST_TIMEOUT, send_request};
use super::*;
use http::{Request, StatusCode};
use http_body_util::Full;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ServerConfig, version};

const NAME: &str = "collector.lan";

/// A certificate authority, and a root store that trusts it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    roots: RootCertStore,
}

impl Authority {
    fn called(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let mut roots = RootCertStore::empty();
        let certificate = params.self_signed(&key).unwrap();
        roots.add(certificate.der().clone()).unwrap();
        let issuer = Issuer::new(params, key);
        Self { issuer, roots }
    }

    /// Returns a server with a certificate for [`NAME`], as altered by `change`.
    fn server(&self, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        showing(certificate.der().clone(), &key)
    }

    fn config(&self) -> Arc<ClientConfig> {
        Arc::new(build_client_config(self.roots.clone()).unwrap())
    }
}

fn showing(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_no_client_auth();
    builder.with_single_cert(vec![certificate], key).unwrap()
}

/// Sends a request to a server at the other end of a pipe.
async fn exchange_with(
    known: Arc<ClientConfig>,
    server: impl AsyncFnOnce(DuplexStream) -> io::Result<()>,
) -> Result<(), TlsFailure> {
    let roots = TrustedRoots(Arc::new(Mutex::new(Some(known))));
    let (near, far) = duplex(64 * 1024);
    let name = ServerName::try_from(NAME).unwrap();
    let shaking = roots.handshake(name, near);
    let asking = send_request(shaking, Request::new(Full::default()), 0, REQUEST_TIMEOUT);
    match tokio::join!(asking, server(far)).0 {
        Ok(answer) => {
            assert_eq!(answer.status, StatusCode::NO_CONTENT);
            Ok(())
        }
        Err(HttpClientError::Tls(flaw)) => Err(flaw),
        Err(other) => panic!("{other:?}"),
    }
}

/// Answers the first byte with 204.
async fn answer(server: ServerConfig, stream: DuplexStream) -> io::Result<()> {
    let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await?;
    stream.read_u8().await?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    stream.flush().await
}

#[tokio::test]
async fn who_shows_a_trusted_certificate_of_that_name_is_spoken_to() {
    let authority = Authority::called("one");
    let server = authority.server(|_| {});
    let result = exchange_with(authority.config(), async |far| answer(server, far).await).await;
    assert_eq!(result, Ok(()));
}

#[tokio::test]
async fn a_certificate_that_is_not_right_is_refused_with_a_reason() {
    let authority = Authority::called("one");
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let not_yet = |params: &mut CertificateParams| params.not_before = date_time_ymd(3000, 1, 1);
    let named = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        authority.server(|params| *params = CertificateParams::new(names).unwrap())
    };
    let ca = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    for (server, flaw) in [
        (
            Authority::called("two").server(|_| {}),
            TlsFailure::Untrusted,
        ),
        (
            Authority::called("one").server(|_| {}),
            TlsFailure::Untrusted,
        ),
        (authority.server(expired), TlsFailure::Expired),
        (authority.server(not_yet), TlsFailure::NotYetValid),
        (
            named(&["other.lan", "192.0.2.7"]),
            TlsFailure::WrongName("other.lan, 192.0.2.7".to_owned()),
        ),
        (
            named(&[]),
            TlsFailure::WrongName("none in subjectAltName".to_owned()),
        ),
        (authority.server(ca), TlsFailure::CaCertificate),
    ] {
        let result = exchange_with(authority.config(), async |far| answer(server, far).await).await;
        assert_eq!(result, Err(flaw));
    }
}

#[tokio::test]
async fn who_is_not_trusted_makes_the_authorities_be_read_again() {
    let [authority, other] = ["one", "two"].map(Authority::called);
    for (server, known) in [
        (authority.server(|_| {}), true),
        (other.server(|_| {}), false),
    ] {
        let roots = TrustedRoots(Arc::new(Mutex::new(Some(authority.config()))));
        let (near, far) = duplex(64 * 1024);
        let name = ServerName::try_from(NAME).unwrap();
        let accepting = TlsAcceptor::from(Arc::new(server)).accept(far);
        let (shaken, _) = tokio::join!(roots.handshake(name, near), accepting);
        assert_eq!(
            (shaken.is_ok(), roots.cached_config().is_some()),
            (known, known)
        );
    }
}

#[tokio::test]
async fn who_refuses_the_handshake_is_said_to() {
    let authority = Authority::called("one");
    let mut picky = authority.server(|_| {});
    picky.alpn_protocols = vec![b"h2".to_vec()];
    let result = exchange_with(authority.config(), async |far| answer(picky, far).await).await;
    assert_eq!(
        result,
        Err(TlsFailure::Refused("NoApplicationProtocol".to_owned()))
    );
    for version in [&version::TLS12, &version::TLS13] {
        let wants = wants_a_certificate(&authority, version);
        let result = exchange_with(authority.config(), async |far| answer(wants, far).await).await;
        assert!(
            matches!(&result, Err(TlsFailure::Refused(_))),
            "{version:?}: {result:?}"
        );
    }
}

/// Returns a server that demands a client certificate.
fn wants_a_certificate(
    authority: &Authority,
    version: &'static tokio_rustls::rustls::SupportedProtocolVersion,
) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(authority.roots.clone());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([NAME.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    let builder = builder.with_client_cert_verifier(verifier.build().unwrap());
    let shown = vec![certificate.der().clone()];
    builder.with_single_cert(shown, key).unwrap()
}

#[tokio::test]
async fn who_does_not_speak_tls_is_said_not_to() {
    for (says, flaw) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], TlsFailure::NotTls),
        (b"220 mail ESMTP\r\n", TlsFailure::NotTls),
        (b"", TlsFailure::Closed),
    ] {
        let result = exchange_with(Authority::called("one").config(), async |mut far| {
            far.write_all(says).await
        });
        assert_eq!(result.await, Err(flaw));
    }
}
