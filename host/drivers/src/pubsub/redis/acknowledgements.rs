//! Acknowledgements that go to the server together: one command for whatever came while the last one was under way.

use super::{id::StreamId, member::Member};
use berth_blocks::pubsub::PubSubError;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Messages that one command acknowledges.
const BATCH: usize = 1_000;

type Answer = oneshot::Sender<Result<(), PubSubError>>;

/// Messages of a member that are to be acknowledged; bounded by what it may have leased.
#[derive(Default)]
pub(super) struct Acknowledgements(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: Vec<(StreamId, Answer)>,
    /// A task sends what waits, until nothing does.
    is_sending: bool,
}

impl Member {
    /// Done with a message, whoever has it by now.
    pub(super) async fn acknowledge(self: &Arc<Self>, id: StreamId) -> Result<(), PubSubError> {
        let (answer, answered) = oneshot::channel();
        let must_send = {
            let mut queue = self.acknowledgements.0.lock();
            queue.waiting.push((id, answer));
            !std::mem::replace(&mut queue.is_sending, true)
        };
        if must_send {
            self.runtime.spawn(send(self.clone()));
        }
        let closed = |_| PubSubError::Unavailable("the host is shutting down".to_owned());
        answered.await.map_err(closed)?
    }

    fn next_acknowledgements(&self) -> Vec<(StreamId, Answer)> {
        let mut queue = self.acknowledgements.0.lock();
        queue.is_sending = !queue.waiting.is_empty();
        if queue.waiting.len() <= BATCH {
            return std::mem::take(&mut queue.waiting);
        }
        queue.waiting.drain(..BATCH).collect()
    }
}

async fn send(member: Arc<Member>) {
    loop {
        let batch = member.next_acknowledgements();
        if batch.is_empty() {
            return;
        }
        let mut acknowledge = redis::cmd("XACK");
        acknowledge.arg(&member.stream).arg(&member.group);
        for (id, _) in &batch {
            acknowledge.arg(*id);
        }
        // One that is not pending any more was acknowledged before: nothing comes again.
        let result = member.server.ask(&acknowledge).await.map(drop);
        for (_, answer) in batch {
            // Whoever does not wait any more does not want to know.
            let _ = answer.send(result.clone());
        }
    }
}
