//! What a deployment says about guests that cannot run.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails like the test itself"
)]

use berth_blocks::Blocks;
use berth_resources::{Allow, App, Instances, Limits, Origin};
use berth_runtime::{Compiler, GuestEngines, Runtime, RuntimeOptions};
use std::sync::Arc;
use tempfile::TempDir;

struct Host {
    runtime: Arc<Runtime>,
    directory: TempDir,
}

impl Host {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let options = RuntimeOptions {
            cache_dir: directory.path().join("cache"),
            instances: 4,
            compiler: Compiler::default(),
        };
        Self {
            runtime: Runtime::new(
                GuestEngines::new(&options).unwrap(),
                options.instances,
                Blocks::new(),
            ),
            directory,
        }
    }

    /// What is said when these bytes are deployed as app `shop`, with the temporary directory left out.
    async fn refusal(&self, guest: &[u8]) -> String {
        let path = self.directory.path().join("guest.wasm");
        std::fs::write(&path, guest).unwrap();
        let app = App {
            id: "shop".parse().unwrap(),
            namespace: "default".parse().unwrap(),
            guest: path,
            http: None,
            limits: Limits::default(),
            instances: Instances::default(),
            allow: Allow::default(),
            configuration: None,
            guest_origin: Origin::defaults(),
            origin: Origin::defaults(),
        };
        let error = self
            .runtime
            .load(&app, &Arc::default())
            .await
            .err()
            .expect("the guest is refused");
        let directory = self.directory.path().display().to_string();
        error.to_string().replace(&directory, "DIR")
    }

    async fn refusal_of_wat(&self, text: &str) -> String {
        self.refusal(&wat::parse_str(text).unwrap()).await
    }
}

#[tokio::test]
async fn a_file_that_is_not_wasm_is_refused() {
    let said = Host::new().refusal(b"#!/bin/sh\necho hello").await;
    assert_eq!(
        said,
        "<defaults>: error: guest `DIR/guest.wasm` is not WebAssembly: it does not begin with `\\0asm`\n  \
         hint: `spec.guest` names the compiled component, a `.wasm` file"
    );
}

#[tokio::test]
async fn a_core_module_is_refused_with_the_way_out() {
    let said = Host::new().refusal_of_wat("(module)").await;
    assert_eq!(
        said,
        "<defaults>: error: guest `DIR/guest.wasm` is a core Wasm module, not a component\n  \
         hint: build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    );
}

#[tokio::test]
async fn a_component_cut_short_is_refused() {
    let whole = wat::parse_str("(component (core module))").unwrap();
    let said = Host::new().refusal(&whole[..whole.len() - 1]).await;
    assert!(
        said.contains("guest `DIR/guest.wasm` does not compile"),
        "{said}"
    );
}

#[tokio::test]
async fn all_imports_that_cannot_be_served_are_listed_at_once() {
    let said = Host::new()
        .refusal_of_wat(
            r#"(component
                (import "berth:state/store@0.1.0" (instance))
                (import "berth:state/store@0.2.0" (instance))
                (import "spin:sqlite/sqlite@3.1.0" (instance))
                (import "wasi:clocks/wall-clock@0.2.3" (instance)))"#,
        )
        .await;
    let errors: Vec<_> = said
        .lines()
        .filter(|line| line.contains("error:"))
        .collect();
    assert_eq!(
        errors,
        [
            "<defaults>: error: guest of app `shop` imports `berth:state/store@0.1.0`, but no state store is visible \
             to app `shop` in namespace `default`",
            "<defaults>: error: guest of app `shop` imports `berth:state/store@0.2.0`: version `0.2.0` is not served",
            "<defaults>: error: guest of app `shop` imports `spin:sqlite/sqlite@3.1.0`, which berth does not know",
        ]
    );
    assert!(
        said.contains("spec: { type: state.sqlite, version: v1 }"),
        "{said}"
    );
}

#[tokio::test]
async fn a_component_without_an_export_that_berth_calls_is_refused() {
    let said = Host::new().refusal_of_wat("(component)").await;
    assert!(
        said.contains("guest of app `shop` exports nothing: nothing that berth calls"),
        "{said}"
    );
}

#[tokio::test]
async fn a_guest_that_begins_above_its_memory_limit_is_refused() {
    let said = Host::new()
        .refusal_of_wat(
            "(component (core module $m (memory 2000)) (core instance (instantiate $m)))",
        )
        .await;
    assert!(
        said.contains("begins with 125Mi of memory, its limit is 64Mi (limits.memory)"),
        "{said}"
    );
}

#[tokio::test]
async fn a_cache_directory_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let options = RuntimeOptions {
        cache_dir: directory.path().to_owned(),
        instances: 4,
        compiler: Compiler::default(),
    };
    let error = GuestEngines::new(&options).err().expect("refused");
    assert!(
        error.to_string().contains("can be written by others"),
        "{error:#}"
    );
}
