//! What Configuration documents say for the host as a whole, so that they have to agree: how others are found, how
//! hosts trust each other.

use berth_mesh::TrustDomain;
use berth_resources::{
    AppId, Diagnostic, MutualTls, NameResolution, Namespace, Origin, Resources, Severity,
};
use std::{collections::HashSet, time::Duration};

const HOST: &str = "the host as a whole";

/// What holds for the host.
#[derive(Debug, Default)]
pub struct Agreed {
    /// `spec.nameResolution`, and the namespace of the document that has it.
    pub resolution: Option<(Namespace, NameResolution)>,
    /// `spec.mtls.enabled: false`, and where it stands.
    pub plain: Option<Origin>,
    /// `spec.mtls.workloadCertTTL`
    pub certificate_life: Option<Duration>,
    /// `spec.accessControl.trustDomain`
    pub trust_domain: TrustDomain,
}

impl Agreed {
    /// Reads them.
    ///
    /// # Errors
    /// Documents that contradict each other, and settings that no resolver has.
    pub fn of(resources: &Resources) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Vec::new();
        let configurations = &resources.configurations;
        let resolutions = configurations.iter().filter_map(|configuration| {
            let resolution = configuration.name_resolution.as_ref()?;
            Some(((configuration, resolution), &resolution.origin))
        });
        let same = |(_, one): &(_, &NameResolution), (_, other): &(_, &NameResolution)| {
            is_same(one, other)
        };
        let resolution = one(
            ("spec.nameResolution", HOST),
            resolutions,
            same,
            &mut findings,
        );
        if let Some((_, resolution)) = resolution {
            findings.extend(berth_drivers::check_resolver(resolution));
        }
        let mtls = configurations.iter().filter_map(|configuration| {
            let mtls = configuration.mtls.as_ref()?;
            Some((mtls, &mtls.origin))
        });
        let same = |one: &&MutualTls, other: &&MutualTls| {
            (one.enabled, one.certificate_life) == (other.enabled, other.certificate_life)
        };
        let mtls = one(("spec.mtls", HOST), mtls, same, &mut findings);
        let domains = configurations.iter().filter_map(|configuration| {
            let domain = configuration
                .access_control
                .as_ref()?
                .trust_domain
                .as_ref()?;
            Some((domain.name.as_str(), &domain.origin))
        });
        let same = |one: &&str, other: &&str| one == other;
        let field = "spec.accessControl.trustDomain";
        let domain = one((field, HOST), domains, same, &mut findings);
        findings.extend(taken_names(resources));
        if !findings.is_empty() {
            return Err(findings);
        }
        Ok(Self {
            resolution: resolution.map(|(configuration, resolution)| {
                (configuration.namespace.clone(), resolution.clone())
            }),
            plain: mtls
                .filter(|mtls| !mtls.enabled)
                .map(|mtls| mtls.origin.clone()),
            certificate_life: mtls.and_then(|mtls| mtls.certificate_life),
            // Documents are read with the same rules.
            trust_domain: domain
                .and_then(|domain| domain.parse().ok())
                .unwrap_or_default(),
        })
    }
}

/// Whether two documents find others in the same way, wherever they stand.
pub fn is_same(one: &NameResolution, other: &NameResolution) -> bool {
    let settings = |resolution: &NameResolution| {
        let items = resolution.settings.iter();
        let pairs = items.map(|item| (item.name.to_ascii_lowercase(), item.value.clone()));
        pairs.collect::<Vec<_>>()
    };
    (one.component, &one.apps) == (other.component, &other.apps) && settings(one) == settings(other)
}

/// The first of several, all of which have to say the same.
pub fn one<'d, T: 'd>(
    (field, scope): (&str, &str),
    mut all: impl Iterator<Item = (T, &'d Origin)>,
    same: impl Fn(&T, &T) -> bool,
    findings: &mut Vec<Diagnostic>,
) -> Option<T> {
    let (first, first_at) = all.next()?;
    for (other, at) in all {
        if !same(&first, &other) {
            findings.push(Diagnostic {
                origin: at.clone(),
                severity: Severity::Error,
                message: format!("`{field}` holds for {scope}, and {first_at} says something else"),
                hint: Some("remove one of them, or give both the same value".to_owned()),
            });
        }
    }
    Some(first)
}

/// An app and a service outside cannot share a name: calls would always reach the app.
fn taken_names(resources: &Resources) -> Vec<Diagnostic> {
    let apps = resources.apps.iter();
    let apps: HashSet<(&Namespace, &AppId)> = apps.map(|app| (&app.namespace, &app.id)).collect();
    let endpoints = resources.http_endpoints.iter();
    let taken = endpoints.filter(|endpoint| apps.contains(&(&endpoint.namespace, &endpoint.name)));
    let finding = |endpoint: &berth_resources::HttpEndpoint| Diagnostic {
        origin: endpoint.origin.clone(),
        severity: Severity::Error,
        message: format!(
            "HTTPEndpoint `{}` has the name of an app, which would get all of its calls",
            endpoint.name
        ),
        hint: Some("give one of them another name".to_owned()),
    };
    taken.map(finding).collect()
}
