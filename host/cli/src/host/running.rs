//! A host that serves, and how it ends.

use super::{
    Settings, Sources, data_dir,
    deployment::{Deployment, Workshop},
    fleet::Neighbours,
};
use crate::{host_file::Written, ui};
use berth_blocks::{Backends, Deliveries};
use berth_gateway::{admin::ServingAdmin, dapr_http::ServingDaprHttp, ingress::ServingIngress};
use berth_resources::App;
use futures::future::join_all;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a collector may take for the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// A host that serves.
pub struct Running {
    pub doors: Doors,
    pub workshop: Workshop,
    pub deployment: Deployment,
    pub deliveries: Arc<Deliveries>,
    /// The data directory is ours until the end.
    pub lock: data_dir::Lock,
}

/// How others reach the host.
pub struct Doors {
    pub ingress: ServingIngress,
    /// Dapr's HTTP API, one for each caller.
    pub dapr_http: Vec<ServingDaprHttp>,
    pub admin: ServingAdmin,
    /// Other hosts, unless the host is alone.
    pub neighbours: Option<Neighbours>,
    /// `host.json`, removed with this.
    pub written: Written,
}

impl Running {
    /// What the command line said.
    pub fn settings(&self) -> &Settings {
        &self.workshop.settings
    }

    /// Where documents come from.
    pub fn sources(&self) -> &Sources {
        &self.settings().sources
    }

    /// The apps that have a guest.
    pub fn apps(&self) -> &[App] {
        &self.deployment.documents.resources.apps
    }

    /// The files that the deployment is made of besides its documents: guests, and what backends read.
    pub fn input_files(&self) -> Vec<PathBuf> {
        let apps = self.deployment.documents.resources.apps.iter();
        let guests = apps.map(|app| app.guest.clone());
        let read = self.workshop.blocks.snapshot().files();
        guests
            .chain(read.iter().map(|file| file.path().to_owned()))
            .collect()
    }

    /// Takes the host down: accepts nothing more, finishes what is under way, hands messages back, closes backends.
    pub async fn stop(self) {
        let began = Instant::now();
        let limit = self.settings().drain_timeout;
        let Self {
            doors,
            workshop,
            deliveries,
            lock,
            ..
        } = self;
        let Doors {
            ingress,
            dapr_http,
            admin,
            neighbours,
            written,
        } = doors;
        let messages = async {
            if tokio::time::timeout(limit, deliveries.drain())
                .await
                .is_err()
            {
                tracing::warn!("deliveries did not end in time: their messages come again");
            }
        };
        let native = join_all(dapr_http.into_iter().map(|door| door.drain(limit)));
        let neighbours = async {
            match neighbours {
                Some(neighbours) => neighbours.drain(limit).await,
                None => 0,
            }
        };
        let (cut, cut_native, cut_hosts, ()) =
            tokio::join!(ingress.drain(limit), native, neighbours, messages);
        let cut_connections = cut + cut_hosts + cut_native.into_iter().sum::<usize>();
        workshop.engines.shut_down().await;
        let left = limit.saturating_sub(began.elapsed());
        let cut_calls = workshop.runtime.drain(left).await;
        drop(written);
        admin.drain(limit.saturating_sub(began.elapsed())).await;
        // Nothing records any more: what is queued goes out, within its own time.
        workshop.blocks.tracing().finish(LAST_SPANS).await;
        // The last users of the backends are gone: this closes them.
        workshop.blocks.swap(Backends::default());
        drop(lock);
        let took = ui::duration(began.elapsed());
        if cut_connections + cut_calls == 0 {
            tracing::info!(took, "stopped");
        } else {
            tracing::warn!(
                took,
                cut_connections,
                cut_calls,
                "stopped before everything was finished"
            );
        }
    }
}
