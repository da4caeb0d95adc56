//! Routing rules: which path of the app a message goes to.

use super::rule::Rule;
use berth_resources::Subscription;
use cel::{Context, Value, objects::Key};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

/// The functions of CEL. To register them anew for each message would cost sixty times the evaluation.
static STANDARD: LazyLock<Context<'static, 'static>> = LazyLock::new(Context::default);

/// The rules of one subscription, compiled.
pub(super) struct Routes {
    rules: Vec<(Option<Rule>, Arc<str>)>,
    default: Option<Arc<str>>,
}

impl Routes {
    /// Compiles every rule.
    pub(super) fn compile(subscription: &Subscription) -> Result<Self, String> {
        let rules = subscription.rules.iter().map(|rule| {
            let expression = rule.expression.trim();
            let compiled = (!expression.is_empty())
                .then(|| Rule::compile(expression))
                .transpose();
            Ok((compiled?, rule.path.as_str().into()))
        });
        Ok(Self {
            rules: rules.collect::<Result<_, String>>()?,
            default: subscription.default_route.as_deref().map(Into::into),
        })
    }

    /// The route of an event: the first rule that holds, else the default, else none.
    pub(super) fn route(&self, envelope: &[u8]) -> Result<Option<Arc<str>>, String> {
        let mut context = None;
        for (rule, path) in &self.rules {
            let holds = match rule {
                None => true,
                Some(rule) => {
                    if context.is_none() {
                        context = Some(event_context(envelope)?);
                    }
                    context
                        .as_ref()
                        .map_or(Ok(false), |context| rule.holds(context))?
                }
            };
            if holds {
                return Ok(Some(path.clone()));
            }
        }
        Ok(self.default.clone())
    }
}

/// `event` is the whole event as a map.
fn event_context(envelope: &[u8]) -> Result<Context<'static, 'static>, String> {
    let event: serde_json::Value =
        serde_json::from_slice(envelope).map_err(|error| error.to_string())?;
    let mut context = STANDARD.new_inner_scope();
    context.add_variable_from_value("event", value(event));
    Ok(context)
}

/// JSON as CEL sees it. Whole numbers are `int`, as the literals in rules are: `event.data.total > 100`.
fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text)),
        serde_json::Value::Array(items) => {
            Value::List(Arc::new(items.into_iter().map(value).collect()))
        }
        serde_json::Value::Object(members) => {
            let members = members
                .into_iter()
                .map(|(name, member)| (Key::from(name), value(member)));
            members.collect::<HashMap<_, _>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::subscription;

    fn routes(rules: &[(&str, &str)], default: Option<&str>) -> Result<Routes, String> {
        let rules = rules
            .iter()
            .map(|(expression, path)| berth_resources::Rule {
                expression: (*expression).to_owned(),
                path: (*path).to_owned(),
            });
        Routes::compile(&Subscription {
            rules: rules.collect(),
            default_route: default.map(str::to_owned),
            ..subscription("orders")
        })
    }

    const EVENT: &[u8] =
        br#"{"type":"order.created","source":"shop","data":{"total":120,"price":9.5,"vip":true,
        "items":[{"sku":"a","qty":3}],"note":null}}"#;

    fn route(rules: &[(&str, &str)], default: Option<&str>) -> Result<Option<String>, String> {
        let route = routes(rules, default)?.route(EVENT)?;
        Ok(route.map(|route| route.to_string()))
    }

    #[test]
    fn the_first_rule_that_holds_wins() {
        let rules = [
            ("event.type == 'other'", "/other"),
            ("event.type == 'order.created'", "/created"),
            ("", "/all"),
        ];
        assert_eq!(
            route(&rules, Some("/default")),
            Ok(Some("/created".to_owned()))
        );
        assert_eq!(
            route(&rules[..1], Some("/default")),
            Ok(Some("/default".to_owned()))
        );
        assert_eq!(route(&rules[..1], None), Ok(None));
        assert_eq!(route(&[("", "/all")], None), Ok(Some("/all".to_owned())));
    }

    #[test]
    fn rules_look_into_the_data() {
        for rule in [
            "event.data.total > 100",
            "event.data.total == 120",
            "event.data.total > 100.5",
            "event.data.price < 10",
            "event.data.vip",
            "event.data.items.exists(item, item.qty > 2)",
            "event.data.items[0].sku in ['a', 'b']",
            "has(event.data.total) && !has(event.data.absent)",
            "event.source.startsWith('sh')",
        ] {
            assert_eq!(
                route(&[(rule, "/r")], None),
                Ok(Some("/r".to_owned())),
                "{rule}"
            );
        }
    }

    #[test]
    fn a_rule_that_fails_is_an_error() {
        assert!(
            route(&[("event.type ==", "/r")], None)
                .unwrap_err()
                .contains("is not a CEL expression")
        );
        assert!(
            route(&[("event.type", "/r")], None)
                .unwrap_err()
                .contains("instead of a boolean")
        );
        assert!(
            route(&[("event.data.absent > 1", "/r")], None)
                .unwrap_err()
                .contains("a routing rule failed")
        );
    }
}
