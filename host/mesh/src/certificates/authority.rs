//! A certificate authority in memory: one root, and the certificates that it makes.

use super::CertificateError;
use crate::identity::{SpiffeId, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::time::{Duration, SystemTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// How far the clocks of two hosts may differ: Dapr's `allowedClockSkew`.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(15 * 60);

/// An app's new certificate.
#[derive(Debug)]
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its private key, PKCS #8.
    pub key: PrivatePkcs8KeyDer<'static>,
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// The private key in PEM.
    pub key_pem: String,
}

/// A root with its key.
#[derive(Debug)]
pub(super) struct Authority {
    pub certificate: CertificateDer<'static>,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
    key: KeyPair,
}

impl Authority {
    /// Makes a new root.
    pub fn generate(
        trust_domain: &TrustDomain,
        now: SystemTime,
        life: Duration,
    ) -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(wrong)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = common_name("berth development CA");
        // X.509-SVID standard, section 4.2: a signing certificate names its trust domain.
        params.subject_alt_names = vec![uri(&format!("spiffe://{trust_domain}"))?];
        params.not_before = now.into();
        params.not_after = (now + life).into();
        let certificate = params.self_signed(&key).map_err(wrong)?.der().clone();
        Self::new(certificate, key)
    }

    /// A root that was made before.
    pub fn read(
        certificate: CertificateDer<'static>,
        key: &PrivateKeyDer<'_>,
    ) -> Result<Self, CertificateError> {
        let key = KeyPair::try_from(key).map_err(wrong)?;
        Self::new(certificate, key)
    }

    fn new(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Self, CertificateError> {
        let (_, parsed) = X509Certificate::from_der(&certificate)
            .map_err(|error| CertificateError::Crypto(error.to_string()))?;
        let moment = |seconds: i64| {
            SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
        };
        let not_before = moment(parsed.validity().not_before.timestamp());
        let not_after = moment(parsed.validity().not_after.timestamp());
        Ok(Self {
            certificate,
            not_before,
            not_after,
            key,
        })
    }

    /// The private key in PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Makes the certificate of an app, for use as client and as server.
    pub fn issue(
        &self,
        id: &SpiffeId,
        now: SystemTime,
        life: Duration,
    ) -> Result<IssuedCertificate, CertificateError> {
        let issuer = Issuer::from_ca_cert_der(&self.certificate, &self.key).map_err(wrong)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(wrong)?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![uri(&id.to_string())?];
        params.distinguished_name = common_name(id.workload.app.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        params.not_before = (now - CLOCK_SKEW).into();
        params.not_after = (now + life).min(self.not_after).into();
        let certificate = params.signed_by(&key, &issuer).map_err(wrong)?;
        Ok(IssuedCertificate {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
            key_pem: key.serialize_pem(),
        })
    }
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn uri(text: &str) -> Result<SanType, CertificateError> {
    Ok(SanType::URI(text.try_into().map_err(wrong)?))
}

fn wrong(error: rcgen::Error) -> CertificateError {
    CertificateError::Crypto(error.to_string())
}
