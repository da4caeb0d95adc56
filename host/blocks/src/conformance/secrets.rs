//! What every secret store does.

use super::Subject;
use crate::secrets::{SecretError, SecretStore};

type Store = Subject<dyn SecretStore>;

/// A store that is open answers.
pub async fn it_answers_a_ping(store: Store) {
    assert_eq!(store.backend.ping().await, Ok(()));
}

/// `conftestsecret` is `abcd`.
pub async fn a_secret_has_one_field_under_its_name(store: Store) {
    let secret = store
        .backend
        .get("conftestsecret", &[])
        .await
        .expect("the secret exists");
    let fields: Vec<_> = secret
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect();
    assert_eq!(fields, [("conftestsecret", "abcd")]);
}

/// Absence is not an empty value.
pub async fn an_unknown_secret_is_not_found(store: Store) {
    let answer = store.backend.get("conftest-no-such-secret", &[]).await;
    assert!(
        matches!(answer, Err(SecretError::NotFound(_))),
        "{answer:?}"
    );
}

/// Other secrets may be there too.
pub async fn a_bulk_read_shows_every_secret(store: Store) {
    let all = store.backend.bulk(&[]).await.expect("a bulk read succeeds");
    for (name, expected) in [("conftestsecret", "abcd"), ("secondsecret", "efgh")] {
        let value = all
            .get(name)
            .and_then(|fields| fields.get(name))
            .map(|value| value.reveal().to_owned());
        assert_eq!(value.as_deref(), Some(expected), "{name}");
    }
}
