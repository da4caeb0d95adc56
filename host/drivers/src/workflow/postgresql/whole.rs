//! Commits that reach further than their instance: a transaction each.
//!
//! Everything that they write to is locked first, in the order in which everybody locks. Then the guard is evaluated, and
//! the rest sees what others had committed until then.

use super::{
    Answer, Statements, Tables,
    commit::{RowColumns, fenced},
    create::{Columns, TaskColumns},
    inbox::MessageColumns,
    rows::{field, parts, signed},
};
use crate::postgresql::{Database, Exclusive, Statement, Step};
use berth_blocks::workflow::{Commit, Release, StartChild};
use tokio_postgres::types::{ToSql, Type};

/// The statements that no other kind of call has.
#[derive(Debug)]
pub(super) struct Wholes {
    add_events: Statement,
    add_blobs: Statement,
    forget_messages: Statement,
    empty_messages: Statement,
    clear_messages: Statement,
}

impl Wholes {
    pub(super) fn new(tables: &Tables) -> Self {
        let Tables {
            event,
            blob,
            message,
            ..
        } = tables;
        Self {
            add_events: Statement::new(
                format!(
                    "INSERT INTO {event} (inst, seq, body) SELECT $1, e.seq, e.body \
                     FROM unnest($2, $3) AS e (seq, body)"
                ),
                &[Type::INT8, Type::INT8_ARRAY, Type::BYTEA_ARRAY],
            ),
            add_blobs: Statement::new(
                format!(
                    "INSERT INTO {blob} (inst, digest, bytes) SELECT $1, b.digest, b.bytes \
                     FROM unnest($2, $3) AS b (digest, bytes) ON CONFLICT DO NOTHING"
                ),
                &[Type::INT8, Type::TEXT_ARRAY, Type::BYTEA_ARRAY],
            ),
            forget_messages: Statement::new(
                format!(
                    "DELETE FROM {message} WHERE inst = $1 AND number = ANY ($2) AND dedup IS NULL"
                ),
                &[Type::INT8, Type::INT8_ARRAY],
            ),
            empty_messages: Statement::new(
                format!(
                    "UPDATE {message} SET body = NULL \
                     WHERE inst = $1 AND number = ANY ($2) AND dedup IS NOT NULL"
                ),
                &[Type::INT8, Type::INT8_ARRAY],
            ),
            clear_messages: Statement::new(
                format!("DELETE FROM {message} WHERE inst = $1"),
                &[Type::INT8],
            ),
        }
    }
}

/// Applies everything, if the writer owns the instance and has seen its last version. Gives the new version.
pub(super) async fn commit(
    database: &Database,
    statements: &Statements,
    commit: &Commit,
) -> Answer<u64> {
    let apply = async {
        let connection = database.exclusive().await?;
        let Some(instance) = guard(&connection, statements, commit).await? else {
            connection.roll_back().await;
            return Ok(None);
        };
        let refused = start_children(&connection, statements, &commit.starts).await?;
        apply(connection, statements, commit, instance, &refused).await?;
        Ok::<_, berth_blocks::workflow::WorkflowStoreError>(Some(commit.version + 1))
    };
    match database.in_time(apply).await? {
        Some(version) => Ok(version),
        None => fenced(
            &commit.key,
            statements.reads.get(database, &commit.key).await?,
            commit.epoch,
        ),
    }
}

/// Locks what the commit writes to, and writes the row under its guard: its number, or that the guard does not hold.
async fn guard(
    connection: &Exclusive,
    statements: &Statements,
    commit: &Commit,
) -> Answer<Option<i64>> {
    let targets = commit.sends.iter().map(|outgoing| &outgoing.to);
    let keys: Vec<_> = std::iter::once(&commit.key)
        .chain(targets)
        .map(parts)
        .collect();
    let namespaces: Vec<&str> = keys.iter().map(|key| key.0).collect();
    let apps: Vec<&str> = keys.iter().map(|key| key.1).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.2).collect();
    let row = RowColumns::of(&[commit]);
    let rows = connection
        .begin_and_query(&[
            (&statements.inboxes.lock_all, &[&namespaces, &apps, &ids]),
            (&statements.commits.guard, &row.parameters()),
        ])
        .await?;
    let written = rows.last().and_then(|rows| rows.first());
    written.map(|row| field(row, 1)).transpose()
}

/// Creates children; gives those whose key is taken.
async fn start_children<'c>(
    connection: &Exclusive,
    statements: &Statements,
    starts: &'c [StartChild],
) -> Answer<Vec<&'c StartChild>> {
    if starts.is_empty() {
        return Ok(Vec::new());
    }
    let columns = starts
        .iter()
        .map(|start| Columns::of(&start.instance, None, 0));
    let columns: Vec<_> = columns.collect();
    let parameters: Vec<_> = columns.iter().map(Columns::parameters).collect();
    let steps: Vec<Step<'_>> = parameters
        .iter()
        .map(|parameters| (&statements.creates.create, &parameters[..]))
        .collect();
    let created = connection.query_on(&steps).await?;
    let refused = starts
        .iter()
        .zip(created)
        .filter(|(_, rows)| rows.is_empty());
    Ok(refused.map(|(start, _)| start).collect())
}

/// Writes the rest and commits.
async fn apply(
    connection: Exclusive,
    statements: &Statements,
    commit: &Commit,
    instance: i64,
    refused: &[&StartChild],
) -> Answer<()> {
    let Statements {
        wholes,
        purges,
        tasks,
        creates,
        inboxes,
        ownership,
        ..
    } = statements;
    let terminal = commit.state.status.is_terminal();
    let history = History::of(commit);
    let inbox: Vec<i64> = commit.consumed.iter().map(|message| message.0).collect();
    let dropped = dropped_tasks(commit);
    let namespace = commit.key.namespace.as_str();
    let added = TaskColumns::of(&commit.tasks);
    let messages = messages(commit, refused);
    let release = commit.release.filter(|_| !terminal);
    let release = release.map(ReleaseColumns::of);

    let ids = vec![instance];
    let of_all: [&(dyn ToSql + Sync); 1] = [&ids];
    let of: [&(dyn ToSql + Sync); 1] = [&instance];
    let events: [&(dyn ToSql + Sync); 3] = [&instance, &history.seqs, &history.bodies];
    let blobs: [&(dyn ToSql + Sync); 3] = [&instance, &history.digests, &history.payloads];
    let consumed: [&(dyn ToSql + Sync); 2] = [&instance, &inbox];
    let unwanted: [&(dyn ToSql + Sync); 2] = [&instance, &dropped];
    let mut new_tasks: Vec<&(dyn ToSql + Sync)> = vec![&instance, &namespace];
    new_tasks.extend(added.parameters());
    let delivered = messages.parameters();
    let given_up = release
        .as_ref()
        .map(|release| release.parameters(&instance));

    let mut steps: Vec<Step<'_>> = Vec::new();
    if commit.restart.is_some() {
        steps.extend(purges.forget(&of_all));
    }
    if !commit.events.is_empty() {
        steps.push((&wholes.add_events, &events));
    }
    if !commit.blobs.is_empty() {
        steps.push((&wholes.add_blobs, &blobs));
    }
    if terminal {
        steps.push((&wholes.clear_messages, &of));
        steps.push((&tasks.clear, &of));
    } else {
        if !inbox.is_empty() {
            steps.push((&wholes.forget_messages, &consumed));
            steps.push((&wholes.empty_messages, &consumed));
        }
        if !dropped.is_empty() {
            steps.push((&tasks.drop, &unwanted));
        }
        if !commit.tasks.is_empty() {
            steps.push((&creates.add_tasks, &new_tasks));
        }
    }
    if !messages.is_empty() {
        steps.push((&inboxes.deliver, &delivered));
    }
    // After the messages, since one to itself counts as one that came later.
    if let Some(given_up) = &given_up {
        steps.push((&ownership.release_id, given_up));
    }
    connection.query_and_commit(&steps).await?;
    Ok(())
}

/// Events and blobs, column by column.
struct History<'c> {
    seqs: Vec<i64>,
    bodies: Vec<&'c [u8]>,
    digests: Vec<&'c str>,
    payloads: Vec<&'c [u8]>,
}

impl<'c> History<'c> {
    fn of(commit: &'c Commit) -> Self {
        let Commit { events, blobs, .. } = commit;
        Self {
            seqs: events.iter().map(|event| signed(event.seq)).collect(),
            bodies: events.iter().map(|event| &event.body[..]).collect(),
            digests: blobs.iter().map(|blob| blob.digest.as_str()).collect(),
            payloads: blobs.iter().map(|blob| &blob.bytes[..]).collect(),
        }
    }
}

/// A release as statements take it.
struct ReleaseColumns {
    release: Release,
    ready_at: Option<i64>,
}

impl ReleaseColumns {
    fn of(release: Release) -> Self {
        Self {
            ready_at: release.ready_at.map(|at| at.0),
            release,
        }
    }

    fn parameters<'r>(&'r self, instance: &'r i64) -> [&'r (dyn ToSql + Sync); 4] {
        let Self { release, ready_at } = self;
        [instance, &release.seen.0, &release.now.0, ready_at]
    }
}

/// Those that come again with this commit are replaced, not dropped.
fn dropped_tasks(commit: &Commit) -> Vec<i64> {
    let again = |operation: &u64| commit.tasks.iter().any(|task| task.operation == *operation);
    let dropped = commit.dropped_tasks.iter();
    dropped
        .filter(|operation| !again(operation))
        .map(|operation| signed(*operation))
        .collect()
}

/// What children that were refused mean to their parent, then the messages to others.
fn messages<'c>(commit: &'c Commit, refused: &[&'c StartChild]) -> MessageColumns<'c> {
    let mut columns = MessageColumns::default();
    for start in refused {
        columns.add(&commit.key, &start.refused);
    }
    for outgoing in &commit.sends {
        columns.add(&outgoing.to, &outgoing.message);
    }
    columns
}
