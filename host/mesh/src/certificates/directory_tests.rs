use super::*;
use crate::{CaOptions, DevelopmentCa, Keyring, TrustDomain};
use std::{os::unix::fs::PermissionsExt, sync::Arc};
use tempfile::TempDir;

fn app(name: &str) -> Target {
    Target {
        namespace: "shop".parse().unwrap(),
        app: name.parse().unwrap(),
    }
}

struct Place {
    scratch: TempDir,
    ca: DevelopmentCa,
}

impl Place {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let ca = DevelopmentCa::open(&scratch.path().join("ca"), CaOptions::default()).unwrap();
        Self { scratch, ca }
    }

    fn folder(&self) -> PathBuf {
        self.scratch.path().join("certificates")
    }

    async fn keyring(&self) -> Result<Arc<Keyring>, CertificateError> {
        let source = Arc::new(CertificateDirectory::new(self.folder()));
        Keyring::open(TrustDomain::default(), source, HashSet::new()).await
    }

    async fn told(&self) -> String {
        let error = self.keyring().await.map(drop).unwrap_err().to_string();
        error.replace(&self.scratch.path().display().to_string(), "")
    }
}

fn ids(keyring: &Keyring) -> Vec<String> {
    let mut ids: Vec<_> = keyring
        .expiries()
        .iter()
        .map(|(id, _)| id.to_string())
        .collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn certificates_are_found_under_the_names_of_both_worlds() {
    let place = Place::new();
    let folder = place.folder();
    place.ca.issue_into(&app("orders"), &folder).unwrap();
    place
        .ca
        .issue_into(&app("carts"), &folder.join("shop/carts"))
        .unwrap();
    let mode = fs::metadata(folder.join("tls.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // As SPIRE's helper writes them.
    let spire = folder.join("inventory");
    fs::create_dir(&spire).unwrap();
    let issued = place.ca.issue(&app("inventory")).unwrap();
    fs::write(spire.join("svid.pem"), issued.certificate_pem).unwrap();
    fs::write(spire.join("svid_key.pem"), issued.key_pem).unwrap();
    fs::write(
        spire.join("svid_bundle.pem"),
        place.ca.bundle_pem().unwrap(),
    )
    .unwrap();
    // As Kubernetes mounts a secret: what is hidden is not looked at twice.
    let hidden = folder.join("..data");
    fs::create_dir(&hidden).unwrap();
    fs::write(hidden.join("ca.crt"), "no PEM").unwrap();
    let keyring = place.keyring().await.unwrap();
    assert_eq!(
        ids(&keyring),
        [
            "spiffe://public/ns/shop/carts",
            "spiffe://public/ns/shop/inventory",
            "spiffe://public/ns/shop/orders"
        ]
    );
}

#[tokio::test]
async fn a_renewed_certificate_is_seen_and_a_broken_one_changes_nothing() {
    let place = Place::new();
    place
        .ca
        .issue_into(&app("orders"), &place.folder())
        .unwrap();
    let keyring = place.keyring().await.unwrap();
    assert_eq!(keyring.refresh().await.unwrap(), 0);
    place
        .ca
        .issue_into(&app("orders"), &place.folder())
        .unwrap();
    assert_eq!(keyring.refresh().await.unwrap(), 1);
    fs::write(place.folder().join("tls.crt"), "half a fi").unwrap();
    assert!(keyring.refresh().await.is_err());
    assert_eq!(ids(&keyring), ["spiffe://public/ns/shop/orders"]);
}

#[tokio::test]
async fn what_is_wrong_names_the_file() {
    let place = Place::new();
    assert_eq!(
        place.told().await,
        "`/certificates`: No such file or directory (os error 2)"
    );
    fs::create_dir(place.folder()).unwrap();
    assert_eq!(
        place.told().await,
        "`/certificates`: no authority to trust: expected `ca.crt` or `svid_bundle.pem` in it or below"
    );
    place
        .ca
        .issue_into(&app("orders"), &place.folder())
        .unwrap();
    let other = place.ca.issue(&app("carts")).unwrap();
    fs::write(place.folder().join("tls.key"), other.key_pem).unwrap();
    let told = place.told().await;
    assert!(told.starts_with("`/certificates/tls.crt`: "), "{told}");
    fs::write(place.folder().join("tls.key"), "nonsense").unwrap();
    assert!(place.told().await.starts_with("`/certificates/tls.key`: "));
}

#[tokio::test]
async fn a_certificate_of_another_trust_domain_is_refused_at_the_start() {
    let place = Place::new();
    let options = CaOptions {
        trust_domain: "partner".parse().unwrap(),
        ..CaOptions::default()
    };
    let partner = DevelopmentCa::open(&place.scratch.path().join("ca"), options).unwrap();
    partner.issue_into(&app("orders"), &place.folder()).unwrap();
    assert_eq!(
        place.told().await,
        "`/certificates/tls.crt`: it is for `spiffe://partner/ns/shop/orders`, but the trust domain is `public`"
    );
}
