//! Why the other side of a handshake was not accepted.

use crate::identity::{SpiffeId, TrustDomain};
use rustls::{AlertDescription, CertificateError, Error, OtherError};
use std::{io, sync::Arc};

/// Why a peer's certificate was refused. Each case is one value of the label `reason` of a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// No certificate was shown.
    #[error("it shows no certificate")]
    Absent,
    /// What was shown is no certificate.
    #[error("its certificate cannot be read: {0}")]
    Malformed(String),
    /// The certificate is not an app's.
    #[error("its certificate is not that of an app: {0}")]
    NoIdentity(String),
    /// The validity is over.
    #[error("its certificate has expired")]
    Expired,
    /// The validity has not begun: often a clock that is wrong.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// No trusted authority has made it.
    #[error("its certificate comes from an authority that is not trusted here")]
    UnknownAuthority,
    /// It fails some other check of the chain.
    #[error("its certificate is refused: {0}")]
    Refused(String),
    /// An authority that is trusted vouches for another domain.
    #[error("it is of the trust domain `{found}`, not of `{expected}`")]
    TrustDomain {
        /// Ours.
        expected: TrustDomain,
        /// The peer's.
        found: TrustDomain,
    },
    /// Another app of the same domain.
    #[error("it is `{found}`, not the app that was meant")]
    Identity {
        /// Who answered.
        found: SpiffeId,
    },
}

impl PeerError {
    /// The value of the label `reason`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Absent => "no_certificate",
            Self::Malformed(_) => "certificate_malformed",
            Self::NoIdentity(_) => "no_identity",
            Self::Expired => "certificate_expired",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::UnknownAuthority => "unknown_authority",
            Self::Refused(_) => "certificate_refused",
            Self::TrustDomain { .. } => "wrong_trust_domain",
            Self::Identity { .. } => "wrong_identity",
        }
    }
}

impl From<webpki::Error> for PeerError {
    fn from(error: webpki::Error) -> Self {
        match error {
            webpki::Error::CertExpired { .. } => Self::Expired,
            webpki::Error::CertNotValidYet { .. } => Self::NotYetValid,
            // A root of the same name whose key is another one.
            webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
                Self::UnknownAuthority
            }
            webpki::Error::BadDer => Self::Malformed(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}

/// The alert that the peer gets depends on the variant; the full reason stays within and comes out by `refusal`.
impl From<PeerError> for Error {
    fn from(error: PeerError) -> Self {
        Self::InvalidCertificate(match error {
            PeerError::Expired => CertificateError::Expired,
            PeerError::NotYetValid => CertificateError::NotValidYet,
            PeerError::UnknownAuthority => CertificateError::UnknownIssuer,
            other => CertificateError::Other(OtherError(Arc::new(other))),
        })
    }
}

/// Our own reason to end a handshake, if the error of the stream is one.
pub(crate) fn refusal(error: &io::Error) -> Option<PeerError> {
    match tls_error(error)? {
        Error::NoCertificatesPresented => Some(PeerError::Absent),
        Error::InvalidCertificate(CertificateError::Expired) => Some(PeerError::Expired),
        Error::InvalidCertificate(CertificateError::NotValidYet) => Some(PeerError::NotYetValid),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            Some(PeerError::UnknownAuthority)
        }
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            inner.downcast_ref().cloned()
        }
        Error::InvalidCertificate(other) => Some(PeerError::Refused(other.to_string())),
        _ => None,
    }
}

/// What the peer says of us, if the error of the stream is its alert (RFC 8446 section 6).
pub(crate) fn told_by_peer(error: &io::Error) -> Option<&'static str> {
    let Error::AlertReceived(alert) = tls_error(error)? else {
        return None;
    };
    Some(match alert {
        AlertDescription::CertificateExpired => {
            "it refuses our certificate as expired or not yet valid"
        }
        AlertDescription::UnknownCA => "it does not trust the authority of our certificate",
        AlertDescription::CertificateRequired => "it asks for a certificate",
        AlertDescription::AccessDenied
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown => "it refuses our certificate",
        AlertDescription::UnrecognisedName => "it has no certificate of the app",
        AlertDescription::NoApplicationProtocol => "it does not speak HTTP/2",
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3",
        _ => "it ended the TLS handshake",
    })
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}
