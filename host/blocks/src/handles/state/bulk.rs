//! Bulk calls: what is refused here does not go to the backend, and every answer goes back to its place.

use crate::state::StateError;

/// Requests that go to the backend, with their places in the call, and those that do not.
pub(super) struct Separated<T> {
    sent: Vec<T>,
    places: Vec<usize>,
    refused: Vec<(usize, StateError)>,
}

impl<T> Separated<T> {
    pub(super) fn new(requests: impl Iterator<Item = Result<T, StateError>>) -> Self {
        let mut separated = Self {
            sent: Vec::new(),
            places: Vec::new(),
            refused: Vec::new(),
        };
        for (place, request) in requests.enumerate() {
            match request {
                Ok(request) => {
                    separated.places.push(place);
                    separated.sent.push(request);
                }
                Err(error) => separated.refused.push((place, error)),
            }
        }
        separated
    }

    /// Takes the requests out, so that they can be sent.
    pub(super) fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.sent)
    }

    /// One answer per place of the call.
    pub(super) fn in_order<A>(
        self,
        answers: Vec<Result<A, StateError>>,
    ) -> Vec<Result<A, StateError>> {
        let missing = || {
            Err(StateError::Other(
                "the backend gave no answer for this key".to_owned(),
            ))
        };
        let count = self.places.len() + self.refused.len();
        let mut all: Vec<_> = std::iter::repeat_with(missing).take(count).collect();
        let refused = self
            .refused
            .into_iter()
            .map(|(place, error)| (place, Err(error)));
        for (place, answer) in self.places.into_iter().zip(answers).chain(refused) {
            all[place] = answer;
        }
        all
    }
}

/// The keys that were refused or failed, in the order given.
pub(super) fn failures(
    keys: Vec<String>,
    answers: Vec<Result<(), StateError>>,
) -> Vec<(String, StateError)> {
    let failed = keys.into_iter().zip(answers);
    failed
        .filter_map(|(key, answer)| answer.err().map(|error| (key, error)))
        .collect()
}
