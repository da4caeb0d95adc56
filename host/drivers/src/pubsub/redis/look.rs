//! For people who look into topics.

use super::{
    entry::{self, Entry},
    id::StreamId,
    scripts,
    server::Server,
};
use berth_blocks::pubsub::{PubSubError, StoredMessage, TopicDepth};
use futures::{StreamExt, TryStreamExt, stream};
use redis::Value;

/// Entries of a group that are counted one by one, where Redis does not know their number.
const COUNTED_MAX: &str = "10000";
/// Streams that are looked at together.
const TOGETHER: usize = 16;

pub(super) async fn browse(
    server: &Server,
    topic: &str,
    after: Option<StreamId>,
    limit: u32,
) -> Result<Vec<StoredMessage>, PubSubError> {
    let from = after.map_or("-".to_owned(), |id| format!("({id}"));
    let mut range = redis::cmd("XRANGE");
    range.arg(topic).arg(from).arg("+");
    range.arg("COUNT").arg(limit);
    let entries = entry::at_rest(server.ask(&range).await?)?;
    Ok(entries.into_iter().map(stored).collect())
}

fn stored(entry: Entry) -> StoredMessage {
    StoredMessage {
        id: entry.id.to_string(),
        data: entry.data,
        content_type: entry.content_type,
        metadata: entry.metadata,
        published_at: entry.id.added_at(),
    }
}

pub(super) async fn remove(
    server: &Server,
    topic: &str,
    id: StreamId,
) -> Result<bool, PubSubError> {
    let mut delete = redis::cmd("XDEL");
    delete.arg(topic).arg(id);
    Ok(server.ask(&delete).await? == Value::Int(1))
}

/// What waits in the streams of these names. One that is gone by now is left out.
pub(super) async fn depths(
    server: &Server,
    topics: impl IntoIterator<Item = String>,
) -> Result<Vec<TopicDepth>, PubSubError> {
    let depths = stream::iter(topics).map(|topic| depths_of(server, topic));
    let depths: Vec<Vec<TopicDepth>> = depths.buffered(TOGETHER).try_collect().await?;
    Ok(depths.into_iter().flatten().collect())
}

async fn depths_of(server: &Server, topic: String) -> Result<Vec<TopicDepth>, PubSubError> {
    let arguments = [COUNTED_MAX];
    let answer = server.script(&scripts::DEPTHS, &topic, &arguments).await;
    let [length, groups] = match answer? {
        Value::Nil => return Ok(Vec::new()),
        answer => entry::parts(answer)?,
    };
    let groups = entry::array(groups)?;
    if groups.is_empty() {
        return Ok(vec![TopicDepth {
            topic,
            group: None,
            waiting: count(&length)?,
            in_flight: 0,
        }]);
    }
    let depth = |group| {
        let [name, waiting, in_flight] = entry::parts(group)?;
        Ok(TopicDepth {
            topic: topic.clone(),
            group: Some(entry::text(name)?),
            waiting: count(&waiting)?,
            in_flight: count(&in_flight)?,
        })
    };
    groups.into_iter().map(depth).collect()
}

fn count(value: &Value) -> Result<u64, PubSubError> {
    match value {
        Value::Int(count) => Ok(u64::try_from(*count).unwrap_or(0)),
        _ => Err(entry::odd()),
    }
}
