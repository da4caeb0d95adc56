//! From settings to a host that serves. Nothing is accepted before everything is ready, and what is most likely to be
//! wrong is looked at first: documents, data directory, addresses.

use super::{
    Documents, Settings, dapr_http, data_dir,
    deployment::{Prepared, Workshop},
    files_limit,
    fleet::{Fleet, Neighbours},
    running::{Doors, Running},
    summary, versions, workflows,
};
use crate::{
    failure::Failure,
    host_file::{self, DaprHttpAddress, HostFile},
    registry::registry,
    ui,
};
use berth_blocks::{Blocks, Deliveries, registry::Connections};
use berth_gateway::{
    admin::{Admin, AdminState, AdminToken},
    ingress::{Ingress, IngressOptions},
};
use berth_runtime::{GuestEngines, Runtime};
use berth_telemetry::Metrics;
use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// The admin API's address where none is given and this one is free.
const ADMIN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);

/// How long a start waits for brokers to take subscriptions: what is published before may reach nobody.
const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(5);

/// Starts a host.
pub async fn start(
    settings: Settings,
    engines: GuestEngines,
    stop: CancellationToken,
) -> Result<Running, Failure> {
    let began = Instant::now();
    let files = files_limit::raise();
    let metrics = Metrics::install()?;
    let blocks = Blocks::new();
    let runtime = Runtime::new(engines, settings.max_instances, blocks.clone());
    let registry = registry();
    let documents = read(&settings, &registry)?;
    let lock = data_dir::claim(&settings.data_dir)?;
    host_file::remove_stale(&settings.data_dir);
    let planned = settings
        .dapr_http
        .plan(&documents.resources.apps, &settings.sources.namespace)?;
    let ingress = Ingress::bind(settings.listen, ingress_options(files))
        .map_err(|error| listen_taken(error, settings.listen))?;
    let dapr_http = dapr_http::bind(&settings, &planned, files / 8)?;
    let admin = bind_admin(settings.admin)?;
    let callers: Vec<_> = planned.into_iter().map(|door| door.caller).collect();
    let connections = Connections::default();
    let (fleet, listening) = Fleet::open(
        &settings.fleet,
        &documents.resources,
        &callers,
        runtime.clone(),
        connections.clone(),
    )
    .await?;
    blocks.set_invoke(fleet.router.clone());
    let data_dir = settings.data_dir.clone();
    let engines = workflows::engines(settings.max_instances, data_dir, &blocks, &runtime);
    blocks.set_workflows(engines.clone());
    let workshop = Workshop {
        settings,
        registry,
        blocks: blocks.clone(),
        runtime: runtime.clone(),
        connections,
        fleet,
        engines,
        callers,
    };
    let Prepared {
        deployment,
        backends,
        routes,
        fleet: mut change,
    } = workshop.prepare(documents, None).await?;
    versions::restore(&workshop, &deployment, &backends).await;
    blocks.swap(backends);
    workshop.fleet.apply(&mut change);
    runtime.swap(deployment.apps());
    let deliveries = Arc::new(Deliveries::new(blocks.clone(), runtime.clone()));
    deliveries.reconcile(deployment.plan.clone()).await;
    deliveries.begun(SUBSCRIBED_WITHIN).await;
    workshop.set_workflow_limits(&deployment.documents.resources);
    workshop.engines.reconcile(&[]).await;
    let settings = &workshop.settings;
    let ingress = ingress
        .serve(runtime.clone(), routes)
        .map_err(|error| listen_taken(error, settings.listen))?;
    let dapr_http = dapr_http::serve(dapr_http, &blocks, &deliveries)?;
    let neighbours = match listening {
        Some(listening) => Some(Neighbours::start(&workshop.fleet, listening, change)?),
        None => None,
    };
    let token = AdminToken::generate();
    let address = admin.address();
    let state = AdminState {
        blocks,
        runtime,
        deliveries: deliveries.clone(),
        metrics,
        namespace: settings.sources.namespace.clone(),
        shutdown: stop,
        token: token.clone(),
    };
    let admin = admin.serve(Arc::new(state))?;
    let file = HostFile {
        pid: std::process::id(),
        admin: format!("http://{address}"),
        http: format!("http://{}", ingress.address()),
        dapr_http: dapr_http.iter().map(DaprHttpAddress::of).collect(),
        mesh: neighbours.as_ref().map(|own| own.address().to_string()),
        token: token.reveal().to_owned(),
        namespace: settings.sources.namespace.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let written = file.write(&settings.data_dir)?;
    summary::print(settings, &file, &deployment, began.elapsed());
    Ok(Running {
        doors: Doors {
            ingress,
            dapr_http,
            admin,
            neighbours,
            written,
        },
        workshop,
        deployment,
        deliveries,
        lock,
    })
}

fn read(
    settings: &Settings,
    registry: &berth_blocks::registry::Registry,
) -> Result<Documents, Failure> {
    let documents = Documents::read(&settings.sources, registry);
    if documents.has_errors() {
        return Err(Failure::Findings(documents.findings));
    }
    for finding in &documents.findings {
        ui::error_lines(&ui::finding(finding));
    }
    if documents.resources.apps.is_empty() {
        return Err(Failure::input_text(
            "there is no app to run: no document of kind App was found",
        )
        .hint("write an App document, or name a guest: berth run GUEST.wasm"));
    }
    Ok(documents)
}

/// An eighth of the files that may be open is for clients of Dapr's API, a quarter stays for backends and guests.
fn ingress_options(files: usize) -> IngressOptions {
    let usual = IngressOptions::default();
    IngressOptions {
        connections_max: usual.connections_max.min(files / 8 * 5).max(1),
        ..usual
    }
}

/// The usual address, or any free one where another program has it: nobody has to know it, `host.json` says it.
fn bind_admin(wanted: Option<SocketAddr>) -> Result<Admin, Failure> {
    let taken = |error, address: SocketAddr| {
        taken(
            error,
            address,
            "--admin",
            &format!("--admin {}:0", address.ip()),
        )
    };
    if let Some(address) = wanted {
        return Admin::bind(address).map_err(|error| taken(error, address));
    }
    Admin::bind(ADMIN_DEFAULT)
        .or_else(|_| Admin::bind(SocketAddr::new(ADMIN_DEFAULT.ip(), 0)))
        .map_err(|error| taken(error, ADMIN_DEFAULT))
}

fn listen_taken(error: io::Error, address: SocketAddr) -> Failure {
    let free = format!("--listen {}:0", address.ip());
    taken(error, address, "--listen", &free)
}

/// Why an address is not ours, with the flag that changes it; `free` is what picks a free port.
pub fn taken(error: io::Error, address: SocketAddr, flag: &str, free: &str) -> Failure {
    let (ip, port) = (address.ip(), address.port());
    let hint = match error.kind() {
        ErrorKind::AddrInUse => format!(
            "another program listens there, perhaps another berth; choose another port with {flag}: \
             {free} picks a free one"
        ),
        ErrorKind::PermissionDenied => {
            format!("ports below 1024 need privileges; choose another port with {flag}")
        }
        ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {ip}; choose another one with {flag}")
        }
        _ => format!("choose another address with {flag}"),
    };
    let what = match error.kind() {
        ErrorKind::AddrInUse => format!("port {port} of {ip} is taken"),
        _ => format!("listening on {address}"),
    };
    Failure::from(anyhow::Error::from(error).context(what)).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_flag() {
        let error = io::Error::from(ErrorKind::AddrInUse);
        let failure = listen_taken(error, "127.0.0.1:8080".parse().unwrap());
        insta::assert_snapshot!(failure, @r"
        port 8080 of 127.0.0.1 is taken: address in use
          hint: another program listens there, perhaps another berth; choose another port with --listen: --listen 127.0.0.1:0 picks a free one
        ");
    }
}
