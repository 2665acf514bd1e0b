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
        "no certificates of authorities can be read ({0}): install ca-certificates, or name a file of them in \
         SSL_CERT_FILE"
    )]
    NoRoots(String),
    #[error(
        "its certificate is not trusted: if it is the right one, name a file with the certificate of the \
         authority that signed it in SSL_CERT_FILE, or add that one to the system's"
    )]
    Untrusted,
    #[error(
        "its certificate is an authority's own (CA:TRUE), which no server may show: give it one for a server, \
         and name a file with the authority's in SSL_CERT_FILE"
    )]
    CaCertificate,
    #[error("its certificate has expired: renew it there, or set the clock of this machine")]
    Expired,
    #[error(
        "its certificate is not valid yet: set the clock of this machine, or of where it was made"
    )]
    NotYetValid,
    #[error(
        "its certificate is for other names ({0}): write the address with one of them, or have one made for the \
         host that is written"
    )]
    WrongName(String),
    #[error("its certificate will not do ({0}): give it another")]
    Certificate(String),
    #[error(
        "it refuses the handshake ({0}): paddock offers TLS 1.2 and 1.3 with HTTP/1.1, and shows no certificate \
         of its own"
    )]
    Refused(String),
    #[error("it does not speak TLS there: write http://, or the port where it does")]
    NotTls,
    #[error("it closes the connection in the handshake: is that the port where it speaks TLS?")]
    Closed,
    #[error("no TLS with it: {0}")]
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
        return "none as subjectAltName".to_owned();
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
