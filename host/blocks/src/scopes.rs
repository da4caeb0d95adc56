//! Who may use which topic and which secret.

use berth_resources::{AppId, DefaultAccess, SecretScope};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Whether an app wants to publish to a topic or to subscribe to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicUse {
    /// `publishingScopes`
    Publish,
    /// `subscriptionScopes`
    Subscribe,
}

/// Topics by app: `app1=t1,t2;app2=t3`. An app that is not named is not restricted, `app1=` forbids all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicScopes(HashMap<String, BTreeSet<String>>);

impl TopicScopes {
    /// Reads `publishingScopes` or `subscriptionScopes`.
    ///
    /// # Errors
    /// What was expected, if a part has no `=`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut apps: HashMap<String, BTreeSet<String>> = HashMap::new();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (app, topics) = part.split_once('=').ok_or_else(|| {
                format!("`{part}` is not a topic scope: expected `app1=topic1,topic2;app2=topic3`")
            })?;
            apps.entry(app.to_owned())
                .or_default()
                .extend(topic_list(topics));
        }
        Ok(Self(apps))
    }
}

/// Reads `allowedTopics` or `protectedTopics`.
#[must_use]
pub fn topic_list(text: &str) -> BTreeSet<String> {
    let topics = text
        .split(',')
        .map(str::trim)
        .filter(|topic| !topic.is_empty());
    topics.map(str::to_owned).collect()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Topics {
    publishing: TopicScopes,
    subscription: TopicScopes,
    allowed: BTreeSet<String>,
    protected: BTreeSet<String>,
}

/// The topic scopes of a pub/sub backend. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicRules(Option<Arc<Topics>>);

impl TopicRules {
    /// The rules of one document: `allowed` and `protected` topics are those of `allowedTopics` and
    /// `protectedTopics`.
    #[must_use]
    pub fn new(
        publishing: TopicScopes,
        subscription: TopicScopes,
        allowed: BTreeSet<String>,
        protected: BTreeSet<String>,
    ) -> Self {
        let topics = Topics {
            publishing,
            subscription,
            allowed,
            protected,
        };
        Self((topics != Topics::default()).then(|| Arc::new(topics)))
    }

    /// Whether the app may use the topic; the error says which rule forbids it.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn check(&self, app: &AppId, topic: &str, wanted: TopicUse) -> Result<(), String> {
        let Some(rules) = &self.0 else { return Ok(()) };
        let (scopes, name, verb) = match wanted {
            TopicUse::Publish => (&rules.publishing, "publishingScopes", "publish to"),
            TopicUse::Subscribe => (&rules.subscription, "subscriptionScopes", "subscribe to"),
        };
        let denied = |reason: &str| {
            Err(format!(
                "app \"{app}\" may not {verb} topic \"{topic}\": {reason}"
            ))
        };
        if !rules.allowed.is_empty() && !rules.allowed.contains(topic) {
            return denied("not in allowedTopics");
        }
        match scopes.0.get(app.as_str()) {
            Some(own) if own.contains(topic) => Ok(()),
            Some(_) => denied(&format!("not in its {name}")),
            None if rules.protected.contains(topic) => {
                denied(&format!("a protected topic, and {name} does not grant it"))
            }
            None => Ok(()),
        }
    }
}

/// What the configuration of an app says about one secret store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SecretRules(Option<SecretScope>);

impl SecretRules {
    pub(crate) fn new(scopes: &[SecretScope], store: &str) -> Self {
        let own = scopes
            .iter()
            .find(|scope| scope.store.eq_ignore_ascii_case(store));
        Self(own.cloned())
    }

    /// Whether the app may read the secret; the error is the rule that forbids it.
    pub(crate) fn check(&self, secret: &str) -> Result<(), &'static str> {
        let Some(scope) = &self.0 else { return Ok(()) };
        let named = |list: &[String]| list.iter().any(|name| name == secret);
        if !scope.allowed.is_empty() {
            return if named(&scope.allowed) {
                Ok(())
            } else {
                Err("not in its allowedSecrets")
            };
        }
        if named(&scope.denied) {
            return Err("in its deniedSecrets");
        }
        match scope.default_access {
            DefaultAccess::Allow => Ok(()),
            DefaultAccess::Deny => Err("defaultAccess is deny"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(publishing: &str, allowed: &str, protected: &str) -> TopicRules {
        TopicRules::new(
            TopicScopes::parse(publishing).unwrap(),
            TopicScopes::default(),
            topic_list(allowed),
            topic_list(protected),
        )
    }

    fn publish(rules: &TopicRules, app: &str, topic: &str) -> Result<(), String> {
        rules.check(&app.parse().unwrap(), topic, TopicUse::Publish)
    }

    #[test]
    fn a_named_app_has_its_topics_and_others_have_all() {
        let rules = rules("a = t1, t2; b=", "", "");
        assert_eq!(publish(&rules, "a", "t2"), Ok(()));
        assert_eq!(
            publish(&rules, "a", "t3").unwrap_err(),
            "app \"a\" may not publish to topic \"t3\": not in its publishingScopes"
        );
        assert!(publish(&rules, "b", "t1").is_err());
        assert_eq!(publish(&rules, "c", "t3"), Ok(()));
        assert_eq!(
            rules.check(&"a".parse().unwrap(), "t3", TopicUse::Subscribe),
            Ok(())
        );
    }

    #[test]
    fn allowed_topics_bind_everybody_and_protected_ones_need_a_scope() {
        let rules = rules("a=p,x", "t,p", "p");
        assert_eq!(publish(&rules, "a", "p"), Ok(()));
        assert!(
            publish(&rules, "a", "x")
                .unwrap_err()
                .ends_with("not in allowedTopics")
        );
        assert!(publish(&rules, "b", "p").unwrap_err().contains("protected"));
        assert_eq!(publish(&rules, "b", "t"), Ok(()));
    }

    #[test]
    fn secret_lists_are_read_in_daprs_order() {
        let scope = |default_access, allowed: &[&str], denied: &[&str]| {
            let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
            let scope = SecretScope {
                store: "vault".to_owned(),
                default_access,
                allowed: names(allowed),
                denied: names(denied),
            };
            SecretRules::new(&[scope], "vault")
        };
        let allow = DefaultAccess::Allow;
        assert!(scope(allow, &["a"], &["a"]).check("a").is_ok());
        assert!(scope(allow, &["a"], &[]).check("b").is_err());
        assert!(scope(allow, &[], &["b"]).check("b").is_err());
        assert!(scope(allow, &[], &["b"]).check("c").is_ok());
        assert!(scope(DefaultAccess::Deny, &[], &[]).check("c").is_err());
        assert!(SecretRules::default().check("c").is_ok());
    }
}
