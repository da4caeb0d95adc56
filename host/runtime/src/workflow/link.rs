//! What a workflow may import: `context`, its own program, and a WASI that a replay sees again. Everything else stalls
//! the instance and names itself, so that one guest may hold HTTP, workflows and activities.

use crate::{bindings::berth, instance::GuestState};
use wasmtime::{
    Engine,
    component::{
        Component, HasSelf, InstancePre, Linker, LinkerInstance, Resource, ResourceType,
        types::ComponentItem,
    },
};
use wasmtime_wasi::p2::DynPollable;

/// As wasmtime-wasi defines it; the linker gives it to every 0.2.
const CLOCK: &str = "wasi:clocks/monotonic-clock@0.2.12";

/// How a call begins that no workflow may make.
pub(crate) const FORBIDDEN: &str = "a workflow may not call `";

/// The linker of workflow instances, before it knows their component.
pub(crate) fn linker(engine: &Engine) -> anyhow::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    real_timers(&mut linker)?;
    linker.allow_shadowing(false);
    type Me = HasSelf<GuestState>;
    berth::workflow::types::add_to_linker::<_, Me>(&mut linker, |state| state)?;
    berth::workflow::context::add_to_linker::<_, Me>(&mut linker, |state| state)?;
    berth::script::program::add_to_linker::<_, Me>(&mut linker, |state| state)?;
    Ok(linker)
}

/// A timer of the system would fire at another place in a replay.
fn real_timers(linker: &mut Linker<GuestState>) -> anyhow::Result<()> {
    let mut clock = linker.instance(CLOCK)?;
    for name in ["subscribe-instant", "subscribe-duration"] {
        clock.func_wrap(name, move |_, (_,): (u64,)| {
            let text = format!("{FORBIDDEN}{CLOCK}#{name}`: use `sleep` or `schedule-timer` of berth:workflow/context");
            Err::<(Resource<DynPollable>,), _>(wasmtime::Error::msg(text))
        })?;
    }
    Ok(())
}

/// Links a component for its workflows.
pub(crate) fn workflow_pre(
    linker: &Linker<GuestState>,
    component: &Component,
) -> anyhow::Result<InstancePre<GuestState>> {
    let mut linker = linker.clone();
    forbid_others(&mut linker, component)?;
    Ok(linker.instantiate_pre(component)?)
}

/// Packages of WASI 0.2 that the linker has.
const REPEATABLE: [&str; 6] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

fn is_repeatable(import: &str) -> bool {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let is_own = matches!(
        interface,
        "berth:workflow/context" | "berth:workflow/types" | "berth:script/program"
    );
    let is_system = REPEATABLE
        .iter()
        .any(|package| interface.starts_with(package));
    is_own || (is_system && version.starts_with("0.2."))
}

/// Gives every other import a function that names itself. A resource that an earlier import has brought is known; only
/// new ones are defined.
fn forbid_others(linker: &mut Linker<GuestState>, component: &Component) -> anyhow::Result<()> {
    let engine = linker.engine().clone();
    let mut known: Vec<ResourceType> = Vec::new();
    for (import, item) in component.component_type().imports(&engine) {
        match item.ty {
            ComponentItem::ComponentInstance(instance) => {
                let allowed = is_repeatable(import);
                for (name, export) in instance.exports(&engine) {
                    match export.ty {
                        ComponentItem::Resource(resource) if known.contains(&resource) => {}
                        ComponentItem::Resource(resource) => {
                            known.push(resource);
                            if !allowed {
                                let own = ResourceType::host::<()>();
                                let mut interface = linker.instance(import)?;
                                interface.resource(name, own, |_, _| Ok(()))?;
                            }
                        }
                        ComponentItem::ComponentFunc(function) if !allowed => {
                            let full = format!("{import}#{name}");
                            forbid(&mut linker.instance(import)?, name, full, function.async_())?;
                        }
                        _ => {}
                    }
                }
            }
            ComponentItem::ComponentFunc(function) => {
                let full = import.to_owned();
                forbid(&mut linker.root(), import, full, function.async_())?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn forbid(
    interface: &mut LinkerInstance<'_, GuestState>,
    name: &str,
    full: String,
    is_async: bool,
) -> anyhow::Result<()> {
    let refuse = move || {
        wasmtime::Error::msg(format!(
            "{FORBIDDEN}{full}`: what is not repeatable belongs in an activity"
        ))
    };
    if is_async {
        interface.func_new_concurrent(name, move |_, _, _, _| {
            let refused = refuse();
            Box::pin(async move { Err(refused) })
        })?;
    } else {
        interface.func_new(name, move |_, _, _, _| Err(refuse()))?;
    }
    Ok(())
}

/// What a call that no workflow may make is called, out of the text of its trap.
pub(crate) fn forbidden(trap: &str) -> Option<String> {
    let at = trap.find(FORBIDDEN)?;
    trap[at..].lines().next().map(str::to_owned)
}
