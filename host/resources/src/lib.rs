//! The YAML kinds of berth: parse, validate, locate errors.
//!
//! ```text
//! files ──▶ load ──▶ document (nodes with positions) ──▶ one reader per kind ──▶ typed resources
//!                                   └────────────▶ diagnostics: file:line:column, expected, nearest name
//! ```
//!
//! `schema` runs the same readers over specimens of the kinds and notes what they ask for: the JSON Schema of each.
//!
//! Nothing here opens a backend or reads a guest: `berth check` and `berth run` take the same path through this crate.

mod access_control;
mod app;
mod checks;
mod component;
mod configuration;
mod document;
mod duration;
mod expression;
mod fields;
mod files;
mod http_endpoint;
mod kinds;
mod load;
mod mtls;
mod name_resolution;
mod names;
mod node;
mod origin;
mod reader;
mod resiliency;
mod resources;
pub mod scenario;
mod schema;
mod subscription;
mod suggest;
mod templates;
mod tracing;
mod tree;
mod units;
mod value;
mod workflow;
mod yaml;

pub use access_control::{AccessControl, AccessRequest, Action, PeerIdentity, TrustDomainName};
pub use app::{
    Access, Allow, App, FileGrant, HttpExposure, Instances, InvalidRule, Limits, OutboundRule,
    Scheme,
};
pub use component::{Component, ComponentType, MetadataItem, MetadataValue};
pub use configuration::{Configuration, DefaultAccess, SecretScope};
pub use duration::{parse_duration, parse_duration_or_millis};
pub use http_endpoint::{ClientTls, HttpEndpoint};
pub use load::load;
pub use mtls::MutualTls;
pub use name_resolution::{NameResolution, ResolverKind, StaticApp};
pub use names::{AppId, InvalidName, Namespace};
pub use origin::{Diagnostic, Origin, Severity};
pub use resiliency::{
    ActorTarget, AppTarget, Backoff, CircuitBreakerPolicy, CircuitBreakerScope, ComponentTarget,
    Matching, Policies, Resiliency, RetryPolicy, TargetPolicies,
};
pub use resources::{LoadOptions, Loaded, Resources, Source};
pub use schema::{schema, schema_kinds};
pub use subscription::{BulkSettings, Rule, Subscription};
pub use suggest::{did_you_mean, nearest};
pub use templates::{TemplateContext, depends_on_app, expand_templates, uses_namespace};
pub use tracing::{AzureMonitor, Otel, OtelProtocol, Tracing};
pub use units::{ByteSize, InvalidSize, Secret, is_truthy};
pub use workflow::{StateRetention, WorkflowSettings};
