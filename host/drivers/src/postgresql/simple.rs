//! Statements that are sent as plain text: for preparing tables.

use super::Failure;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// The first column of the rows of some statements.
///
/// # Errors
/// The client's failure or the server's refusal.
pub(crate) async fn run_simple(
    client: &Client,
    location: &str,
    statements: &str,
) -> Result<Vec<String>, Failure> {
    let answers: Result<_, Error> = client.simple_query(statements).await;
    let answers = answers.map_err(|error| Failure::of(location, &error))?;
    let rows = answers.into_iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    });
    Ok(rows.collect())
}

/// Text as a literal of SQL, for statements that take no parameters.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
