//! The workflow engines of a host, and what documents say about them.

use super::fleet::one;
use berth_blocks::Blocks;
use berth_resources::{Diagnostic, Namespace, Resources, WorkflowSettings};
use berth_runtime::Runtime;
use berth_workflow::{Config, Engines, Limits, Retention};
use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

/// Engines on the guests of a runtime. Workflows hold at most half of the instances, so that their activities always find
/// a place.
pub fn engines(
    instances: u32,
    data_dir: PathBuf,
    blocks: &Blocks,
    runtime: &Arc<Runtime>,
) -> Arc<Engines> {
    let instances = instances as usize;
    let config = Config {
        instances_max: (instances / 2).max(1),
        activities_max: instances,
        ..Config::default()
    };
    let engines = Engines::new(blocks.clone(), runtime.clone(), config, data_dir);
    let owner = Arc::downgrade(&engines);
    runtime.on_shortage(move |count| {
        if let Some(engines) = owner.upgrade() {
            engines.release_idle(count);
        }
    });
    engines
}

/// What Configurations say about the workflows of each namespace, and where two contradict each other.
pub fn limits(resources: &Resources) -> (HashMap<Namespace, Limits>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let configurations = &resources.configurations;
    let namespaces: BTreeSet<_> = configurations.iter().map(|own| &own.namespace).collect();
    let mut limits = HashMap::new();
    for namespace in namespaces {
        let own = configurations
            .iter()
            .filter(|configuration| configuration.namespace == *namespace);
        let settings = own.filter_map(|configuration| {
            let workflow = configuration.workflow.as_ref()?;
            Some((workflow, &workflow.origin))
        });
        let same = |one: &&WorkflowSettings, other: &&WorkflowSettings| one.is_same(other);
        let scope = ("spec.workflow", "all workflows of a namespace");
        if let Some(settings) = one(scope, settings, same, &mut findings) {
            limits.insert(namespace.clone(), read(settings));
        }
    }
    (limits, findings)
}

fn read(settings: &WorkflowSettings) -> Limits {
    let count = |count: Option<u32>| count.map(|count| count as usize);
    Limits {
        instances_max: count(settings.instances_max),
        activities_max: count(settings.activities_max),
        retention: Retention {
            completed: settings.retention.completed,
            failed: settings.retention.failed,
            terminated: settings.retention.terminated,
        },
    }
}
