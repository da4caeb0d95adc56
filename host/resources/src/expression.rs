//! CEL expressions: compiled at load so that a broken one is an error at its place.

use crate::{node::quote, reader::Reading, suggest::did_you_mean, value::Field};
use cel::{
    Context, Program, Value,
    common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr},
};

/// Longest expression. The compiler's own recursion grows with the text, so the text is bounded.
const MAX_LENGTH: usize = 2_000;
/// Deepest nesting of brackets.
const MAX_NESTING: usize = 32;

/// Checks the expression of a field that may use these variables; a text that is empty is not one.
pub(crate) fn check(
    field: &Field<'_>,
    source: &str,
    variables: &[&str],
    reading: &mut Reading<'_>,
) {
    if let Err(message) = compile(source, variables) {
        field.refuse(reading, message);
    }
}

/// Checks a condition over counts. One that gives anything but a boolean would never hold.
pub(crate) fn check_condition(
    field: &Field<'_>,
    source: &str,
    counts: &[&str],
    reading: &mut Reading<'_>,
) {
    let checked = compile(source, counts).and_then(|()| gives_boolean(source, counts));
    if let Err(message) = checked {
        field.refuse(reading, message);
    }
}

fn gives_boolean(source: &str, counts: &[&str]) -> Result<(), String> {
    let Ok(program) = Program::compile(source) else {
        return Ok(());
    };
    // Numbers need no loops, and loops within loops could run for hours.
    if has_loop(program.expression()) {
        return Err(format!("{} has a loop", quote(source)));
    }
    let mut context = Context::default();
    for count in counts {
        // Not zero: many conditions divide by a count.
        context.add_variable_from_value(*count, Value::Int(1));
    }
    match program.execute(&context) {
        // What fails for these counts may hold for others.
        Ok(Value::Bool(_)) | Err(_) => Ok(()),
        Ok(other) => Err(format!(
            "expected a condition such as `consecutiveFailures > 5`, {} gives {}",
            quote(source),
            other.type_of()
        )),
    }
}

fn has_loop(expression: &IdedExpr) -> bool {
    match &expression.expr {
        Expr::Comprehension(_) => true,
        Expr::Call(call) => {
            let target = call.target.iter().map(|target| &**target);
            target.chain(&call.args).any(has_loop)
        }
        Expr::List(list) => list.elements.iter().any(has_loop),
        Expr::Map(map) => map.entries.iter().any(entry_has_loop),
        Expr::Struct(own) => own.entries.iter().any(entry_has_loop),
        Expr::Select(select) => has_loop(&select.operand),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => false,
    }
}

fn entry_has_loop(entry: &IdedEntryExpr) -> bool {
    match &entry.expr {
        EntryExpr::StructField(field) => has_loop(&field.value),
        EntryExpr::MapEntry(entry) => has_loop(&entry.key) || has_loop(&entry.value),
    }
}

fn compile(source: &str, variables: &[&str]) -> Result<(), String> {
    if source.len() > MAX_LENGTH {
        return Err(format!("an expression of more than {MAX_LENGTH} bytes"));
    }
    if nesting(source) > MAX_NESTING {
        return Err(format!(
            "an expression nested deeper than {MAX_NESTING} levels"
        ));
    }
    let program = Program::compile(source).map_err(|errors| {
        let first = errors.errors.first();
        let what = first.map_or_else(String::new, |error| format!(": {}", explain(&error.msg)));
        format!("{} is not a valid CEL expression{what}", quote(source))
    })?;
    check_functions(&program, source)?;
    check_variables(&program, source, variables)
}

/// An unknown function would fail at every message, long after the deployment.
fn check_functions(program: &Program, source: &str) -> Result<(), String> {
    const SUGGESTED: [&str; 14] = [
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "size",
        "string",
        "int",
        "double",
        "has",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
    ];
    let references = program.references();
    let mut functions = references.functions();
    functions.sort_unstable();
    // Operators are functions too, with names such as `_==_`.
    functions.retain(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
    let unknown = functions.into_iter().find(|name| !is_function(name));
    unknown.map_or(Ok(()), |name| {
        let known = SUGGESTED
            .into_iter()
            .filter(|name| is_macro(name) || is_function(name));
        Err(format!(
            "unknown function {} in {}{}",
            quote(name),
            quote(source),
            did_you_mean(name, known)
        ))
    })
}

/// Whether the standard library has the name: it refuses to have it declared again.
fn is_function(name: &str) -> bool {
    Context::default().add_function(name, || true).is_err()
}

fn is_macro(name: &str) -> bool {
    matches!(
        name,
        "has" | "all" | "exists" | "exists_one" | "map" | "filter"
    )
}

fn check_variables(program: &Program, source: &str, variables: &[&str]) -> Result<(), String> {
    let references = program.references();
    let mut unknown = references.variables();
    unknown.retain(|name| !variables.contains(name) && !is_local(source, name));
    unknown.sort_unstable();
    let Some(name) = unknown.first() else {
        return Ok(());
    };
    let meant = did_you_mean(name, variables.iter().copied());
    let known: Vec<String> = variables.iter().map(|name| format!("`{name}`")).collect();
    let known = if meant.is_empty() {
        format!(", known: {}", known.join(", "))
    } else {
        meant
    };
    Err(format!(
        "unknown variable {} in {}{known}",
        quote(name),
        quote(source)
    ))
}

/// Deepest nesting of brackets, those in texts included: an upper bound is enough.
fn nesting(source: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for c in source.chars() {
        match c {
            '(' | '[' | '{' | '?' | '!' | '-' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Whether a macro such as `exists(item, ...)` introduces the name, or the compiler did (`@result`).
fn is_local(source: &str, name: &str) -> bool {
    name.starts_with('@')
        || name.starts_with("__")
        || source.split('(').skip(1).any(|call| {
            call.split(',')
                .take(2)
                .any(|argument| argument.trim() == name)
        })
}

/// The compiler's message without its list of every token that could stand there.
fn explain(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = message.strip_prefix("Syntax error: ").unwrap_or(&message);
    let message = message.split(" expecting ").next().unwrap_or(message);
    if message.contains("'<EOF>'") {
        return "it ends too early".to_owned();
    }
    match message.strip_prefix("token recognition error at: '= ") {
        Some(_) => "a single `=`, equality is `==`".to_owned(),
        None => message.replace('\'', "`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_rules_compile() {
        for source in [
            "event.type == \"order.created\"",
            "event.data.total > 100.0 && has(event.data.vip)",
            "event.data.items.exists(item, item.qty > 2)",
            "event.type in ['a', 'b']",
            "event.type.startsWith('order.') || size(event.data.items) > 1 || string(1) + 'x' == event.id",
            "[1, 2].map(n, n * 2).all(n, n > 1) && -1 < 0 ? true : !false",
        ] {
            assert_eq!(compile(source, &["event"]), Ok(()), "{source}");
        }
    }

    #[test]
    fn broken_rules_say_why() {
        assert_eq!(
            compile("evnt.type == 'a'", &["event"]),
            Err("unknown variable `evnt` in `evnt.type == 'a'` (did you mean `event`?)".to_owned())
        );
        assert_eq!(
            compile("event.type.startWith('a')", &["event"]),
            Err("unknown function `startWith` in `event.type.startWith('a')` (did you mean `startsWith`?)".to_owned())
        );
        for source in ["event.type ==", "(", "'", "event.type = 'a'", "\u{0}", "🦀"] {
            let error = compile(source, &["event"]).unwrap_err();
            assert!(error.contains("is not a valid CEL expression"), "{error}");
        }
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        for bracket in ["(", "[", "{", "!", "-", "a?"] {
            let error = compile(&bracket.repeat(500), &["event"]).unwrap_err();
            assert!(error.contains("nested deeper"), "{error}");
        }
        for chain in ["a.", "a&&", "a||", "a+", "a<", "a in ", "a==", "'a'", "a\n"] {
            let _ = compile(&chain.repeat(MAX_LENGTH / chain.len()), &["event"]);
        }
    }
}
