//! The certificates in use at one moment.

use super::{CertificateError, Material};
use crate::{
    identity::{Leaf, TrustDomain, server_name},
    tls::{WorkloadKey, client_config, server_config},
};
use berth_blocks::invocation::Target;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{collections::HashMap, sync::Arc};

/// What a calling app shows. Two are the same exactly if they are one `Arc`.
#[derive(Debug)]
pub(crate) struct ClientKey {
    pub leaf: Leaf,
    pub config: Arc<ClientConfig>,
    own: WorkloadKey,
}

/// A set of certificates; never changed, only replaced.
#[derive(Debug)]
pub(crate) struct Keys {
    pub trust_domain: TrustDomain,
    authorities: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    clients: HashMap<Target, Arc<ClientKey>>,
    by_name: Arc<ByName>,
    pub server: Arc<ServerConfig>,
}

impl Keys {
    /// No certificates at all: every handshake fails.
    pub fn none(trust_domain: TrustDomain) -> Result<Self, CertificateError> {
        let material = Material {
            roots: Vec::new(),
            workloads: Vec::new(),
        };
        Self::build(trust_domain, material, None)
    }

    /// The set made of what a source gave. Whatever is as it was `before` stays the same `Arc`, so that connections
    /// which rest on it go on.
    pub fn build(
        trust_domain: TrustDomain,
        material: Material,
        before: Option<&Self>,
    ) -> Result<Self, CertificateError> {
        let (roots, are_new) = match before {
            Some(before) if before.authorities == material.roots => (before.roots.clone(), false),
            _ => (roots(&material.roots)?, true),
        };
        let mut clients = HashMap::new();
        let mut by_name = HashMap::new();
        for workload in material.workloads {
            let key = WorkloadKey::new(workload.chain, &workload.key).map_err(|error| {
                CertificateError::Crypto(format!("{}: {error}", workload.origin))
            })?;
            if key.leaf.id.trust_domain != trust_domain {
                return Err(CertificateError::Crypto(format!(
                    "{}: it is for `{}`, but the trust domain is `{trust_domain}`",
                    workload.origin, key.leaf.id
                )));
            }
            let target = key.leaf.id.workload.clone();
            let same = before
                .filter(|_| !are_new)
                .and_then(|before| before.clients.get(&target))
                .filter(|client| client.own.key.cert == key.key.cert);
            let client = match same {
                Some(client) => client.clone(),
                None => Arc::new(client(&trust_domain, &roots, key)?),
            };
            by_name.insert(server_name(&target).as_ref().to_owned(), client.clone());
            clients.insert(target, client);
        }
        let by_name = Arc::new(ByName(by_name));
        let server = server_config(&trust_domain, &roots, by_name.clone())
            .map_err(|error| CertificateError::Crypto(error.to_string()))?;
        Ok(Self {
            trust_domain,
            authorities: material.roots,
            roots,
            clients,
            by_name,
            server: Arc::new(server),
        })
    }

    /// What a calling app shows.
    pub fn client(&self, caller: &Target) -> Option<&Arc<ClientKey>> {
        self.clients.get(caller)
    }

    /// The app that has the name which was asked for in a handshake.
    pub fn named(&self, name: &str) -> Option<&Target> {
        self.by_name
            .0
            .get(name)
            .map(|client| &client.leaf.id.workload)
    }

    /// Certificates in this set that were not in the one before.
    pub fn renewed(&self, before: &Self) -> usize {
        let is_new = |(target, client): &(&Target, &Arc<ClientKey>)| {
            !before
                .clients
                .get(target)
                .is_some_and(|old| Arc::ptr_eq(old, client))
        };
        self.clients.iter().filter(is_new).count()
    }

    /// Every certificate.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.clients.values().map(|client| &client.leaf)
    }
}

fn client(
    trust_domain: &TrustDomain,
    roots: &Arc<RootCertStore>,
    own: WorkloadKey,
) -> Result<ClientKey, CertificateError> {
    let config = client_config(trust_domain, roots, &own)
        .map_err(|error| CertificateError::Crypto(error.to_string()))?;
    Ok(ClientKey {
        leaf: own.leaf.clone(),
        config: Arc::new(config),
        own,
    })
}

fn roots(authorities: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        roots.add(certificate.clone()).map_err(|error| {
            CertificateError::Crypto(format!("certificate of an authority: {error}"))
        })?;
    }
    Ok(Arc::new(roots))
}

/// Chooses a server's certificate by the name that the caller asks for.
#[derive(Debug)]
struct ByName(HashMap<String, Arc<ClientKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let client = self.0.get(hello.server_name()?)?;
        Some(client.own.key.clone())
    }
}
