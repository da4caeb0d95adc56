//! The series of a process: one per name and labels.

use super::histogram::Histogram;
use metrics::{Counter, Gauge, Key, KeyName, Metadata, SharedString, Unit};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, atomic::AtomicU64},
};

/// Series of one type. They are looked up for each event whose code keeps no handle, so mostly read.
pub(super) struct Family<S>(RwLock<HashMap<Key, Arc<S>>>);

impl<S> Default for Family<S> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<S: Default> Family<S> {
    fn of(&self, key: &Key) -> Arc<S> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(key) {
            return Arc::clone(series);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key.clone()).or_default())
    }

    /// All of them, by name and labels.
    pub(super) fn sorted(&self) -> Vec<(Key, Arc<S>)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = known
            .iter()
            .map(|(key, series)| (key.clone(), Arc::clone(series)))
            .collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }
}

/// All series.
#[derive(Default)]
pub(super) struct Series {
    pub(super) counters: Family<AtomicU64>,
    /// The bits of an `f64` each.
    pub(super) gauges: Family<AtomicU64>,
    pub(super) histograms: Family<Histogram>,
}

/// What the macros speak to.
pub(super) struct Recorder(Arc<Series>);

impl Recorder {
    pub(super) fn of(series: Arc<Series>) -> Self {
        Self(series)
    }
}

impl metrics::Recorder for Recorder {
    // Nothing of the host describes its metrics: the names say what they count, in which unit.
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.0.counters.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.0.gauges.of(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        metrics::Histogram::from_arc(self.0.histograms.of(key))
    }
}
