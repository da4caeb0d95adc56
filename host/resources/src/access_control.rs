//! `spec.accessControl` of a Configuration: who may call which operations of an app, by Dapr's rules.
//!
//! [`AccessControl::allows`] is the only evaluation there is, for calls within a host and between hosts.

mod operations;

use crate::{AppId, Namespace, Origin, fields::Fields, node::quote, reader::Reading, value::Field};
use operations::Operations;

/// The access control of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessControl {
    /// Trust domain of the app itself; the host has one for all of its apps.
    pub trust_domain: Option<TrustDomainName>,
    /// What holds for callers that no policy is for.
    default_action: Action,
    policies: Vec<AppPolicy>,
}

/// A trust domain, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustDomainName {
    /// Such as `public`.
    pub name: String,
    /// Where it stands.
    pub origin: Origin,
}

/// Whether a call may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// What holds for one calling app.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AppPolicy {
    app: AppId,
    namespace: Namespace,
    trust_domain: String,
    default_action: Option<Action>,
    operations: Operations,
}

/// A caller that has proved who it is.
#[derive(Debug, Clone, Copy)]
pub struct PeerIdentity<'a> {
    /// Trust domain of its certificate.
    pub trust_domain: &'a str,
    /// Its tenant.
    pub namespace: &'a Namespace,
    /// Its app ID.
    pub app: &'a AppId,
}

/// A call that wants to pass.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// `None`: nobody vouches for the caller.
    pub caller: Option<PeerIdentity<'a>>,
    /// Path of the request, without query.
    pub path: &'a str,
    /// Method of the request, in upper case.
    pub verb: &'a str,
}

impl AccessControl {
    /// Whether a call may pass. A policy counts for the caller whose app ID, namespace and trust domain it names; the
    /// operation that matches the path decides, else the policy's default, else the global one.
    #[must_use]
    pub fn allows(&self, request: &AccessRequest<'_>) -> bool {
        let policy = request.caller.and_then(|caller| self.policy_for(&caller));
        let action = policy.and_then(|policy| {
            let operation = policy.operations.action(request.path, request.verb);
            operation.or(policy.default_action)
        });
        action.unwrap_or(self.default_action) == Action::Allow
    }

    fn policy_for(&self, caller: &PeerIdentity<'_>) -> Option<&AppPolicy> {
        self.policies.iter().find(|policy| {
            policy.app == *caller.app
                && policy.namespace == *caller.namespace
                && policy.trust_domain == caller.trust_domain
        })
    }

    /// Reads the field; nothing in it is the same as no field.
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let default_action = read_action(fields.optional("defaultAction", reading), reading);
        let trust_domain = fields.optional("trustDomain", reading);
        let trust_domain = trust_domain.and_then(|field| {
            let origin = reading.origin(field.place());
            let name = read_trust_domain(&field, reading)?;
            Some(TrustDomainName { name, origin })
        });
        let policies = fields.optional("policies", reading);
        let policies = policies.map(|field| read_policies(&field, reading));
        fields.finish(reading);
        let policies = policies.unwrap_or_default();
        if default_action.is_none() && trust_domain.is_none() && policies.is_empty() {
            return None;
        }
        // Dapr's safer choice: whoever writes policies means that the others are kept out.
        let unsaid = if policies.is_empty() {
            Action::Allow
        } else {
            Action::Deny
        };
        Some(Self {
            trust_domain,
            default_action: default_action.unwrap_or(unsaid),
            policies,
        })
    }
}

fn read_action(field: Option<Field<'_>>, reading: &mut Reading<'_>) -> Option<Action> {
    let choices = [("allow", Action::Allow), ("deny", Action::Deny)];
    field.and_then(|field| field.choice(&choices, reading))
}

/// As SPIFFE has it: lower-case letters, digits, dots, dashes, underscores.
fn read_trust_domain(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    let legal =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    if text.len() <= 255 && text.chars().all(legal) {
        return Some(text.to_owned());
    }
    let expected = "expected a trust domain of lower-case letters, digits, `.`, `-` and `_`";
    field.refuse(reading, format!("{expected}, found {}", quote(text)));
    None
}

fn read_policies(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<AppPolicy> {
    let mut policies: Vec<AppPolicy> = Vec::new();
    for item in field.items(reading) {
        let Some(policy) = read_policy(item.clone(), reading) else {
            continue;
        };
        let is_same =
            |other: &AppPolicy| other.app == policy.app && other.namespace == policy.namespace;
        if policies.iter().any(is_same) {
            let (app, namespace) = (&policy.app, &policy.namespace);
            item.refuse(
                reading,
                format!("app `{app}` of namespace `{namespace}` has two policies"),
            );
        } else {
            policies.push(policy);
        }
    }
    policies
}

fn read_policy(field: Field<'_>, reading: &mut Reading<'_>) -> Option<AppPolicy> {
    let mut fields = field.fields(reading)?;
    let app = fields.required("appId", "the app ID of a caller", reading);
    let app = app.and_then(|field| field.app_id(reading));
    let namespace = fields.required("namespace", "the namespace of the caller", reading);
    let namespace = namespace.and_then(|field| read_namespace(&field, reading));
    let trust_domain = fields.required(
        "trustDomain",
        "the trust domain of the caller, such as `public`",
        reading,
    );
    let trust_domain = trust_domain.and_then(|field| read_trust_domain(&field, reading));
    let default_action = read_action(fields.optional("defaultAction", reading), reading);
    let operations = fields.optional("operations", reading);
    let operations = operations.map(|field| read_operations(&field, reading));
    fields.finish(reading);
    Some(AppPolicy {
        app: app?,
        namespace: namespace?,
        trust_domain: trust_domain?,
        default_action,
        operations: operations.unwrap_or_default(),
    })
}

fn read_namespace(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Namespace> {
    let text = field.text(reading)?;
    let parsed = text.parse();
    parsed
        .map_err(|error: crate::InvalidName| field.refuse(reading, error.to_string()))
        .ok()
}

fn read_operations(field: &Field<'_>, reading: &mut Reading<'_>) -> Operations {
    let mut operations = Operations::default();
    for item in field.items(reading) {
        let place = item.clone();
        let Some((name, verbs, action)) = read_operation(item, reading) else {
            continue;
        };
        if !operations.insert(&name, &verbs, action) {
            place.refuse(
                reading,
                format!("the path {} has two entries", quote(&name)),
            );
        }
    }
    operations
}

fn read_operation(
    field: Field<'_>,
    reading: &mut Reading<'_>,
) -> Option<(String, Vec<&'static str>, Action)> {
    let mut fields = field.fields(reading)?;
    let name = fields.required("name", "a path such as `/orders/*`", reading);
    let name = name.and_then(|field| field.text(reading).map(str::to_owned));
    let verbs = fields.optional("httpVerb", reading);
    let verbs = verbs.map(|field| read_verbs(&field, reading));
    // Dapr's documentation and its code differ on what an operation without one does.
    let action = fields.required("action", "`allow` or `deny`", reading);
    let action = read_action(action, reading);
    if verbs.is_none() && !fields.has_unknown() {
        let message =
            "this operation has no `httpVerb` and no effect on HTTP: `[\"*\"]` is every method";
        reading.warning(fields.place(), message);
    }
    fields.finish(reading);
    Some((name?, verbs.unwrap_or_default(), action?))
}

fn read_verbs(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<&'static str> {
    const VERBS: [&str; 10] = [
        "*", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];
    let choices = VERBS.map(|verb| (verb, verb));
    field
        .items(reading)
        .iter()
        .filter_map(|item| item.choice(&choices, reading))
        .collect()
}

#[cfg(test)]
#[path = "access_control/tests.rs"]
mod tests;
