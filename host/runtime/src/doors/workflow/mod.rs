//! `berth:workflow`: `context` for workflows, `client` for everybody else.

mod client;
mod context;

pub use context::Operation;

use crate::bindings::berth::workflow::types as wit;
use berth_blocks::workflow::{Failure, Payload};

impl From<wit::Payload> for Payload {
    fn from(payload: wit::Payload) -> Self {
        Self {
            data: payload.data.into(),
            content_type: payload.content_type,
        }
    }
}

impl From<Payload> for wit::Payload {
    fn from(payload: Payload) -> Self {
        Self {
            data: payload.data.into(),
            content_type: payload.content_type,
        }
    }
}

impl From<wit::Failure> for Failure {
    fn from(failure: wit::Failure) -> Self {
        Self {
            kind: failure.kind,
            message: failure.message,
            non_retryable: failure.non_retryable,
        }
    }
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        Self {
            kind: failure.kind,
            message: failure.message,
            non_retryable: failure.non_retryable,
        }
    }
}

impl wit::Host for crate::instance::GuestState {}
