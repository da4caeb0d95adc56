//! What holds of a workflow instance.

use super::pattern::Pattern;
use crate::{AppId, Origin, node::Place, node::quote, reader::Reading, value::Field};

/// What holds of one instance.
#[derive(Debug, Clone)]
pub struct WorkflowCheck {
    /// Whose; absent: the app that the scenario is about.
    pub app: Option<AppId>,
    /// Its ID.
    pub id: String,
    /// Where it stands: `COMPLETED`, in any case; absent: not looked at.
    pub status: Option<(String, Origin)>,
    /// Its result, as JSON.
    pub output: Option<Pattern>,
    /// Why it failed: `kind` and `message`.
    pub failure: Option<Pattern>,
    /// Set by the workflow.
    pub custom_status: Option<Pattern>,
    /// The kinds of its events, such as `activity-scheduled`.
    pub history: Option<Pattern>,
    /// The activities that it asked for, in their order.
    pub activities: Option<Pattern>,
    /// Where the check stands.
    pub origin: Origin,
}

const STATUSES: [(&str, &str); 8] = [
    ("pending", "PENDING"),
    ("running", "RUNNING"),
    ("suspended", "SUSPENDED"),
    ("stalled", "STALLED"),
    ("completed", "COMPLETED"),
    ("failed", "FAILED"),
    ("canceled", "CANCELED"),
    ("terminated", "TERMINATED"),
];

impl WorkflowCheck {
    pub(super) fn read(
        name: &str,
        place: Place,
        field: Field<'_>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let origin = reading.origin(place);
        let (app, id) = instance(name, place, reading)?;
        if field.node.scalar().is_some() {
            let status = status(&field, reading)?;
            return Some(Self {
                status: Some(status),
                ..Self::of(app, id, origin)
            });
        }
        let mut fields = field.fields(reading)?;
        let own = fields.optional("status", reading);
        let status = own.and_then(|field| status(&field, reading));
        let mut pattern = |name, reading: &mut Reading<'_>| {
            let field = fields.nullable(name)?;
            Pattern::read(&field, reading)
        };
        let check = Self {
            status,
            output: pattern("output", reading),
            failure: pattern("failure", reading),
            custom_status: pattern("custom-status", reading),
            history: pattern("history", reading),
            activities: pattern("activities", reading),
            ..Self::of(app, id, origin)
        };
        fields.finish(reading);
        Some(check)
    }

    fn of(app: Option<AppId>, id: String, origin: Origin) -> Self {
        Self {
            app,
            id,
            status: None,
            output: None,
            failure: None,
            custom_status: None,
            history: None,
            activities: None,
            origin,
        }
    }
}

fn status(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<(String, Origin)> {
    let status = field.choice(&STATUSES, reading)?;
    Some((status.to_owned(), reading.origin(field.place())))
}

/// `order-1`, or `order-saga/order-1`.
pub(super) fn instance(
    name: &str,
    place: Place,
    reading: &mut Reading<'_>,
) -> Option<(Option<AppId>, String)> {
    let Some((app, id)) = name.split_once('/') else {
        return Some((None, name.to_owned()));
    };
    match app.parse() {
        Ok(app) => Some((Some(app), id.to_owned())),
        Err(error) => {
            reading.error(place, format!("{}: {error}", quote(name)));
            None
        }
    }
}
