//! The place in front of every backend, app and engine: a call is noted, and may go wrong. Below the policies, as a real
//! backend that fails would be.

use crate::{
    journal::{BlockCall, Journal},
    site::{Site, Sites, Work},
};
use berth_blocks::{
    invocation::InvokeError, pubsub::PubSubError, secrets::SecretError, state::StateError,
    workflow::WorkflowError,
};
use berth_resources::{
    AppId,
    scenario::{Effect, Failing, Fault, Kill, Moment},
};
use parking_lot::Mutex;
use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Notify;

/// Notes calls and breaks them.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) journal: Journal,
    pub(crate) sites: Sites,
    pub(crate) crash: Crash,
    faults: Mutex<Vec<Armed>>,
    /// The block call, counted from 0, at which the host crashes.
    crash_at: Mutex<Option<(usize, Moment)>>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    /// Calls so far that it is about.
    seen: u32,
}

/// The end of a host.
#[derive(Debug, Default)]
pub(crate) struct Crash {
    happened: AtomicBool,
    notify: Notify,
}

impl Crash {
    fn strike(&self) {
        self.happened.store(true, Ordering::Relaxed);
        self.notify.notify_one();
    }

    /// Ends when the host crashes.
    pub(crate) async fn struck(&self) {
        while !self.happened.load(Ordering::Relaxed) {
            self.notify.notified().await;
        }
    }

    /// Another host begins.
    pub(crate) fn over(&self) {
        self.happened.store(false, Ordering::Relaxed);
    }
}

/// What is asked, and of whom.
pub(crate) struct Asked<'a> {
    pub(crate) operation: &'static str,
    /// A backend, an app, a service outside.
    pub(crate) of: &'a str,
    /// Key, topic, path or instance.
    pub(crate) key: &'a str,
    /// Who asks, where that is known.
    pub(crate) caller: Option<&'a AppId>,
}

impl Probe {
    pub(crate) fn arm(&self, faults: &[Fault]) {
        let armed = faults.iter().map(|fault| Armed {
            fault: fault.clone(),
            seen: 0,
        });
        self.faults.lock().extend(armed);
    }

    pub(crate) fn mend(&self) {
        self.faults.lock().clear();
    }

    /// The host is to crash at this block call.
    pub(crate) fn crash_at(&self, call: usize, moment: Moment) {
        *self.crash_at.lock() = Some((call, moment));
    }

    /// A call on its way to whoever does it.
    pub(crate) async fn call<T, E: Fails>(
        &self,
        asked: Asked<'_>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let site = self.sites.current(asked.caller);
        let site = match site {
            Some(site) if site.work != Work::Scenario => site,
            _ => return work.await,
        };
        let effect = self.begin(&asked, &site);
        // Calls that are made at the same time take turns: what one reads, another may write before it writes.
        tokio::task::yield_now().await;
        match effect {
            None => work.await,
            Some(Effect::Fail(failing)) => Err(E::failing(failing, asked.text("is made to fail"))),
            Some(Effect::Slow(pause)) => {
                tokio::time::sleep(pause).await;
                work.await
            }
            Some(Effect::LoseAnswer) => {
                drop(work.await);
                Err(E::failing(
                    Failing::Timeout,
                    asked.text("is made to lose its answer"),
                ))
            }
            Some(Effect::Kill(who, moment)) => {
                if moment == Moment::After {
                    drop(work.await);
                }
                match who {
                    Kill::Guest => site.kill(),
                    Kill::Host => self.crash.strike(),
                }
                pending().await
            }
        }
    }

    fn begin(&self, asked: &Asked<'_>, site: &Site) -> Option<Effect> {
        let call = BlockCall {
            operation: asked.operation,
            backend: asked.of.to_owned(),
            key: asked.key.to_owned(),
            app: site.app.clone(),
        };
        let number = self.journal.count(|records| records.calls.len());
        let fault = self.fault(&call);
        self.journal.note(|records| records.calls.push(call));
        let mut crash = self.crash_at.lock();
        let crashes = crash.take_if(|(at, _)| *at == number);
        let crash = crashes.map(|(_, moment)| Effect::Kill(Kill::Host, moment));
        crash.or(fault)
    }

    fn fault(&self, call: &BlockCall) -> Option<Effect> {
        let mut found = None;
        for armed in self.faults.lock().iter_mut() {
            if !is_about(&armed.fault, call) {
                continue;
            }
            armed.seen += 1;
            let first = armed.fault.nth;
            let last = armed
                .fault
                .times
                .map(|times| first.saturating_add(times - 1));
            let meant = armed.seen >= first && last.is_none_or(|last| armed.seen <= last);
            if meant && found.is_none() {
                found = Some(armed.fault.effect.clone());
            }
        }
        found
    }
}

fn is_about(fault: &Fault, call: &BlockCall) -> bool {
    let same = |wanted: &Option<String>, found: &str| {
        wanted.as_deref().is_none_or(|wanted| fits(wanted, found))
    };
    fault.call.matches(call.operation)
        && same(&fault.backend, &call.backend)
        && same(&fault.key, &call.key)
        && fault.app.as_ref().is_none_or(|app| *app == call.app)
}

/// Whether a text fits a pattern in which `*` stands for anything.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

impl Asked<'_> {
    fn text(&self, what: &str) -> String {
        format!(
            "{} of \"{}\" {what} by the scenario",
            self.operation, self.of
        )
    }
}

/// Errors as faults make them.
pub(crate) trait Fails: Sized {
    fn failing(how: Failing, text: String) -> Self;
}

macro_rules! fails {
    ($($error:ident: $conflict:ident $not_found:ident $too_large:ident $denied:ident;)*) => {
        $(impl Fails for $error {
            fn failing(how: Failing, text: String) -> Self {
                match how {
                    Failing::Unavailable => Self::Unavailable(text),
                    Failing::Timeout => Self::Timeout(text),
                    Failing::Conflict => Self::$conflict(text),
                    Failing::NotFound => Self::$not_found(text),
                    Failing::TooLarge => Self::$too_large(text),
                    Failing::Denied => Self::$denied(text),
                }
            }
        })*
    };
}

// What an operation cannot do is refused when the scenario is read.
fails! {
    StateError: Conflict NotFound TooLarge Denied;
    PubSubError: Other NotFound TooLarge Denied;
    SecretError: Other NotFound Other Denied;
    InvokeError: Other NotFound TooLarge Denied;
    WorkflowError: Exists NotFound TooLarge Denied;
}

/// Shared by everything that stands in front of something.
pub(crate) type SharedProbe = Arc<Probe>;

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [
            ("order-1", "order-1"),
            ("*", ""),
            ("order-*", "order-17"),
            ("*||stock", "shop||stock"),
            ("/a/*/c", "/a/b/c"),
            ("/a/*/c*", "/a/b/c/d"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("order-1", "order-12"),
            ("a*b", "ac"),
            ("*a", "b"),
            ("a*a", "a"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
