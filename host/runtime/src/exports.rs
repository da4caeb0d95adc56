//! What a guest exports decides what it is: an HTTP service, a subscriber, or several things at once.

use crate::{
    bindings::berth::exports::{pubsub, workflow},
    instance::GuestState,
};
use wasmtime::component::{ComponentExportIndex, InstancePre, Resource, TypedFunc};
use wasmtime_wasi_http::{
    p2::bindings::http::types::{IncomingRequest, ResponseOutparam},
    p3::bindings::exports::wasi::http::handler as http3,
};

const INCOMING_HANDLER: &str = "wasi:http/incoming-handler@0.2.12";
/// For guests whose other door takes one call in the life of an instance.
const REUSABLE_HANDLER: &str = "berth:http/reusable-handler@0.1.0";

/// `handle` of `wasi:http/incoming-handler`.
pub(crate) type Handle = TypedFunc<(Resource<IncomingRequest>, Resource<ResponseOutparam>), ()>;

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
    /// `handle` of `wasi:http/incoming-handler@0.2.*` or of `berth:http/reusable-handler`.
    P2(ComponentExportIndex),
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
    /// `reused`: its instances serve more than one call.
    pub(crate) fn of(guest: &InstancePre<GuestState>, reused: bool) -> Self {
        let http3 = http3::GuestIndices::new(guest).ok().map(HttpExport::P3);
        let handle = |interface| handle_of(guest, interface).map(HttpExport::P2);
        let reusable = || handle(REUSABLE_HANDLER).filter(|_| reused);
        Self {
            http: http3.or_else(reusable).or_else(|| handle(INCOMING_HANDLER)),
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

fn handle_of(guest: &InstancePre<GuestState>, interface: &str) -> Option<ComponentExportIndex> {
    let component = guest.component();
    let interface = component.get_export_index(None, interface)?;
    component.get_export_index(Some(&interface), "handle")
}
