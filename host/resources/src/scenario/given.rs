//! `given`: the world before anything happens.

use super::{
    apps::{CannedApp, OtherApp, outside_origin},
    fault::Fault,
    message::{Payload, texts},
    pattern::value,
};
use crate::{
    AppId, Origin,
    app::{guest_path, nearest_file},
    fields::Fields,
    node::quote,
    reader::Reading,
    value::Field,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, SystemTime},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A backend, and for which app: `statestore`, or `inventory/statestore`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreName {
    /// Whose keys; absent: those of the app that the scenario is about.
    pub app: Option<AppId>,
    /// Name of the backend.
    pub name: String,
}

/// Secrets of a store by name, each with its fields: one value is a field of the secret's own name.
pub type Secrets = BTreeMap<String, BTreeMap<String, String>>;

/// The world before anything happens. What a scenario does not say, its file says, or else the documents.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Files and folders with documents, as `berth run` reads them; absent: the folder of the file, unless a guest is
    /// named.
    pub resources: Option<Vec<(PathBuf, Origin)>>,
    /// A guest that needs no document.
    pub guest: Option<(PathBuf, Origin)>,
    /// The app that the scenario is about, where there are several.
    pub app: Option<(AppId, Origin)>,
    /// Environment and `wasi:config` of that app, besides what its document grants.
    pub env: Vec<(String, String)>,
    /// Where the clock stands.
    pub clock: Option<SystemTime>,
    /// State, by backend and key.
    pub state: BTreeMap<StoreName, (BTreeMap<String, Payload>, Origin)>,
    /// Secrets, by backend.
    pub secrets: BTreeMap<String, (Secrets, Origin)>,
    /// Other apps.
    pub apps: BTreeMap<AppId, (OtherApp, Origin)>,
    /// Services outside, by scheme and host.
    pub outside: BTreeMap<String, CannedApp>,
    /// What goes wrong from the beginning.
    pub faults: Vec<Fault>,
    /// How much time may pass for what is under way after each step.
    pub settle: Option<Duration>,
}

const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

impl Given {
    pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let resources = fields.optional("resources", reading);
        let resources = resources.map(|field| paths(&field, reading));
        let guest = fields.optional("guest", reading);
        let guest = guest.and_then(|field| {
            let path = guest_path(&field, reading)?;
            Some((path, reading.origin(field.place())))
        });
        let app = fields.optional("app", reading);
        let app = app.and_then(|field| {
            let app = field.app_id(reading)?;
            Some((app, reading.origin(field.place())))
        });
        let env = texts(&mut fields, "env", reading);
        let clock = fields.optional("clock", reading);
        let clock = clock.and_then(|field| moment(&field, reading));
        let state = fields.optional("state", reading);
        let state = state.map(|field| stores(&field, reading));
        let secrets = fields.optional("secrets", reading);
        let secrets = secrets.map(|field| secret_stores(&field, reading));
        let apps = fields.optional("apps", reading);
        let apps = apps.map(|field| other_apps(&field, reading));
        let outside = fields.optional("outside", reading);
        let outside = outside.map(|field| services(&field, reading));
        let faults = fields.optional("faults", reading);
        let faults = faults.map(|field| Fault::read_all(&field, reading));
        let settle = fields.optional("settle", reading);
        let settle = settle.and_then(|field| field.duration(Duration::ZERO..=LONGEST, reading));
        fields.finish(reading);
        Self {
            resources,
            guest,
            app,
            env,
            clock,
            state: state.unwrap_or_default(),
            secrets: secrets.unwrap_or_default(),
            apps: apps.unwrap_or_default(),
            outside: outside.unwrap_or_default(),
            faults: faults.unwrap_or_default(),
            settle,
        }
    }

    /// This, and what the whole file says where this says nothing.
    #[must_use]
    pub fn within(mut self, file: &Self) -> Self {
        self.resources = self.resources.or_else(|| file.resources.clone());
        self.guest = self.guest.or_else(|| file.guest.clone());
        self.app = self.app.or_else(|| file.app.clone());
        self.clock = self.clock.or(file.clock);
        self.settle = self.settle.or(file.settle);
        let own = std::mem::replace(&mut self.env, file.env.clone());
        self.env.extend(own);
        for (store, (values, origin)) in &file.state {
            let (own, _) = self
                .state
                .entry(store.clone())
                .or_insert_with(|| (BTreeMap::new(), origin.clone()));
            for (key, value) in values {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        for (store, (values, origin)) in &file.secrets {
            let (own, _) = self
                .secrets
                .entry(store.clone())
                .or_insert_with(|| (BTreeMap::new(), origin.clone()));
            for (name, value) in values {
                own.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        for (app, other) in &file.apps {
            self.apps
                .entry(app.clone())
                .or_insert_with(|| other.clone());
        }
        for (origin, service) in &file.outside {
            self.outside
                .entry(origin.clone())
                .or_insert_with(|| service.clone());
        }
        self.faults.extend(file.faults.iter().cloned());
        self
    }
}

fn paths(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<(PathBuf, Origin)> {
    let items = match field.node.scalar() {
        Some(_) => vec![field.clone()],
        None => field.items(reading),
    };
    let mut paths = Vec::new();
    for item in items {
        let Some(text) = item.text(reading) else {
            continue;
        };
        let path = reading.folder.join(text);
        if !path.exists() {
            let meant = nearest_file(path.parent(), &path);
            let message = format!("no file or folder `{}`{meant}", path.display());
            item.refuse(reading, message);
            continue;
        }
        paths.push((path, reading.origin(item.place())));
    }
    paths
}

fn moment(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<SystemTime> {
    let text = field.text(reading)?;
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(moment) => Some(moment.into()),
        Err(_) => {
            let message = format!(
                "expected a time such as `2026-01-31T09:00:00Z`, found {}",
                quote(text)
            );
            field.refuse(reading, message);
            None
        }
    }
}

/// `store` or `app/store`.
pub(super) fn store_name(
    name: &str,
    field: &Field<'_>,
    reading: &mut Reading<'_>,
) -> Option<StoreName> {
    let Some((app, store)) = name.split_once('/') else {
        return Some(StoreName {
            app: None,
            name: name.to_owned(),
        });
    };
    match app.parse() {
        Ok(app) => Some(StoreName {
            app: Some(app),
            name: store.to_owned(),
        }),
        Err(error) => {
            let message = format!("{}: {error}", quote(&field.path));
            reading.error(field.key.unwrap_or(field.place()), message);
            None
        }
    }
}

type State = BTreeMap<StoreName, (BTreeMap<String, Payload>, Origin)>;

fn stores(field: &Field<'_>, reading: &mut Reading<'_>) -> State {
    let mut stores = State::new();
    for (name, place, own) in field.entries(reading) {
        let Some(store) = store_name(name, &own, reading) else {
            continue;
        };
        let mut values = BTreeMap::new();
        for (key, _, value) in own.entries(reading) {
            values.insert(key.to_owned(), stored(&value));
        }
        stores.insert(store, (values, reading.origin(place)));
    }
    stores
}

/// A text is stored as its bytes, everything else as JSON.
fn stored(field: &Field<'_>) -> Payload {
    match value(field.node) {
        Value::String(text) => Payload::Text(text),
        json => Payload::Json(json),
    }
}

fn secret_stores(
    field: &Field<'_>,
    reading: &mut Reading<'_>,
) -> BTreeMap<String, (Secrets, Origin)> {
    let mut stores = BTreeMap::new();
    for (store, place, own) in field.entries(reading) {
        let mut secrets = Secrets::new();
        for (name, _, secret) in own.entries(reading) {
            if let Some(fields) = secret_fields(name, &secret, reading) {
                secrets.insert(name.to_owned(), fields);
            }
        }
        stores.insert(store.to_owned(), (secrets, reading.origin(place)));
    }
    stores
}

fn secret_fields(
    name: &str,
    field: &Field<'_>,
    reading: &mut Reading<'_>,
) -> Option<BTreeMap<String, String>> {
    if field.node.map().is_none() {
        let text = field.any_text(reading)?;
        return Some(BTreeMap::from([(name.to_owned(), text.to_owned())]));
    }
    let mut fields = BTreeMap::new();
    for (name, _, own) in field.entries(reading) {
        fields.insert(name.to_owned(), own.any_text(reading)?.to_owned());
    }
    Some(fields)
}

fn other_apps(field: &Field<'_>, reading: &mut Reading<'_>) -> BTreeMap<AppId, (OtherApp, Origin)> {
    let mut apps = BTreeMap::new();
    for (name, place, own) in field.entries(reading) {
        let id = name.parse::<AppId>();
        if let Err(error) = &id {
            reading.error(place, format!("{}: {error}", quote(&own.path)));
        }
        let other = OtherApp::read(&own, reading);
        if let (Ok(id), Some(other)) = (id, other) {
            apps.insert(id, (other, reading.origin(place)));
        }
    }
    apps
}

fn services(field: &Field<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, CannedApp> {
    let mut services = BTreeMap::new();
    for (name, _, own) in field.entries(reading) {
        let origin = outside_origin(name, &own, reading);
        let service = CannedApp::read(&own, reading);
        if let (Some(origin), Some(service)) = (origin, service) {
            services.insert(origin, service);
        }
    }
    services
}
