//! The queue before a destination, and the task that empties it.

use super::{Again, Export};
use crate::trace::{Sink, SpanRecord};
use metrics::{Counter, counter};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Spans that wait for a collector, about 4 MiB; more are dropped.
const QUEUED_MAX: usize = 4096;
/// Spans of one request to a collector.
const BATCH_MAX: usize = 512;
/// How long a span waits for others to share its request.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// Attempts for one batch.
const ATTEMPTS_MAX: u32 = 5;
/// The first pause between attempts; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// What a collector may ask for at most.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The way into a queue.
pub(super) struct Queue {
    spans: mpsc::Sender<Arc<SpanRecord>>,
    full: Counter,
}

impl Sink for Queue {
    fn take(&self, span: &Arc<SpanRecord>) {
        if self.spans.try_send(span.clone()).is_err() {
            self.full.increment(1);
        }
    }
}

/// The task behind a queue.
pub(super) struct Worker {
    closing: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    /// Sends what is queued, each batch once, and ends.
    pub(super) async fn finish(self) {
        self.closing.cancel();
        // A task that panicked has said so.
        let _ = self.task.await;
    }

    pub(super) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

/// Puts a queue and its task before a destination. The task ends with the last user of the queue.
pub(super) fn start(
    runtime: &tokio::runtime::Handle,
    configuration: &str,
    export: impl Export,
) -> (Arc<dyn Sink>, Worker) {
    let (sender, spans) = mpsc::channel(QUEUED_MAX);
    let closing = CancellationToken::new();
    let dropped = |reason: &'static str| {
        counter!(
            "berth_spans_dropped_total",
            "configuration" => configuration.to_owned(),
            "exporter" => export.kind(),
            "reason" => reason,
        )
    };
    let queue = Queue {
        spans: sender,
        full: dropped("queue-full"),
    };
    let carrier = Carrier {
        sent: counter!(
            "berth_spans_exported_total",
            "configuration" => configuration.to_owned(),
            "exporter" => export.kind(),
        ),
        lost: dropped("collector"),
        is_failing: false,
        closing: closing.clone(),
        export,
    };
    let task = runtime.spawn(carrier.run(spans));
    (Arc::new(queue), Worker { closing, task })
}

struct Carrier<E> {
    export: E,
    sent: Counter,
    lost: Counter,
    /// The last attempt failed, which the log knows.
    is_failing: bool,
    closing: CancellationToken,
}

impl<E: Export> Carrier<E> {
    async fn run(mut self, mut spans: mpsc::Receiver<Arc<SpanRecord>>) {
        let mut batch = Vec::new();
        while self.gather(&mut spans, &mut batch).await {
            self.carry(&batch).await;
            batch.clear();
        }
    }

    /// Waits for spans; says whether there are any.
    async fn gather(
        &self,
        spans: &mut mpsc::Receiver<Arc<SpanRecord>>,
        batch: &mut Vec<Arc<SpanRecord>>,
    ) -> bool {
        let closing = self.closing.cancelled();
        tokio::pin!(closing);
        tokio::select! {
            biased;
            first = spans.recv() => batch.extend(first),
            () = &mut closing => return false,
        }
        if batch.is_empty() {
            return false;
        }
        let until = Instant::now() + BATCH_WAIT;
        while batch.len() < BATCH_MAX {
            let room = BATCH_MAX - batch.len();
            tokio::select! {
                biased;
                count = spans.recv_many(batch, room) => if count == 0 { break },
                () = &mut closing => break,
                () = tokio::time::sleep_until(until) => break,
            }
        }
        true
    }

    /// Sends a batch until it is taken, is refused for good, or was tried often enough.
    async fn carry(&mut self, batch: &super::Batch) {
        for attempt in 1..=ATTEMPTS_MAX {
            let failed = match self.export.send(batch).await {
                Ok(taken) => {
                    self.works();
                    self.count(batch.len(), taken);
                    return;
                }
                Err(failed) => failed,
            };
            self.fails(&failed.why);
            let pause = match failed.again {
                Again::Never => break,
                Again::After(pause) => pause.min(PAUSE_MAX),
                // Up to half of it more, so that hosts do not come back at once.
                Again::Later => {
                    let pause = PAUSE_FIRST * 2_u32.pow(attempt - 1);
                    pause.mul_f64(1.0 + rand::random::<f64>() / 2.0)
                }
            };
            if attempt == ATTEMPTS_MAX {
                break;
            }
            tokio::select! {
                () = self.closing.cancelled() => break,
                () = sleep(pause) => {}
            }
        }
        self.count(batch.len(), 0);
    }

    fn count(&self, spans: usize, taken: usize) {
        let taken = taken.min(spans);
        self.sent.increment(taken as u64);
        self.lost.increment((spans - taken) as u64);
    }

    fn works(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            let (exporter, address) = (self.export.kind(), self.export.address());
            tracing::info!(exporter, address, "spans are taken again");
        }
    }

    /// Said once, until it works again.
    fn fails(&mut self, why: &str) {
        if std::mem::replace(&mut self.is_failing, true) {
            return;
        }
        let (exporter, address) = (self.export.kind(), self.export.address());
        tracing::warn!(
            exporter,
            address,
            "spans are not taken, those that do not fit into the queue are dropped: {why}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Batch, Failed, samples};
    use async_trait::async_trait;
    use parking_lot::Mutex;

    /// Answers what it was told, in order, then takes everything.
    #[derive(Default)]
    struct Script {
        answers: Mutex<Vec<Result<usize, Failed>>>,
        /// Spans of each attempt.
        attempts: Mutex<Vec<usize>>,
    }

    struct Scripted(Arc<Script>);

    #[async_trait]
    impl Export for Scripted {
        fn kind(&self) -> &'static str {
            "script"
        }

        fn address(&self) -> &str {
            "nowhere"
        }

        async fn send(&self, batch: &Batch) -> Result<usize, Failed> {
            self.0.attempts.lock().push(batch.len());
            let answer = self.0.answers.lock().pop();
            answer.unwrap_or(Ok(batch.len()))
        }
    }

    fn started(answers: Vec<Result<usize, Failed>>) -> (Arc<dyn Sink>, Worker, Arc<Script>) {
        let script = Arc::new(Script::default());
        script.answers.lock().extend(answers.into_iter().rev());
        let runtime = tokio::runtime::Handle::current();
        let (sink, worker) = start(&runtime, "appconfig", Scripted(script.clone()));
        (sink, worker, script)
    }

    async fn attempted(script: &Script, count: usize) -> Vec<usize> {
        while script.attempts.lock().len() < count {
            sleep(Duration::from_millis(10)).await;
        }
        script.attempts.lock().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn spans_share_requests() {
        let (sink, worker, script) = started(Vec::new());
        let span = samples::request();
        for _ in 0..BATCH_MAX + 3 {
            sink.take(&span);
        }
        assert_eq!(attempted(&script, 2).await, [BATCH_MAX, 3]);
        sink.take(&span);
        worker.finish().await;
        assert_eq!(attempted(&script, 3).await, [BATCH_MAX, 3, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_tried_again_with_growing_pauses_and_then_given_up() {
        let down = || Err(Failed::later("connection refused"));
        let (sink, _worker, script) = started((0..7).map(|_| down()).collect());
        let began = Instant::now();
        sink.take(&samples::request());
        let all = ATTEMPTS_MAX as usize;
        assert_eq!(attempted(&script, all).await.len(), all);
        let took = began.elapsed().as_secs();
        assert!((15..=25).contains(&took), "{took}");
        // The next batch is another one.
        sink.take(&samples::request());
        assert_eq!(attempted(&script, all + 3).await.len(), all + 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_says_when_to_come_back_or_not_to() {
        let again = Failed {
            why: "busy".to_owned(),
            again: Again::After(Duration::from_secs(7)),
        };
        let (sink, worker, script) = started(vec![Err(again), Err(Failed::never("malformed"))]);
        let began = Instant::now();
        sink.take(&samples::request());
        assert_eq!(attempted(&script, 2).await, [1, 1]);
        let took = began.elapsed().as_secs();
        assert!((7..=9).contains(&took), "{took}");
        worker.finish().await;
        assert_eq!(script.attempts.lock().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_drops_and_nobody_waits() {
        let (sink, worker, script) = started(Vec::new());
        let span = samples::request();
        // The task has no chance to run meanwhile.
        for _ in 0..QUEUED_MAX + 100 {
            sink.take(&span);
        }
        worker.finish().await;
        assert_eq!(script.attempts.lock().iter().sum::<usize>(), QUEUED_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_ends_with_the_last_user_of_its_queue() {
        let (sink, worker, script) = started(Vec::new());
        sink.take(&samples::request());
        drop(sink);
        assert_eq!(attempted(&script, 1).await, [1]);
        while !worker.is_finished() {
            sleep(Duration::from_millis(10)).await;
        }
    }
}
