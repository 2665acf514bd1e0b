use std::error::Error;
use std::io;
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, Error as TlsError, InvalidMessage, OtherError,
};

/// The longest that is repeated of what somebody else has written, in characters.
const MOST: usize = 200;

/// Why there is no TLS with somebody, and what to do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error(
        "no certificates of authorities can be read ({0}): install ca-certificates, or name a file of them in \
         SSL_CERT_FILE"
    )]
    Authorities(String),
    #[error(
        "its certificate is not trusted: if it is the right one, name a file with the certificate of the \
         authority that signed it in SSL_CERT_FILE, or add that one to the system's"
    )]
    Untrusted,
    #[error(
        "its certificate is an authority's own (CA:TRUE), which no server may show: give it one for a server, \
         and name a file with the authority's in SSL_CERT_FILE"
    )]
    Authority,
    #[error("its certificate has expired: renew it there, or set the clock of this machine")]
    Expired,
    #[error(
        "its certificate is not valid yet: set the clock of this machine, or of where it was made"
    )]
    NotYet,
    #[error(
        "its certificate is for other names ({0}): write the address with one of them, or have one made for the \
         host that is written"
    )]
    Name(String),
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

impl Flaw {
    /// Why a handshake has failed.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        match (within(error), error.kind()) {
            (Some(error), _) => Self::of(error),
            (
                None,
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe,
            ) => Self::Closed,
            (None, _) => Self::Other(error.to_string()),
        }
    }

    /// What of TLS is behind an error, if anything is.
    pub(in crate::outgoing) fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut errors = std::iter::successors(Some(error), |error| (*error).source());
        errors.find_map(|error| error.downcast_ref().and_then(within).map(Self::of))
    }

    fn of(error: &TlsError) -> Self {
        match error {
            TlsError::InvalidCertificate(error) => Self::of_certificate(error),
            TlsError::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            TlsError::AlertReceived(AlertDescription::Unknown(number)) => {
                Self::Refused(format!("alert {number}"))
            }
            TlsError::AlertReceived(alert) => Self::Refused(format!("{alert:?}")),
            TlsError::PeerIncompatible(why) => Self::Refused(format!("{why:?}")),
            TlsError::NoApplicationProtocol => Self::Refused("no HTTP/1.1".to_owned()),
            other => Self::Other(cut(&other.to_string())),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            // The signature is bad where an authority of the same name has another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYet
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::Name(names(presented))
            }
            CertificateError::Other(OtherError(why)) if is_authority(&**why) => Self::Authority,
            other => Self::Certificate(cut(&other.to_string())),
        }
    }
}

/// What of TLS is in an error of a stream.
fn within(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// The names that a certificate is for, of which each comes as `DnsName("collector.lan")`.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "none as subjectAltName".to_owned();
    }
    let bare = presented.iter().map(|name| {
        let inner = name.split_once('(').map_or(&**name, |(_, inner)| inner);
        inner.trim_matches(['"', ')'])
    });
    cut(&bare.collect::<Vec<_>>().join(", "))
}

fn is_authority(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

fn cut(text: &str) -> String {
    text.chars().take(MOST).collect()
}
