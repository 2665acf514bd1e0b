//! Builds the TLS configuration: the system's root certificates, or Mozilla's if the system has none.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, Error, RootCertStore};

/// Builds the configuration. Reads the root certificates of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
///
/// A bare Debian has no root certificates, and the first download must work there, so this crate contains Mozilla's.
pub(crate) fn build_tls_config() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
