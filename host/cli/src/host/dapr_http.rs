//! Dapr's HTTP API of a host: whose calls its doors carry, where they listen, what is said about them.

use super::{Settings, start::taken};
use crate::failure::Failure;
use berth_blocks::{Blocks, Deliveries, invocation::Target};
use berth_gateway::dapr_http::{DaprHttp, DaprHttpOptions, ServingDaprHttp};
use berth_resources::{App, AppId, ByteSize, Namespace, Secret};
use std::{net::IpAddr, str::FromStr, sync::Arc};

/// Where Dapr's SDKs look.
pub const PORT_DEFAULT: u16 = 3500;
const FLAG: &str = "--dapr-http-port";

/// What the command line says about the doors.
#[derive(Debug, Clone)]
pub struct DaprHttpSettings {
    /// `--dapr-http-port`, as often as it was given.
    pub ports: Vec<DaprHttpPort>,
    /// `--app-id`
    pub app_id: Option<AppId>,
    /// `--dapr-listen-addresses`
    pub addresses: Vec<IpAddr>,
    /// `DAPR_API_TOKEN`
    pub token: Option<Secret>,
    /// `--max-body-size`
    pub max_body: ByteSize,
    /// `--read-buffer-size`
    pub max_head: ByteSize,
}

/// One value of `--dapr-http-port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaprHttpPort {
    /// `off`
    Off,
    /// `3500`: for the caller that follows from the rest.
    Of(u16),
    /// `orders=3500` or `orders.shop=3500`
    App(CallerName, u16),
}

/// `app` or `app.namespace`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerName {
    /// The app.
    pub app: AppId,
    namespace: Option<Namespace>,
}

impl FromStr for DaprHttpPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| {
            text.parse::<u16>().map_err(|_| {
                format!("`{text}` is no port: expected 0 to 65535, `off`, or APP=PORT")
            })
        };
        let Some((caller, number)) = text.split_once('=') else {
            return match text {
                "off" => Ok(Self::Off),
                text => Ok(Self::Of(port(text)?)),
            };
        };
        let (app, namespace) = match caller.split_once('.') {
            Some((app, namespace)) => (app, Some(namespace)),
            None => (caller, None),
        };
        let namespace = namespace.map(str::parse::<Namespace>).transpose();
        let caller = CallerName {
            app: app.parse::<AppId>().map_err(|error| error.to_string())?,
            namespace: namespace.map_err(|error| error.to_string())?,
        };
        Ok(Self::App(caller, port(number)?))
    }
}

/// A door that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDoor {
    /// On whose behalf calls are made.
    pub caller: Target,
    /// 0: any.
    pub port: u16,
    /// What was typed, or would have been.
    flag: String,
}

impl DaprHttpSettings {
    /// Apps that the command line names: they need no document.
    pub fn named(&self) -> impl Iterator<Item = &AppId> {
        let of_ports = self.ports.iter().filter_map(|port| match port {
            DaprHttpPort::App(caller, _) => Some(&caller.app),
            _ => None,
        });
        self.app_id.iter().chain(of_ports)
    }

    /// What is wrong by itself, whatever the documents say.
    pub fn check(&self) -> Result<(), Failure> {
        let off = self.ports.contains(&DaprHttpPort::Off);
        if off && self.ports.len() > 1 {
            return Err(Failure::input_text(format_args!(
                "{FLAG} off and a port contradict each other"
            )));
        }
        let plain = |port: &&DaprHttpPort| matches!(port, DaprHttpPort::Of(_));
        if self.ports.iter().filter(plain).count() > 1 {
            return Err(
                Failure::input_text(format_args!("{FLAG} has several ports for one app")).hint(
                    format!("name the app of each: {FLAG} APP=PORT {FLAG} APP=PORT"),
                ),
            );
        }
        let open = self.addresses.iter().find(|ip| !ip.is_loopback());
        match open {
            Some(ip) if self.token.is_none() && !off => Err(Failure::input_text(format_args!(
                "the Dapr HTTP API on {ip} would be open to everybody who reaches this machine"
            ))
            .hint(
                "set a token that clients must show: DAPR_API_TOKEN=$(openssl rand -hex 32) berth run ...; \
                 or leave --dapr-listen-addresses out, which means 127.0.0.1",
            )),
            _ => Ok(()),
        }
    }

    /// The doors. None of them: nobody said who calls, or nobody is to.
    pub fn plan(&self, apps: &[App], own: &Namespace) -> Result<Vec<PlannedDoor>, Failure> {
        if self.ports.contains(&DaprHttpPort::Off) {
            return Ok(Vec::new());
        }
        let usual = [DaprHttpPort::Of(PORT_DEFAULT)];
        let ports = if self.ports.is_empty() {
            &usual[..]
        } else {
            self.ports.as_slice()
        };
        let mut doors = Vec::new();
        for port in ports {
            let (caller, port, prefix) = match port {
                DaprHttpPort::Off => continue,
                DaprHttpPort::App(name, port) => {
                    let caller = resolve(name, apps, own)?;
                    (Some(caller), *port, format!("{}=", name.app))
                }
                DaprHttpPort::Of(port) => (self.usual_caller(apps, own)?, *port, String::new()),
            };
            if let Some(caller) = caller {
                doors.push(PlannedDoor {
                    caller,
                    port,
                    flag: format!("{FLAG} {prefix}"),
                });
            }
        }
        Ok(doors)
    }

    /// The app of `--app-id`, or the only one.
    fn usual_caller(&self, apps: &[App], own: &Namespace) -> Result<Option<Target>, Failure> {
        match (&self.app_id, apps) {
            (Some(app), apps) => {
                let name = CallerName {
                    app: app.clone(),
                    namespace: None,
                };
                resolve(&name, apps, own).map(Some)
            }
            (None, [only]) => Ok(Some(only.into())),
            (None, _) => Ok(None),
        }
    }

    /// Why there is no door, as the start says it.
    pub fn why_off(&self) -> String {
        if self.ports.contains(&DaprHttpPort::Off) {
            return format!("off ({FLAG} off)");
        }
        format!("off: --app-id APP says which app calls it, or {FLAG} APP=PORT for each that does")
    }
}

/// The app that a name means: one of the documents, or a native program.
fn resolve(name: &CallerName, apps: &[App], own: &Namespace) -> Result<Target, Failure> {
    let named = |namespace: &Namespace| Target {
        namespace: namespace.clone(),
        app: name.app.clone(),
    };
    if let Some(namespace) = &name.namespace {
        return Ok(named(namespace));
    }
    let same: Vec<_> = apps.iter().filter(|app| app.id == name.app).collect();
    match same.as_slice() {
        [] => Ok(named(own)),
        [only] => Ok((*only).into()),
        several if several.iter().any(|app| app.namespace == *own) => Ok(named(own)),
        several => {
            let mut all: Vec<_> = several
                .iter()
                .map(|app| format!("{}.{}", app.id, app.namespace))
                .collect();
            all.sort();
            Err(Failure::input_text(format_args!(
                "app `{}` is in several namespaces, and the Dapr HTTP API needs one caller",
                name.app
            ))
            .hint(format!("name it with its namespace: {}", all.join(" or "))))
        }
    }
}

/// Reserves the ports of all doors.
pub fn bind(
    settings: &Settings,
    doors: &[PlannedDoor],
    connections: usize,
) -> Result<Vec<DaprHttp>, Failure> {
    let own = &settings.dapr_http;
    let bound = doors.iter().map(|door| {
        let options = DaprHttpOptions {
            caller: door.caller.clone(),
            token: own.token.clone(),
            body_bytes_max: bytes(own.max_body),
            head_bytes_max: bytes(own.max_head),
            connections_max: (connections / doors.len()).max(1),
        };
        let free = format!("{}0", door.flag);
        DaprHttp::bind(&own.addresses, door.port, options)
            .map_err(|(address, error)| taken(error, address, FLAG, &free))
    });
    bound.collect()
}

/// Opens all doors.
pub fn serve(
    doors: Vec<DaprHttp>,
    blocks: &Blocks,
    deliveries: &Arc<Deliveries>,
) -> Result<Vec<ServingDaprHttp>, Failure> {
    let doors = doors.into_iter().map(|door| {
        let address = door.address();
        door.serve(blocks.clone(), deliveries.clone())
            .map_err(|error| taken(error, address, FLAG, &format!("{FLAG} 0")))
    });
    doors.collect()
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(ports: &[&str], app_id: Option<&str>) -> DaprHttpSettings {
        DaprHttpSettings {
            ports: ports.iter().map(|port| port.parse().unwrap()).collect(),
            app_id: app_id.map(|app| app.parse().unwrap()),
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
            token: None,
            max_body: ByteSize::mib(4),
            max_head: ByteSize::kib(4),
        }
    }

    /// The apps of documents `app` or `app.namespace`.
    fn apps(names: &[&str]) -> Vec<App> {
        let document = |name: &&str| {
            let (app, namespace) = name.split_once('.').unwrap_or((name, "default"));
            format!(
                "---\napiVersion: berth.dev/v1alpha1\nkind: App\nmetadata: {{ name: {app}, namespace: {namespace} }}\n\
                 spec: {{ guest: {}/Cargo.toml }}\n",
                env!("CARGO_MANIFEST_DIR")
            )
        };
        let text: String = names.iter().map(document).collect();
        let source = berth_resources::Source::Text {
            name: "apps.yaml".into(),
            text,
        };
        let options = berth_resources::LoadOptions::default();
        berth_resources::load(&[source], &options).resources.apps
    }

    /// Who calls through which port.
    fn planned(settings: &DaprHttpSettings, names: &[&str]) -> Vec<String> {
        let doors = settings.plan(&apps(names), &Namespace::default()).unwrap();
        let shown = doors.iter().map(|door| {
            let caller = &door.caller;
            format!("{}.{}={}", caller.app, caller.namespace, door.port)
        });
        shown.collect()
    }

    #[test]
    fn one_app_is_the_caller_and_several_need_a_name() {
        assert_eq!(planned(&settings(&[], None), &["a.shop"]), ["a.shop=3500"]);
        assert_eq!(planned(&settings(&["0"], None), &["a"]), ["a.default=0"]);
        assert_eq!(planned(&settings(&["0"], None), &["a", "b"]), [""; 0]);
        assert_eq!(planned(&settings(&["off"], None), &["a"]), [""; 0]);
        let named = settings(&[], Some("b"));
        assert_eq!(planned(&named, &["a", "b.shop"]), ["b.shop=3500"]);
        assert_eq!(planned(&named, &["a"]), ["b.default=3500"]);
    }

    #[test]
    fn each_app_may_have_a_port() {
        let both = settings(&["a=1", "b.shop=2"], None);
        assert_eq!(planned(&both, &["a", "b"]), ["a.default=1", "b.shop=2"]);
        let mixed = settings(&["a=1", "2"], Some("till"));
        assert_eq!(planned(&mixed, &["a"]), ["a.default=1", "till.default=2"]);
    }

    #[test]
    fn an_app_of_several_namespaces_is_asked_for() {
        let settings = settings(&["a=1"], None);
        assert_eq!(planned(&settings, &["a", "a.shop"]), ["a.default=1"]);
        let several = settings.plan(&apps(&["a.shop", "a.bank"]), &Namespace::default());
        insta::assert_snapshot!(several.unwrap_err(), @r"
        app `a` is in several namespaces, and the Dapr HTTP API needs one caller
          hint: name it with its namespace: a.bank or a.shop
        ");
    }

    #[test]
    fn values_that_mean_nothing_are_refused() {
        for (text, expected) in [
            (
                "x",
                "`x` is no port: expected 0 to 65535, `off`, or APP=PORT",
            ),
            (
                "a=70000",
                "`70000` is no port: expected 0 to 65535, `off`, or APP=PORT",
            ),
            ("=1", "`` is not a valid app ID"),
            ("a.=1", "`` is not a valid namespace"),
        ] {
            let error = text.parse::<DaprHttpPort>().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(settings(&["off", "1"], None).check().is_err());
        assert!(settings(&["2", "1"], None).check().is_err());
    }

    #[test]
    fn an_open_address_needs_a_token() {
        let mut open = settings(&[], None);
        open.addresses.push(IpAddr::from([0, 0, 0, 0]));
        insta::assert_snapshot!(open.check().unwrap_err(), @r"
        the Dapr HTTP API on 0.0.0.0 would be open to everybody who reaches this machine
          hint: set a token that clients must show: DAPR_API_TOKEN=$(openssl rand -hex 32) berth run ...; or leave --dapr-listen-addresses out, which means 127.0.0.1
        ");
        open.token = Some(Secret::new("t".to_owned()));
        assert!(open.check().is_ok());
    }
}
