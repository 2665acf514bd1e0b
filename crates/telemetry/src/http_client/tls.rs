//! Secures paddock's own requests with TLS. Root certificates are read on the first https connection.

mod failure;

use super::HttpClientError;
use paddock_supervisor::blocking;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub(crate) use failure::TlsFailure;

/// Trusted root certificates: the system store, or `SSL_CERT_FILE` and `SSL_CERT_DIR`. Loaded on first use.
#[derive(Debug, Clone, Default)]
pub(super) struct TrustedRoots(Arc<Mutex<Option<Arc<ClientConfig>>>>);

impl TrustedRoots {
    /// Runs the handshake with a peer that must present a certificate for `name`.
    pub(super) async fn handshake<S>(
        &self,
        name: ServerName<'static>,
        stream: S,
    ) -> Result<TlsStream<S>, HttpClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let known = self.cached_config().clone();
        let config = match known {
            Some(config) => config,
            None => self.load_config().await?,
        };
        let connected = TlsConnector::from(config).connect(name, stream).await;
        connected.map_err(|error| {
            let failure = TlsFailure::from_handshake(&error);
            if matches!(failure, TlsFailure::Untrusted) {
                // The store may have changed since it was read.
                *self.cached_config() = None;
            }
            failure.into()
        })
    }

    /// Reads the root certificates and keeps them.
    async fn load_config(&self) -> Result<Arc<ClientConfig>, TlsFailure> {
        let reading = blocking::run(load_roots).await;
        let roots = reading.unwrap_or_else(|error| Err(TlsFailure::NoRoots(error.to_string())))?;
        let config = Arc::new(build_client_config(roots)?);
        *self.cached_config() = Some(Arc::clone(&config));
        Ok(config)
    }

    /// Locks the TLS configuration with the root certificates read so far, if any.
    fn cached_config(&self) -> std::sync::MutexGuard<'_, Option<Arc<ClientConfig>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the trusted root certificates; fails if there are none.
fn load_roots() -> Result<RootCertStore, TlsFailure> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first();
        let why = why.map_or_else(|| "there is none".to_owned(), ToString::to_string);
        return Err(TlsFailure::NoRoots(why));
    }
    roots.roots.shrink_to_fit();
    Ok(roots)
}

fn build_client_config(roots: RootCertStore) -> Result<ClientConfig, TlsFailure> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsFailure::Other(error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests;
