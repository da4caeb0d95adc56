//! What a guest exports decides what it is: an HTTP service, a subscriber, or several things at once.

use crate::{
    bindings::berth::exports::{pubsub, workflow},
    instance::GuestState,
};
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::{
    p2::bindings::exports::wasi::http::incoming_handler as http2,
    p3::bindings::exports::wasi::http::handler as http3,
};

/// Where the exports are that berth calls. Looked up once per app.
#[derive(Clone)]
pub(crate) struct ExportIndices {
    pub(crate) http: Option<HttpExport>,
    pub(crate) subscriber: Option<pubsub::subscriber::GuestIndices>,
    pub(crate) subscriptions: Option<pubsub::subscriptions::GuestIndices>,
    pub(crate) workflows: Option<workflow::workflows::GuestIndices>,
    pub(crate) activities: Option<workflow::activities::GuestIndices>,
    pub(crate) registry: Option<workflow::registry::GuestIndices>,
}

/// The HTTP export, in the WASI version that the guest has.
#[derive(Clone)]
pub(crate) enum HttpExport {
    /// `wasi:http/incoming-handler@0.2.*`
    P2(http2::GuestIndices),
    /// `wasi:http/handler@0.3.*`
    P3(http3::GuestIndices),
}

/// What a guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exports {
    /// Answers HTTP.
    pub http: bool,
    /// Has `berth:pubsub/subscriber`.
    pub subscriber: bool,
    /// Has `berth:pubsub/subscriptions`.
    pub subscriptions: bool,
    /// Has `berth:workflow/workflows`.
    pub workflows: bool,
    /// Has `berth:workflow/activities`.
    pub activities: bool,
}

impl Exports {
    /// Whether berth has anything to call.
    #[must_use]
    pub fn is_called(&self) -> bool {
        self.http || self.subscriber || self.workflows || self.activities
    }
}

impl ExportIndices {
    pub(crate) fn of(guest: &InstancePre<GuestState>) -> Self {
        let http3 = http3::GuestIndices::new(guest).ok().map(HttpExport::P3);
        let http2 = || http2::GuestIndices::new(guest).ok().map(HttpExport::P2);
        Self {
            http: http3.or_else(http2),
            subscriber: pubsub::subscriber::GuestIndices::new(guest).ok(),
            subscriptions: pubsub::subscriptions::GuestIndices::new(guest).ok(),
            workflows: workflow::workflows::GuestIndices::new(guest).ok(),
            activities: workflow::activities::GuestIndices::new(guest).ok(),
            registry: workflow::registry::GuestIndices::new(guest).ok(),
        }
    }

    pub(crate) fn summary(&self) -> Exports {
        Exports {
            http: self.http.is_some(),
            subscriber: self.subscriber.is_some(),
            subscriptions: self.subscriptions.is_some(),
            workflows: self.workflows.is_some(),
            activities: self.activities.is_some(),
        }
    }
}
