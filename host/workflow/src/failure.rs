//! What workflows see of failures.

use berth_blocks::workflow::Failure;

/// Why waiting for an operation gave no result: what a workflow sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The activity or child failed, all attempts made.
    #[error(transparent)]
    Failed(Failure),
    /// The event did not come in time.
    #[error("{0}")]
    TimedOut(String),
    /// The workflow was asked to cancel while the operation was pending. Operations that begin later work.
    #[error("{0}")]
    Canceled(String),
}

/// A failure of bounded length: it becomes part of a history.
pub(crate) fn cut(mut failure: Failure) -> Failure {
    let cut = |text: &mut String, max: usize| {
        if text.len() > max {
            let end = (0..=max).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
        }
    };
    cut(&mut failure.message, crate::limits::FAILURE_BYTES_MAX);
    cut(&mut failure.kind, crate::limits::NAME_BYTES_MAX);
    failure
}
