//! The YAML kinds of berth: parse, validate, locate errors.
//!
//! ```text
//! files ──▶ load ──▶ document (nodes with positions) ──▶ one reader per kind ──▶ typed resources
//!                                   └────────────▶ diagnostics: file:line:column, expected, nearest name
//! ```
//!
//! Nothing here opens a backend or reads a guest: `berth check` and `berth run` take the same path through this crate.

mod app;
mod component;
mod configuration;
mod load;
mod names;
mod origin;
mod resiliency;
mod resources;
mod subscription;
mod units;

pub use app::{
    Access, Allow, App, FileGrant, HttpExposure, Instances, Limits, OutboundRule, Scheme,
};
pub use component::{Component, ComponentType, MetadataItem, MetadataValue};
pub use configuration::{Configuration, DefaultAccess, SecretScope, Tracing};
pub use load::load;
pub use names::{AppId, InvalidName, Namespace};
pub use origin::{Diagnostic, Origin, Severity};
pub use resiliency::{Backoff, Matching, Resiliency, RetryPolicy};
pub use resources::{HttpEndpoint, LoadOptions, Loaded, Resources, Source};
pub use subscription::{BulkSettings, Rule, Subscription};
pub use units::{ByteSize, Secret};
