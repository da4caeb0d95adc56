//! Names of tables. They go into statements, so that nothing else may pass for one.

use berth_blocks::registry::OpenError;

/// Longer names are cut off by the server.
const IDENTIFIER_MAX: usize = 63;
const METADATA_TABLE: &str = "dapr_metadata";

/// The tables of one store, quoted for statements.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// As the metadata says it: part of the keys in the table of metadata.
    pub(super) prefix: String,
    pub(super) schema: Option<String>,
    /// What stands before the names of the tables.
    start: String,
    /// The table of values, without its schema.
    pub(super) base: String,
    pub(super) state: String,
    pub(super) content_types: String,
    pub(super) metadata: String,
}

impl Names {
    pub(super) fn new(prefix: &str, metadata: Option<&str>) -> Result<Self, OpenError> {
        let (schema, start) = split("tablePrefix", prefix)?;
        let base = format!("{start}state");
        check("tablePrefix", prefix, &base)?;
        let metadata = metadata.unwrap_or(METADATA_TABLE);
        let (metadata_schema, metadata_table) = split("metadataTableName", metadata)?;
        check("metadataTableName", metadata, &metadata_table)?;
        let quoted = |table: &str| qualified(schema.as_deref(), table);
        let content_types = format!("{base}_content_type");
        if content_types.len() > IDENTIFIER_MAX {
            return Err(wrong("tablePrefix", prefix, "is too long"));
        }
        Ok(Self {
            prefix: prefix.to_owned(),
            state: quoted(&base),
            content_types: quoted(&content_types),
            metadata: qualified(metadata_schema.as_deref(), &metadata_table),
            base,
            schema,
            start,
        })
    }

    /// Another table with the same prefix, quoted.
    pub(super) fn table(&self, name: &str) -> String {
        qualified(self.schema.as_deref(), &format!("{}{name}", self.start))
    }

    /// The key of Dapr's migration level in the table of metadata.
    pub(super) fn level_key(&self) -> String {
        format!("migrations-state-v2-{}", self.prefix)
    }

    /// The key of the moment of the last clean-up there.
    pub(super) fn cleanup_key(&self) -> String {
        format!("last-cleanup-state-v2-{}", self.prefix)
    }
}

/// Schema and the rest. The server folds names that are not quoted to lower case, as Dapr has it.
fn split(field: &str, name: &str) -> Result<(Option<String>, String), OpenError> {
    let lower = name.to_ascii_lowercase();
    match lower.split_once('.') {
        Some((schema, rest)) => {
            check(field, name, schema)?;
            Ok((Some(schema.to_owned()), rest.to_owned()))
        }
        None => Ok((None, lower)),
    }
}

fn check(field: &str, whole: &str, identifier: &str) -> Result<(), OpenError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let digit_first = identifier.starts_with(|c: char| c.is_ascii_digit());
    if identifier.is_empty() || digit_first || !identifier.chars().all(plain) {
        return Err(wrong(
            field,
            whole,
            "is no name: expected letters, digits and `_`, no digit first, and a schema with a dot before it if wanted",
        ));
    }
    if identifier.len() > IDENTIFIER_MAX {
        return Err(wrong(field, whole, "is too long"));
    }
    Ok(())
}

fn wrong(field: &str, name: &str, what: &str) -> OpenError {
    OpenError::Metadata {
        field: field.to_owned(),
        message: format!("`{name}` {what}"),
    }
}

fn qualified(schema: Option<&str>, table: &str) -> String {
    match schema {
        Some(schema) => format!("\"{schema}\".\"{table}\""),
        None => format!("\"{table}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(prefix: &str) -> String {
        match Names::new(prefix, None) {
            Ok(names) => names.state,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_prefix_may_have_a_schema() {
        assert_eq!(tables(""), r#""state""#);
        assert_eq!(tables("My_"), r#""my_state""#);
        assert_eq!(tables("public."), r#""public"."state""#);
        assert_eq!(tables("Shop.a1_"), r#""shop"."a1_state""#);
        let names = Names::new("", Some("meta.Data")).unwrap();
        assert_eq!(names.metadata, r#""meta"."data""#);
    }

    #[test]
    fn statements_in_names_are_refused() {
        let attacks = [
            "state; DROP TABLE x; --",
            "a\" (key text); --",
            "a.b.c",
            "1a",
            "'",
            "a b",
            "pg_temp.ä",
            ".",
        ];
        for attack in attacks {
            let text = tables(attack);
            assert!(
                text.starts_with("metadata `tablePrefix`: `"),
                "{attack}: {text}"
            );
            let metadata = Names::new("", Some(attack)).unwrap_err().to_string();
            assert!(
                metadata.starts_with("metadata `metadataTableName`: `"),
                "{attack}: {metadata}"
            );
        }
        assert!(tables(&"a".repeat(60)).ends_with("is too long"));
    }
}
