//! Writes and deletions, alone, many at a time, and in transactions.

use super::table::{Table, check_key, millis_to_live};
use crate::postgresql::{Database, Parameters, Statement};
use berth_blocks::state::{DeleteRequest, Operation, Precondition, SetRequest, StateError};
use futures::future::join_all;
use std::collections::HashSet;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Of one statement that writes many values.
const BULK_ROWS: usize = 1_000;
const BULK_BYTES: usize = 8 << 20;

/// One write or deletion, as its statement takes it.
pub(super) struct Change<'r> {
    pub(super) statement: &'r Statement,
    pub(super) key: &'r str,
    /// With its time to live in milliseconds. Absent: a deletion.
    pub(super) value: Option<(&'r [u8], Option<f64>)>,
    /// The etag that must be there.
    pub(super) expected: Option<Uuid>,
    /// The new etag and media type of a value that has one.
    pub(super) typed: Option<(Uuid, &'r str)>,
    pub(super) precondition: &'r Precondition,
}

impl Change<'_> {
    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&self.key];
        if let Some((value, ttl)) = &self.value {
            parameters.push(value);
            parameters.push(ttl);
        }
        if let Some(expected) = &self.expected {
            parameters.push(expected);
        }
        if let Some((etag, content_type)) = &self.typed {
            parameters.push(etag);
            parameters.push(content_type);
        }
        parameters
    }

    /// Whether the precondition held, by the number of rows that were changed.
    fn check(&self, changed: u64) -> Result<(), StateError> {
        let key = self.key;
        match self.precondition {
            Precondition::Etag(etag) if changed == 0 => Err(StateError::Conflict(format!(
                "key `{key}` does not have etag `{etag}`: it was written or deleted meanwhile"
            ))),
            Precondition::Absent if changed == 0 => Err(StateError::Conflict(format!(
                "key `{key}` exists, and a first write needs it absent"
            ))),
            _ => Ok(()),
        }
    }

    async fn apply(&self, database: &Database) -> Result<(), StateError> {
        let parameters = self.parameters();
        let changed = database.execute(self.statement, &parameters).await?;
        self.check(changed)
    }
}

impl Table {
    pub(super) async fn set(
        &self,
        database: &Database,
        request: &SetRequest,
    ) -> Result<(), StateError> {
        self.setting(request)?.apply(database).await
    }

    pub(super) async fn delete(
        &self,
        database: &Database,
        request: &DeleteRequest,
    ) -> Result<(), StateError> {
        self.deleting(request)?.apply(database).await
    }

    pub(super) async fn transact(
        &self,
        database: &Database,
        operations: &[Operation],
    ) -> Result<(), StateError> {
        let changes: Result<Vec<Change<'_>>, StateError> = operations
            .iter()
            .map(|operation| self.change(operation))
            .collect();
        let mut changes = changes?;
        // Operations on different keys do not see each other. In the order of keys, every host locks them in the same
        // order, and two transactions do not wait for each other.
        changes.sort_by_key(|change| change.key);
        match &changes[..] {
            [] => return Ok(()),
            // One statement is a transaction.
            [change] => return change.apply(database).await,
            _ => {}
        }
        let parameters: Vec<_> = changes.iter().map(Change::parameters).collect();
        let steps: Vec<(&Statement, Parameters<'_>)> = changes
            .iter()
            .zip(&parameters)
            .map(|(change, parameters)| (change.statement, &parameters[..]))
            .collect();
        let check = |counts: &[u64]| {
            changes
                .iter()
                .zip(counts)
                .try_for_each(|(change, changed)| change.check(*changed))
        };
        database.transact(&steps, check).await
    }

    /// Writes that require nothing go into few statements; others on their own, all at the same time.
    pub(super) async fn bulk_set(
        &self,
        database: &Database,
        requests: &[SetRequest],
    ) -> Vec<Result<(), StateError>> {
        let plain = |request: &SetRequest| {
            request.precondition == Precondition::None
                && (request.content_type.is_none() || !self.keeps_content_types())
                && check_key(&request.key).is_ok()
        };
        // One statement does not write a row twice.
        if requests.len() < 2 || !are_distinct(requests.iter().map(|request| &request.key)) {
            return join_all(requests.iter().map(|request| self.set(database, request))).await;
        }
        let (many, single): (Vec<usize>, Vec<usize>) =
            (0..requests.len()).partition(|place| requests.get(*place).is_some_and(plain));
        let groups = groups(requests, many);
        let grouped = join_all(
            groups
                .iter()
                .map(|group| self.upsert_group(database, group)),
        );
        let alone = single.iter().filter_map(|place| requests.get(*place));
        let alone = join_all(alone.map(|request| self.set(database, request)));
        let (grouped, alone) = futures::join!(grouped, alone);
        let mut answers = vec![Ok(()); requests.len()];
        let of_groups = groups.iter().zip(grouped).flat_map(|(group, answer)| {
            let places = group.iter().map(|(place, _)| *place);
            places.map(move |place| (place, answer.clone()))
        });
        for (place, answer) in of_groups.chain(single.into_iter().zip(alone)) {
            if let Some(slot) = answers.get_mut(place) {
                *slot = answer;
            }
        }
        answers
    }

    async fn upsert_group(
        &self,
        database: &Database,
        group: &[(usize, &SetRequest)],
    ) -> Result<(), StateError> {
        let (mut keys, mut values, mut ttls) = (Vec::new(), Vec::new(), Vec::new());
        for (_, request) in group {
            keys.push(request.key.as_str());
            values.push(&request.value[..]);
            ttls.push(request.ttl.and_then(millis_to_live));
        }
        database
            .execute(&self.upsert_many, &[&keys, &values, &ttls])
            .await?;
        Ok(())
    }

    /// Deletions that require nothing go into one statement.
    pub(super) async fn bulk_delete(
        &self,
        database: &Database,
        requests: &[DeleteRequest],
    ) -> Vec<Result<(), StateError>> {
        let plain = |request: &DeleteRequest| {
            !matches!(request.precondition, Precondition::Etag(_))
                && check_key(&request.key).is_ok()
        };
        if requests.len() < 2 || !requests.iter().all(plain) {
            return join_all(
                requests
                    .iter()
                    .map(|request| self.delete(database, request)),
            )
            .await;
        }
        let keys: Vec<&str> = requests
            .iter()
            .map(|request| request.key.as_str())
            .collect();
        let deleted = database.execute(&self.delete_many, &[&keys]).await;
        let answer = deleted.map(drop).map_err(StateError::from);
        vec![answer; requests.len()]
    }
}

fn are_distinct<'k>(keys: impl Iterator<Item = &'k String>) -> bool {
    let mut seen = HashSet::new();
    let mut keys = keys;
    keys.all(|key| seen.insert(key))
}

/// Groups for one statement each, with the places of their requests. In the order of keys: so every host locks them in
/// the same order, and two of them do not wait for each other.
fn groups(requests: &[SetRequest], mut places: Vec<usize>) -> Vec<Vec<(usize, &SetRequest)>> {
    places.sort_by_key(|place| requests.get(*place).map(|request| &request.key));
    let mut groups = Vec::new();
    let (mut group, mut bytes) = (Vec::new(), 0);
    for place in places {
        let Some(request) = requests.get(place) else {
            continue;
        };
        let size = request.key.len() + request.value.len();
        if group.len() == BULK_ROWS || (!group.is_empty() && bytes + size > BULK_BYTES) {
            groups.push(std::mem::take(&mut group));
            bytes = 0;
        }
        group.push((place, request));
        bytes += size;
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}
