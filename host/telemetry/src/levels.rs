//! Which events are logged: a level for the host, and levels of single apps above or below it, all changeable while the
//! host runs.

use crate::logging::LogLevel;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    subscriber::Interest,
};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Filter},
};

/// Those of this process, once logging is set up.
static CURRENT: OnceLock<LogLevels> = OnceLock::new();

/// The log levels of a process. All clones are one.
#[derive(Clone)]
pub struct LogLevels(Arc<Shared>);

struct Shared {
    state: ArcSwap<State>,
    /// Changes come one after the other.
    changing: Mutex<()>,
    /// Spans of libraries are shown: never changes.
    spans: bool,
}

struct State {
    /// What holds for everything that is not of an app with a level of its own.
    base: Arc<EnvFilter>,
    level: LogLevel,
    apps: BTreeMap<AppKey, LogLevel>,
}

/// An app: namespace and app ID.
type AppKey = (String, String);

impl LogLevels {
    pub(crate) fn new(base: EnvFilter, level: LogLevel, spans: bool) -> Self {
        let state = State {
            base: Arc::new(base),
            level,
            apps: BTreeMap::new(),
        };
        Self(Arc::new(Shared {
            state: ArcSwap::from_pointee(state),
            changing: Mutex::new(()),
            spans,
        }))
    }

    pub(crate) fn make_current(&self) {
        // There is one subscriber in a process, and so one of these.
        let _ = CURRENT.set(self.clone());
    }

    /// Those of this process; `None`: logging was not set up.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.get().cloned()
    }

    /// The level of the host.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        self.0.state.load().level
    }

    /// Apps with a level of their own: namespace, app ID, level.
    #[must_use]
    pub fn apps(&self) -> Vec<(String, String, LogLevel)> {
        let state = self.0.state.load();
        let apps = state.apps.iter();
        apps.map(|((namespace, app), level)| (namespace.clone(), app.clone(), *level))
            .collect()
    }

    /// Sets the level of the host, and of every app without one of its own. It takes the place of `RUST_LOG`.
    pub fn set(&self, level: LogLevel) {
        let Ok(base) = EnvFilter::try_new(level.directives()) else {
            return;
        };
        self.change(|state| {
            state.level = level;
            state.base = Arc::new(base);
        });
    }

    /// Sets the level of one app; `None`: that of the host.
    pub fn set_app(&self, namespace: &str, app: &str, level: Option<LogLevel>) {
        let key = (namespace.to_owned(), app.to_owned());
        self.change(|state| {
            match level {
                Some(level) => state.apps.insert(key, level),
                None => state.apps.remove(&key),
            };
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let changing = self.0.changing.lock();
        let before = self.0.state.load_full();
        let mut state = State {
            base: before.base.clone(),
            level: before.level,
            apps: before.apps.clone(),
        };
        change(&mut state);
        self.0.state.store(Arc::new(state));
        drop(changing);
        // Every place that logs has kept what was decided about it.
        tracing::callsite::rebuild_interest_cache();
    }
}

impl State {
    /// The most talkative level of an app of its own.
    fn most(&self) -> Option<LevelFilter> {
        self.apps.values().map(|level| level.filter()).max()
    }

    /// Whether an app may want events of this kind that the host does not want.
    fn may_be_wanted(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target() == "guest" || metadata.target().starts_with("berth");
        is_ours && metadata.is_event() && self.most().is_some_and(|most| *metadata.level() <= most)
    }

    /// The level of the app that an event is about, if it has one of its own.
    fn of_app(&self, event: &Event<'_>) -> Option<LogLevel> {
        if self.apps.is_empty() {
            return None;
        }
        let mut about = About::default();
        event.record(&mut about);
        self.apps.get(&(about.namespace?, about.app?)).copied()
    }
}

impl<S: Subscriber> Filter<S> for LogLevels {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        let state = self.0.state.load();
        if metadata.is_span() && !self.0.spans {
            return false;
        }
        Filter::<S>::enabled(&*state.base, metadata, context) || state.may_be_wanted(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let state = self.0.state.load();
        if metadata.is_span() && !self.0.spans {
            return Interest::never();
        }
        let base = Filter::<S>::callsite_enabled(&*state.base, metadata);
        if state.apps.is_empty() || (base.is_never() && !state.may_be_wanted(metadata)) {
            return base;
        }
        Interest::sometimes()
    }

    fn event_enabled(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool {
        let state = self.0.state.load();
        if state.apps.is_empty() {
            return true;
        }
        match state.of_app(event) {
            Some(level) => *event.metadata().level() <= level.filter(),
            None => Filter::<S>::enabled(&*state.base, event.metadata(), context),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let state = self.0.state.load();
        // Without this hint every trace event of every library, and of `log`, would be asked about anew.
        let base = state.base.max_level_hint().unwrap_or(LevelFilter::TRACE);
        Some(state.most().map_or(base, |most| most.max(base)))
    }
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        let level = match self {
            Self::Debug => Level::DEBUG,
            Self::Info => Level::INFO,
            Self::Warn => Level::WARN,
            Self::Error => Level::ERROR,
        };
        level.into()
    }
}

/// The app that an event is about.
#[derive(Default)]
struct About {
    namespace: Option<String>,
    app: Option<String>,
}

impl Visit for About {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "app" => self.app = Some(value.to_owned()),
            "namespace" => self.namespace = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "app" | "namespace") {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::{Layer, layer::SubscriberExt};

    /// Keeps the messages that pass.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let record = crate::record::Record::of(event);
            self.0.lock().push(record.message);
        }
    }

    fn say(app: &str) {
        let name = app.to_owned();
        tracing::debug!(target: "berth_runtime", %app, namespace = "shop", "{name} debug");
        tracing::info!(target: "guest", app, namespace = "shop", "{name} info");
        tracing::warn!(target: "guest", app, namespace = "shop", "{name} warn");
    }

    #[test]
    fn an_app_may_say_more_or_less_than_its_host() {
        let levels = LogLevels::new(EnvFilter::new("info"), LogLevel::Info, false);
        let kept = Kept::default();
        let layer = kept.clone().with_filter(levels.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        let said = || {
            for app in ["loud", "quiet", "usual"] {
                say(app);
            }
            tracing::debug!(target: "hyper", app = "loud", namespace = "shop", "library");
            std::mem::take(&mut *kept.0.lock())
        };
        tracing::subscriber::with_default(subscriber, || {
            let usual = [
                "loud info",
                "loud warn",
                "quiet info",
                "quiet warn",
                "usual info",
                "usual warn",
            ];
            assert_eq!(said(), usual);
            levels.set_app("shop", "loud", Some(LogLevel::Debug));
            levels.set_app("shop", "quiet", Some(LogLevel::Warn));
            levels.set_app("elsewhere", "usual", Some(LogLevel::Error));
            let changed = [
                "loud debug",
                "loud info",
                "loud warn",
                "quiet warn",
                "usual info",
                "usual warn",
            ];
            assert_eq!(said(), changed);
            levels.set(LogLevel::Error);
            assert_eq!(
                said(),
                ["loud debug", "loud info", "loud warn", "quiet warn"]
            );
            for app in ["loud", "quiet"] {
                levels.set_app("shop", app, None);
            }
            assert_eq!(said(), Vec::<String>::new());
        });
    }
}
