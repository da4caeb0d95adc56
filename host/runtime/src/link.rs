//! Everything that a guest may import, linked once per host.

use crate::{
    bindings::{berth, draft2, standards},
    engine::Concurrency,
    instance::GuestState,
};
use wasmtime::{
    Engine,
    component::{HasSelf, Linker},
};

/// The linker of ordinary instances.
pub(crate) fn linker(
    engine: &Engine,
    concurrency: Concurrency,
) -> anyhow::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasi(&mut linker, concurrency)?;
    blocks(&mut linker)?;
    standard_blocks(&mut linker)?;
    Ok(linker)
}

/// All of WASI: every language's runtime imports it. What is not granted answers with WASI's denial.
fn wasi(linker: &mut Linker<GuestState>, concurrency: Concurrency) -> anyhow::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    if concurrency == Concurrency::Asynchronous {
        wasmtime_wasi::p3::add_to_linker(linker)?;
        wasmtime_wasi_http::p3::add_to_linker(linker)?;
    }
    Ok(())
}

fn blocks(linker: &mut Linker<GuestState>) -> anyhow::Result<()> {
    type Me = HasSelf<GuestState>;
    berth::state::store::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::pubsub::types::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::pubsub::publisher::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::invocation::invoker::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::secrets::store::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::script::program::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::telemetry::tracing::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::workflow::types::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::workflow::context::add_to_linker::<_, Me>(linker, |state| state)?;
    berth::workflow::client::add_to_linker::<_, Me>(linker, |state| state)?;
    Ok(())
}

fn standard_blocks(linker: &mut Linker<GuestState>) -> anyhow::Result<()> {
    type Me = HasSelf<GuestState>;
    standards::keyvalue::store::add_to_linker::<_, Me>(linker, |state| state)?;
    standards::keyvalue::atomics::add_to_linker::<_, Me>(linker, |state| state)?;
    standards::keyvalue::batch::add_to_linker::<_, Me>(linker, |state| state)?;
    draft2::keyvalue::store::add_to_linker::<_, Me>(linker, |state| state)?;
    draft2::keyvalue::atomics::add_to_linker::<_, Me>(linker, |state| state)?;
    draft2::keyvalue::batch::add_to_linker::<_, Me>(linker, |state| state)?;
    standards::config::store::add_to_linker::<_, Me>(linker, |state| state)?;
    Ok(())
}
