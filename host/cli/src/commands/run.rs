//! `berth run`

use crate::{
    args::{CompileArgs, DEFAULT_DATA_DIR, LogForm, Output},
    failure::Failure,
    host::{
        self, Building, DaprHttpPort, DaprHttpSettings, FleetSettings, MeshListen, Settings,
        Sources,
    },
};
use anyhow::Context;
use berth_resources::{AppId, ByteSize, Namespace, Secret};
use berth_runtime::{GuestEngines, RuntimeOptions};
use berth_telemetry::{LogFormat, LogLevel, LogOptions, init_logging};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// Flags of `berth run`. Those that Dapr has are named as Dapr names them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder with App documents, or one guest: a WebAssembly component
    #[arg(value_name = "DIR|GUEST.wasm", default_value = ".")]
    path: PathBuf,
    /// App ID of a single guest, by default the name of its file; with a folder, the app that calls the Dapr HTTP API,
    /// which need not have a guest
    #[arg(short, long, value_name = "ID")]
    app_id: Option<AppId>,
    /// Folder with Component and Subscription documents, which replace those of DIR with the same name
    #[arg(
        short = 'd',
        long,
        value_name = "PATH",
        visible_alias = "components-path"
    )]
    resources_path: Vec<PathBuf>,
    /// File with a Configuration, for the apps that name none
    #[arg(short, long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Namespace of documents that name none
    #[arg(
        short,
        long,
        default_value_t,
        env = "NAMESPACE",
        hide_env_values = true
    )]
    namespace: Namespace,
    /// Where the embedded backends keep their data; one host at a time
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, env = "BERTH_DATA_DIR", hide_env_values = true)]
    data_dir: PathBuf,
    /// Address of the HTTP ingress; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", alias = "http-address", value_parser = address)]
    listen: SocketAddr,
    /// Port of the Dapr HTTP API [default: 3500 for the only app or that of --app-id]; 0 picks a free one, `off` turns
    /// it off; APP=PORT, as often as needed, gives each app that calls it a port
    #[arg(short = 'H', long, value_name = "PORT", value_parser = str::parse::<DaprHttpPort>)]
    dapr_http_port: Vec<DaprHttpPort>,
    /// Addresses of the Dapr HTTP API; others than loopback need a token in DAPR_API_TOKEN
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", value_delimiter = ',', value_parser = ip)]
    dapr_listen_addresses: Vec<IpAddr>,
    /// Largest body of a request to the Dapr HTTP API
    #[arg(long, value_name = "SIZE", default_value = "4Mi", value_parser = size)]
    max_body_size: ByteSize,
    /// Largest head of a request to the Dapr HTTP API
    #[arg(long, value_name = "SIZE", default_value = "4Ki", value_parser = size)]
    read_buffer_size: ByteSize,
    /// Address for other hosts, who call with mutual TLS; `off`: none [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", alias = "dapr-internal-grpc-port")]
    mesh_listen: Option<MeshListen>,
    /// Address that other hosts are told, if it is not that of --mesh-listen
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    mesh_advertise: Option<SocketAddr>,
    /// Folder with certificates of the apps, as cert-manager or SPIRE writes them; by default a development CA of your
    /// own issues them
    #[arg(long, value_name = "DIR")]
    certificates: Option<PathBuf>,
    /// What all of your hosts share: the development CA, and who runs where; by default berth's folder in
    /// ~/.local/share
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_USER_DIR",
        hide_env_values = true
    )]
    user_dir: Option<PathBuf>,
    /// Address of the admin API with /metrics and /healthz; by default 127.0.0.1:9090, or a free port if that is taken
    #[arg(long, value_name = "ADDRESS", alias = "admin-address", value_parser = address)]
    admin: Option<SocketAddr>,
    #[command(flatten)]
    compile: CompileArgs,
    /// Guest instances of all apps together; by default one for each 64 MiB of memory, at most 1000
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_instances: Option<u32>,
    /// Build the projects whose guests run, and build them again whenever their source changes
    #[arg(long, conflicts_with = "no_watch")]
    watch: bool,
    /// Where --watch installs toolchains; by default in the project's folder .berth
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_TOOLS_DIR",
        hide_env_values = true
    )]
    tools_dir: Option<PathBuf>,
    /// Leave changed files alone until the next start
    #[arg(long)]
    no_watch: bool,
    /// How long work under way may take after SIGTERM
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    drain_timeout: Duration,
    /// Least level that is logged: debug, info, warn, error. RUST_LOG wins
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: LogLevel,
    /// Form of the log on stderr
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    log_format: LogForm,
    /// Form of what stdout says once the host is ready
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

pub fn execute(args: Args) -> Result<(), Failure> {
    let options = LogOptions {
        level: args.log_level,
        format: match args.log_format {
            LogForm::Text => LogFormat::Text,
            LogForm::Json => LogFormat::Json,
        },
    };
    let _log = init_logging(options)?;
    let guests = guests(&args);
    let settings = settings(args, guests.instances)?;
    // Before all else, which is done while the engine is made.
    let engines = GuestEngines::begin(&guests)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the async runtime")?;
    if let Some(building) = &settings.building {
        building.first()?;
    }
    let outcome = runtime.block_on(host::run(settings, engines));
    // A guest's compilation or a blocking file call must not hold up the end.
    runtime.shutdown_background();
    outcome
}

fn guests(args: &Args) -> RuntimeOptions {
    let instances = args.max_instances;
    RuntimeOptions {
        cache_dir: args.compile.cache_dir(&args.data_dir),
        instances: instances.unwrap_or_else(host::default_max_instances),
        compiler: args.compile.compiler(args.watch),
    }
}

/// `--watch`
fn building(args: &Args) -> Option<Building> {
    args.watch.then(|| Building {
        path: args.path.clone(),
        tools: args.tools_dir.clone(),
        workshop: Arc::default(),
    })
}

fn settings(args: Args, max_instances: u32) -> Result<Settings, Failure> {
    let building = building(&args);
    let token = std::env::var("DAPR_API_TOKEN").ok();
    let dapr_http = DaprHttpSettings {
        ports: args.dapr_http_port,
        app_id: args.app_id.clone(),
        addresses: args.dapr_listen_addresses,
        token: token.filter(|token| !token.is_empty()).map(Secret::new),
        max_body: args.max_body_size,
        max_head: args.read_buffer_size,
    };
    dapr_http.check()?;
    let mut sources = Sources::new(
        &args.path,
        args.resources_path,
        args.config,
        args.namespace,
        args.app_id,
    )?;
    sources.known_apps.extend(dapr_http.named().cloned());
    let fleet = FleetSettings {
        listen: args.mesh_listen.unwrap_or_default(),
        advertise: args.mesh_advertise,
        certificates: args.certificates,
        user_dir: args
            .user_dir
            .unwrap_or_else(|| host::default_user_dir(&args.data_dir)),
    };
    Ok(Settings {
        sources,
        fleet,
        dapr_http,
        data_dir: args.data_dir,
        listen: args.listen,
        admin: args.admin,
        max_instances,
        watch: !args.no_watch,
        building,
        drain_timeout: args.drain_timeout,
        output: args.output,
    })
}

/// `host:port`, `:port` (loopback) or a port alone; `localhost` is 127.0.0.1.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let port_only = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port_only.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric
        .parse()
        .map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:8080 or 0.0.0.0:8080".to_owned())
}

/// An address without a port.
fn ip(text: &str) -> Result<IpAddr, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    match bare {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        bare => bare
            .parse()
            .map_err(|_| "expected an address such as 127.0.0.1, 0.0.0.0 or [::1]".to_owned()),
    }
}

/// Kubernetes' form, as in Dapr and in documents.
fn size(text: &str) -> Result<ByteSize, String> {
    text.parse()
        .map_err(|error: berth_resources::InvalidSize| error.to_string())
}

/// Go's form, as in Dapr and in documents.
pub fn duration(text: &str) -> Result<Duration, String> {
    berth_resources::parse_duration(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_short_forms() {
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:0", "[::1]:0"),
            ("localhost:99", "127.0.0.1:99"),
            (":8081", "127.0.0.1:8081"),
            ("8081", "127.0.0.1:8081"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), expected);
        }
        for text in ["", "example.com:80", "127.0.0.1", "127.0.0.1:70000"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
