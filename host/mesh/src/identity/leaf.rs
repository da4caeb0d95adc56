//! What berth reads in the certificate of a workload: its ID and when it ends.

use super::SpiffeId;
use crate::tls::PeerError;
use rustls::pki_types::CertificateDer;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::{extensions::GeneralName, prelude::*};

/// A workload's certificate, taken apart. That somebody vouches for it is not checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Whose it is.
    pub id: SpiffeId,
    /// First moment of its validity.
    pub not_before: SystemTime,
    /// Last moment of its validity.
    pub not_after: SystemTime,
}

impl Leaf {
    /// Reads the certificate.
    ///
    /// # Errors
    /// It is none, or does not hold exactly one URI that is an app's SPIFFE ID.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, PeerError> {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|error| PeerError::Malformed(error.to_string()))?;
        let validity = parsed.validity();
        Ok(Self {
            id: read_id(&parsed)?,
            not_before: moment(validity.not_before.timestamp()),
            not_after: moment(validity.not_after.timestamp()),
        })
    }

    /// When two thirds of its life are over: time for the next one.
    pub fn renewal(&self) -> SystemTime {
        let life = self.not_after.duration_since(self.not_before);
        self.not_before + life.unwrap_or_default() * 2 / 3
    }
}

/// More than one URI would let a certificate be two apps at once: X.509-SVID standard, section 2.
fn read_id(certificate: &X509Certificate<'_>) -> Result<SpiffeId, PeerError> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| PeerError::Malformed(error.to_string()))?;
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => uri
            .parse()
            .map_err(|_| PeerError::NoIdentity(format!("its URI is `{uri}`"))),
        (None, _) => Err(PeerError::NoIdentity("it holds no URI".to_owned())),
        (Some(_), Some(_)) => Err(PeerError::NoIdentity("it holds several URIs".to_owned())),
    }
}

/// Times before 1970 count as 1970.
fn moment(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
