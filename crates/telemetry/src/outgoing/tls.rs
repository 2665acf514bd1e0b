//! TLS with whom paddock asks by https. No certificate is read before there is such a one.

mod flaw;

use super::Silent;
use paddock_supervisor::blocking;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub(crate) use flaw::Flaw;

/// Whom paddock trusts to say who somebody is: the system's authorities, or those in `SSL_CERT_FILE` and
/// `SSL_CERT_DIR`.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust(Arc<Mutex<Option<Arc<ClientConfig>>>>);

impl Trust {
    /// Begins TLS with who has to be of this name.
    pub(super) async fn shake<S>(
        &self,
        name: ServerName<'static>,
        stream: S,
    ) -> Result<TlsStream<S>, Silent>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let known = self.slot().clone();
        let config = match known {
            Some(config) => config,
            None => self.read().await?,
        };
        let shaken = TlsConnector::from(config).connect(name, stream).await;
        shaken.map_err(|error| {
            let flaw = Flaw::of_handshake(&error);
            if matches!(flaw, Flaw::Untrusted) {
                // There may be other authorities since they were read.
                *self.slot() = None;
            }
            flaw.into()
        })
    }

    /// Reads the authorities' certificates.
    async fn read(&self) -> Result<Arc<ClientConfig>, Flaw> {
        let reading = blocking::run(authorities).await;
        let roots = reading.unwrap_or_else(|error| Err(Flaw::Authorities(error.to_string())))?;
        let config = Arc::new(config(roots)?);
        *self.slot() = Some(Arc::clone(&config));
        Ok(config)
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<ClientConfig>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn authorities() -> Result<RootCertStore, Flaw> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first();
        let why = why.map_or_else(|| "there is none".to_owned(), ToString::to_string);
        return Err(Flaw::Authorities(why));
    }
    roots.roots.shrink_to_fit();
    Ok(roots)
}

fn config(roots: RootCertStore) -> Result<ClientConfig, Flaw> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Flaw::Other(error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests;
