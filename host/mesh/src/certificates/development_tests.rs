use super::*;
use crate::certificates::Keys;
use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU64, Ordering},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A clock of one test: tests run on threads of their own.
fn options() -> CaOptions {
    CaOptions {
        now: clock,
        ..CaOptions::default()
    }
}

thread_local! {
    static SECONDS: AtomicU64 = const { AtomicU64::new(1_800_000_000) };
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH
        + Duration::from_secs(SECONDS.with(|seconds| seconds.load(Ordering::Relaxed)))
}

fn pass(time: Duration) {
    SECONDS.with(|seconds| seconds.fetch_add(time.as_secs(), Ordering::Relaxed));
}

fn orders() -> Target {
    Target {
        namespace: "shop".parse().unwrap(),
        app: "orders".parse().unwrap(),
    }
}

fn load(ca: &DevelopmentCa) -> (Vec<CertificateDer<'static>>, CertificateDer<'static>) {
    let material = ca.load(&HashSet::from([orders()])).unwrap();
    (material.roots, material.workloads[0].chain[0].clone())
}

#[test]
fn it_makes_itself_and_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/ca");
    let ca = DevelopmentCa::open(&path, options()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("ca.pem")), 0o600);
    let again = DevelopmentCa::open(&path, options()).unwrap();
    assert_eq!(ca.bundle_pem().unwrap(), again.bundle_pem().unwrap());
}

#[test]
fn hosts_that_start_together_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let bundles = std::thread::scope(|scope| {
        let start = || {
            let ca = DevelopmentCa::open(folder.path(), options()).unwrap();
            ca.bundle_pem().unwrap()
        };
        let hosts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        let bundles: Vec<_> = hosts.into_iter().map(|host| host.join().unwrap()).collect();
        bundles
    });
    assert!(bundles.iter().all(|bundle| *bundle == bundles[0]));
}

#[test]
fn a_certificate_is_renewed_at_two_thirds_of_its_life() {
    let folder = tempfile::tempdir().unwrap();
    let ca = DevelopmentCa::open(folder.path(), options()).unwrap();
    pass(Duration::from_secs(120));
    let (_, first) = load(&ca);
    pass(DAY / 2);
    assert_eq!(load(&ca).1, first);
    pass(DAY / 5);
    let (_, second) = load(&ca);
    assert_ne!(second, first);
    let leaf = Leaf::read(&second).unwrap();
    assert_eq!(leaf.id.to_string(), "spiffe://public/ns/shop/orders");
    assert_eq!(leaf.not_after, clock() + DAY);
}

#[test]
fn a_new_root_is_trusted_before_it_signs_and_the_old_one_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, other) = (
        DevelopmentCa::open(folder.path(), options()).unwrap(),
        DevelopmentCa::open(folder.path(), options()).unwrap(),
    );
    pass(2 * PROPAGATION);
    let (old_roots, before) = load(&ca);
    assert_eq!(ca.rotate().unwrap().roots, 2);
    let (roots, unchanged) = load(&other);
    assert_eq!((roots.len(), &roots[1]), (2, &old_roots[0]));
    let (_, same) = load(&ca);
    assert_eq!(same, before, "the old root signs on");
    drop(unchanged);
    pass(PROPAGATION);
    let (roots, after) = load(&ca);
    assert_ne!(after, before);
    assert_eq!(roots.len(), 2);
    pass(ROOT_LIFE);
    assert_eq!(load(&ca).0.len(), 1, "what has ended is gone");
}

#[test]
fn a_root_is_replaced_in_time_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let ca = DevelopmentCa::open(folder.path(), options()).unwrap();
    for _ in 0..20 {
        pass(ROOT_LIFE / 10);
        let roots = ca.roots().unwrap();
        assert!(roots[0].not_after > clock() + ROOT_LIFE / 4);
    }
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    for damage in [
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\n",
    ] {
        fs::write(&path, damage).unwrap();
        let error = DevelopmentCa::open(folder.path(), options())
            .map(drop)
            .unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
}

#[test]
fn what_did_not_change_stays_the_same_for_connections() {
    let folder = tempfile::tempdir().unwrap();
    let ca = DevelopmentCa::open(folder.path(), options()).unwrap();
    let wanted = HashSet::from([orders()]);
    let build = |before: Option<&Keys>| {
        Keys::build(TrustDomain::default(), ca.load(&wanted).unwrap(), before).unwrap()
    };
    let first = build(None);
    let second = build(Some(&first));
    assert_eq!(second.renewed(&first), 0);
    pass(DAY);
    let third = build(Some(&second));
    assert_eq!(third.renewed(&second), 1);
    assert_eq!(third.named("orders.shop.berth.internal"), Some(&orders()));
}
