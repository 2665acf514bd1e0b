//! Classifies TLS failures, each with a remedy for the operator.

use std::error::Error;
use std::io;
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, Error as TlsError, InvalidMessage, OtherError,
};

/// Maximum characters quoted from a peer's text.
const MAX_QUOTED_CHARS: usize = 200;

/// Reason for a failed TLS session, and the remedy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    #[error(
        "cannot read any root certificates ({0}): install ca-certificates, or set SSL_CERT_FILE to a file with \
         root certificates"
    )]
    NoRoots(String),
    #[error(
        "its certificate is not trusted: if it is the right one, add the certificate of the authority that signed \
         it to the system's trust store, or set SSL_CERT_FILE to a file with that certificate"
    )]
    Untrusted,
    #[error(
        "its certificate is a CA certificate (CA:TRUE), which a server must not use: give it a server \
         certificate, and set SSL_CERT_FILE to a file with the CA certificate"
    )]
    CaCertificate,
    #[error("its certificate has expired: renew it, or correct this machine's clock")]
    Expired,
    #[error(
        "its certificate is not valid yet: correct the clock of this machine, or of the one that issued it"
    )]
    NotYetValid,
    #[error(
        "its certificate does not match the host in the URL (names in the certificate: {0}): use one of \
         these names, or issue a certificate for that host"
    )]
    WrongName(String),
    #[error("its certificate is not acceptable ({0}): replace it")]
    Certificate(String),
    #[error(
        "it rejected the TLS handshake ({0}): paddock offers TLS 1.2 and 1.3 with HTTP/1.1, and has no client \
         certificate"
    )]
    Refused(String),
    #[error("it does not use TLS on this port: write http://, or use its TLS port")]
    NotTls,
    #[error("it closed the connection during the TLS handshake: is this its TLS port?")]
    Closed,
    #[error("TLS failed: {0}")]
    Other(String),
}

impl TlsFailure {
    /// Classifies a failed handshake.
    pub(super) fn from_handshake(error: &io::Error) -> Self {
        match (rustls_error(error), error.kind()) {
            (Some(error), _) => Self::from_rustls(error),
            (
                None,
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe,
            ) => Self::Closed,
            (None, _) => Self::Other(error.to_string()),
        }
    }

    /// Returns the TLS failure among an error's causes, if any.
    pub(in crate::http_client) fn find_in(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut errors = std::iter::successors(Some(error), |error| (*error).source());
        errors.find_map(|error| {
            error
                .downcast_ref()
                .and_then(rustls_error)
                .map(Self::from_rustls)
        })
    }

    fn from_rustls(error: &TlsError) -> Self {
        match error {
            TlsError::InvalidCertificate(error) => Self::from_certificate(error),
            TlsError::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            TlsError::AlertReceived(AlertDescription::Unknown(number)) => {
                Self::Refused(format!("alert {number}"))
            }
            TlsError::AlertReceived(alert) => Self::Refused(format!("{alert:?}")),
            TlsError::PeerIncompatible(why) => Self::Refused(format!("{why:?}")),
            TlsError::NoApplicationProtocol => Self::Refused("no HTTP/1.1".to_owned()),
            other => Self::Other(truncate(&other.to_string())),
        }
    }

    fn from_certificate(error: &CertificateError) -> Self {
        match error {
            // The signature is bad if an authority of the same name has another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::WrongName(format_names(presented))
            }
            CertificateError::Other(OtherError(why)) if is_authority(&**why) => Self::CaCertificate,
            other => Self::Certificate(truncate(&other.to_string())),
        }
    }
}

/// Returns the rustls error inside an I/O error.
fn rustls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// Returns the names in a certificate; rustls shows each as `DnsName("collector.lan")`.
fn format_names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "none in subjectAltName".to_owned();
    }
    let bare = presented.iter().map(|name| {
        let inner = name.split_once('(').map_or(&**name, |(_, inner)| inner);
        inner.trim_matches(['"', ')'])
    });
    truncate(&bare.collect::<Vec<_>>().join(", "))
}

fn is_authority(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

fn truncate(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
}
