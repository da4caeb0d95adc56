//! Bulk calls under a resiliency policy: each item has an answer of its own, and only those that another attempt may
//! cure are sent again, as in Dapr.

use crate::{
    backend::Grant,
    pipeline::{BlockError, Outcome},
};
use parking_lot::Mutex;
use std::sync::Arc;

/// The items of one call. All clones see the same ones: one for each attempt.
pub(super) struct Pending<R, A, E>(Arc<Mutex<Items<R, A, E>>>);

struct Items<R, A, E> {
    requests: Vec<Option<R>>,
    answers: Vec<Option<Result<A, E>>>,
    under: Under,
}

/// What the policies of the backend do with a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Under {
    /// There are none: each item has its answer, and that is all.
    Nothing,
    /// It is counted.
    Breaker,
    /// It may be tried again.
    Retries,
}

impl<R, A, E> Clone for Pending<R, A, E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Clone, A, E: BlockError + Clone> Pending<R, A, E> {
    pub(super) fn new(grant: &Grant, requests: Vec<R>) -> Self {
        let under = match grant.outbound.as_deref() {
            None => Under::Nothing,
            Some(policy) if policy.retry().is_none() => Under::Breaker,
            Some(_) => Under::Retries,
        };
        Self(Arc::new(Mutex::new(Items {
            answers: requests.iter().map(|_| None).collect(),
            requests: requests.into_iter().map(Some).collect(),
            under,
        })))
    }

    /// The items without a final answer: their places, and what is sent.
    pub(super) fn take(&self) -> (Vec<usize>, Vec<R>) {
        let mut items = self.0.lock();
        let Items {
            requests,
            answers,
            under,
        } = &mut *items;
        let open = requests.iter_mut().zip(answers).enumerate();
        let open = open.filter(|(_, (_, answer))| is_open(answer.as_ref()));
        let sent = open.filter_map(|(place, (request, _))| {
            let request = match under {
                Under::Retries => request.clone(),
                Under::Nothing | Under::Breaker => request.take(),
            };
            Some((place, request?))
        });
        sent.unzip()
    }

    /// Notes the answers to what was sent.
    ///
    /// # Errors
    /// The first that another attempt may cure, for the policies.
    pub(super) fn settle(
        &self,
        places: &[usize],
        answers: impl IntoIterator<Item = Result<A, E>>,
    ) -> Result<(), E> {
        let mut items = self.0.lock();
        let mut curable = None;
        for (place, answer) in places.iter().zip(answers) {
            if let Err(error) = &answer
                && is_curable(error)
            {
                curable.get_or_insert_with(|| error.clone());
            }
            if let Some(slot) = items.answers.get_mut(*place) {
                *slot = Some(answer);
            }
        }
        match curable {
            Some(error) if items.under != Under::Nothing => Err(error),
            _ => Ok(()),
        }
    }

    /// One answer for each item, in their order. `ended`: how the call as a whole ended, which is also the answer of items
    /// that were tried until its end.
    ///
    /// # Errors
    /// Those of the call as a whole, if no item has an answer.
    pub(super) fn finish(self, ended: Result<(), E>) -> Result<Vec<Result<A, E>>, E> {
        let mut items = self.0.lock();
        let under = items.under;
        let answers = std::mem::take(&mut items.answers);
        let unanswered = || E::unavailable("the backend gave no answer for this item".to_owned());
        match ended {
            Ok(()) => Ok(answers
                .into_iter()
                .map(|answer| answer.unwrap_or_else(|| Err(unanswered())))
                .collect()),
            Err(error) if answers.iter().all(Option::is_none) => Err(error),
            Err(error) => Ok(answers
                .into_iter()
                .map(|answer| match answer {
                    Some(own) if under != Under::Retries || !is_open(Some(&own)) => own,
                    _ => Err(error.clone()),
                })
                .collect()),
        }
    }
}

fn is_open<A, E: BlockError>(answer: Option<&Result<A, E>>) -> bool {
    match answer {
        None => true,
        Some(Ok(_)) => false,
        Some(Err(error)) => is_curable(error),
    }
}

fn is_curable(error: &impl BlockError) -> bool {
    matches!(error.outcome(), Outcome::Unavailable | Outcome::Timeout)
}
