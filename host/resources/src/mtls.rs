//! `spec.mtls` of a Configuration: how hosts trust each other.

use crate::{Origin, fields::Fields, reader::Reading};
use std::time::Duration;

/// How hosts trust each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MutualTls {
    /// `enabled`: calls between hosts are encrypted and both sides prove who they are. `false` asks for plain text, which
    /// stays on one machine.
    pub enabled: bool,
    /// `workloadCertTTL`: how long a certificate that the development CA issues is good.
    pub certificate_life: Option<Duration>,
    /// Where the field stands.
    pub origin: Origin,
}

/// A certificate has to outlive the pauses between two looks at its source.
const LIFE_MIN: Duration = Duration::from_secs(60);
/// That of the authority.
const LIFE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

impl MutualTls {
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let origin = reading.origin(fields.place());
        let enabled = fields.optional("enabled", reading);
        let enabled = enabled.and_then(|field| field.boolean(reading));
        let life = fields.optional("workloadCertTTL", reading);
        let life = life.and_then(|field| field.duration(LIFE_MIN..=LIFE_MAX, reading));
        fields.not_applied(
            &[
                "allowedClockSkew",
                "controlPlaneTrustDomain",
                "sentryAddress",
                "tokenValidators",
            ],
            reading,
        );
        fields.finish(reading);
        Self {
            enabled: enabled.unwrap_or(true),
            certificate_life: life,
            origin,
        }
    }
}
