//! The wasmtime engines of a host: pool, copy-on-write images, epochs.
//!
//! Two, since what WASI 0.3 needs (several calls at work in one instance) costs every host call of a WASI 0.2 guest a
//! tenth of its time.
//!
//! The settings here decide what a request costs (the pool with resident pages and `pagemap_scan` is worth a factor of
//! three) and are part of every compiled guest: changing one recompiles all of them.

use crate::resident::KEPT_MAX;
use std::{str::FromStr, time::Duration};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
};

/// Time between two epochs: the slice after which a computing guest lets others run.
pub(crate) const EPOCH: Duration = Duration::from_millis(10);

/// Largest memory of a guest, whatever its manifest says.
const MEMORY_MAX: usize = 4 << 30;

/// How guests become native code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compiler {
    /// Cranelift: fast code.
    #[default]
    Optimizing,
    /// Winch: code in a sixth of the time, which runs slower; for those who wait for a changed guest. What it does not
    /// know (tail calls, exceptions, garbage collection, some vectors) the other one compiles. The bits of a NaN depend on
    /// the processor.
    Baseline,
}

impl FromStr for Compiler {
    type Err = &'static str;

    /// By the names that flags have: `optimizing` or `baseline`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "optimizing" => Ok(Self::Optimizing),
            "baseline" => Ok(Self::Baseline),
            _ => Err("expected optimizing or baseline"),
        }
    }
}

impl Compiler {
    /// Those that may compile a guest, the preferred one first.
    pub(crate) fn candidates(self) -> &'static [Self] {
        match self {
            Self::Optimizing => &[Self::Optimizing],
            Self::Baseline => &[Self::Baseline, Self::Optimizing],
        }
    }
}

/// What the guests of an engine may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concurrency {
    /// One call at a time in an instance: WASI 0.2.
    Plain,
    /// Asynchronous functions of the component model: WASI 0.3.
    Asynchronous,
}

/// An engine whose pool holds this many instances at the same time. The pool reserves terabytes of addresses: on a
/// machine that has few of them, each instance is made on demand.
pub(crate) fn engine(
    instances: u32,
    compiler: Compiler,
    concurrency: Concurrency,
) -> anyhow::Result<Engine> {
    let mut config = base(compiler);
    config.concurrency_support(concurrency == Concurrency::Asynchronous);
    let mut pooling = config.clone();
    pooling.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(
        instances,
        concurrency,
    )));
    let engine = Engine::new(&pooling).or_else(|error| {
        tracing::warn!(
            error = format!("{error:#}"),
            "no pool of instances: each call makes its own, which takes longer"
        );
        Engine::new(&config)
    })?;
    tick(&engine);
    Ok(engine)
}

fn base(compiler: Compiler) -> Config {
    let mut config = Config::new();
    match compiler {
        // Histories of workflows depend on these: the same result on every CPU, from the first release on.
        Compiler::Optimizing => config
            .strategy(Strategy::Cranelift)
            .relaxed_simd_deterministic(true)
            .cranelift_nan_canonicalization(true),
        Compiler::Baseline => config.strategy(Strategy::Winch),
    };
    config
        .epoch_interruption(true)
        .wasm_component_model(true)
        .async_stack_size(2 << 20)
        .max_wasm_stack(1 << 20);
    config
}

fn pool(instances: u32, concurrency: Concurrency) -> PoolingAllocationConfig {
    // One for a call; a call of WASI 0.3 may wait in another one. Each costs a system call at the start.
    let stacks = match concurrency {
        Concurrency::Plain => instances,
        Concurrency::Asynchronous => instances.saturating_mul(2),
    };
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        // An adapter, a shim and a language runtime make three to six core instances of one component.
        .total_core_instances(instances.saturating_mul(6))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(6))
        .total_stacks(stacks)
        .max_memories_per_component(8)
        .max_tables_per_component(32)
        .max_core_instances_per_component(32)
        .max_memories_per_module(2)
        .max_tables_per_module(8)
        .max_memory_size(MEMORY_MAX)
        .table_elements(100_000)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .linear_memory_keep_resident(KEPT_MAX)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .max_unused_warm_slots(100)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Advances the epoch from a thread of the operating system: a guest that computes without end can hold the worker that
/// drives tokio's timers, and then no task would ever tick.
fn tick(engine: &Engine) {
    let weak = engine.weak();
    let ticker = std::thread::Builder::new()
        .name("epochs".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(EPOCH);
            }
        });
    if let Err(error) = ticker {
        tracing::error!(%error, "no thread for epochs: guests are not interrupted");
    }
}
