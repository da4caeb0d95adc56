//! One routing rule: a CEL expression within bounds. Guests declare rules too, so that neither compiling one nor
//! evaluating it may cost the host more than it expects.

use cel::{
    Context, Program, Value,
    common::ast::{EntryExpr, Expr, IdedExpr},
};

/// Bytes of an expression: the compiler's recursion grows with the text.
const LENGTH_MAX: usize = 2_000;
/// Depth of brackets and prefix operators.
const NESTING_MAX: usize = 32;
/// Loops within loops, such as `exists` within `all`: each level multiplies the cost by the size of the event.
const LOOPS_MAX: usize = 1;

/// A compiled rule.
pub(super) struct Rule(Program);

impl Rule {
    pub(super) fn compile(source: &str) -> Result<Self, String> {
        if source.len() > LENGTH_MAX {
            return Err(format!(
                "a rule of {} bytes, the limit is {LENGTH_MAX}",
                source.len()
            ));
        }
        if nesting(source) > NESTING_MAX {
            return Err(format!("a rule nested deeper than {NESTING_MAX} levels"));
        }
        let wrong = |error| format!("rule `{source}` is not a CEL expression: {error}");
        let program = Program::compile(source).map_err(wrong)?;
        if loops(program.expression()) > LOOPS_MAX {
            return Err(format!("rule `{source}` has a loop within a loop"));
        }
        Ok(Self(program))
    }

    pub(super) fn holds(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        match self.0.execute(context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!(
                "a routing rule gave {} instead of a boolean",
                other.type_of()
            )),
            Err(error) => Err(format!("a routing rule failed: {error}")),
        }
    }
}

/// Depth of whatever makes the compiler recurse; brackets in texts count too, an upper bound is enough.
fn nesting(source: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
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

/// Depth of loops within loops.
fn loops(expression: &IdedExpr) -> usize {
    let deepest = |parts: &mut dyn Iterator<Item = &IdedExpr>| parts.map(loops).max().unwrap_or(0);
    let entry = |entry: &EntryExpr| match entry {
        EntryExpr::StructField(field) => loops(&field.value),
        EntryExpr::MapEntry(entry) => loops(&entry.key).max(loops(&entry.value)),
    };
    match &expression.expr {
        Expr::Call(call) => {
            deepest(&mut call.target.iter().map(|target| &**target).chain(&call.args))
        }
        Expr::Comprehension(own) => {
            let steps = [&own.accu_init, &own.loop_cond, &own.loop_step, &own.result];
            loops(&own.iter_range).max(1 + deepest(&mut steps.into_iter()))
        }
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => map
            .entries
            .iter()
            .map(|own| entry(&own.expr))
            .max()
            .unwrap_or(0),
        Expr::Struct(own) => own
            .entries
            .iter()
            .map(|own| entry(&own.expr))
            .max()
            .unwrap_or(0),
        Expr::Select(select) => loops(&select.operand),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_bounded_in_length_depth_and_loops() {
        let error = |source: &str| Rule::compile(source).err().unwrap_or_default();
        assert_eq!(
            error(&"a".repeat(2_001)),
            "a rule of 2001 bytes, the limit is 2000"
        );
        assert_eq!(
            error(&"(".repeat(33)),
            "a rule nested deeper than 32 levels"
        );
        let nested = "event.a.all(x, event.b.exists(y, x == y))";
        assert_eq!(
            error(nested),
            format!("rule `{nested}` has a loop within a loop")
        );
        assert!(
            error("event.a.filter(x, event.b.exists(y, x == y)).size() > 1")
                .ends_with("a loop within a loop")
        );
        for fine in [
            "event.a.all(x, x > 1) && event.b.exists(y, y > 1)",
            "event.a.filter(x, x > 1).exists(y, y > 2)",
            "{'a': event.a.exists(x, x > 1)}.a",
        ] {
            assert_eq!(error(fine), "", "{fine}");
        }
    }
}
