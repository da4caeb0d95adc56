//! Rust types of the WIT that the host implements. Generated; the doors beside this file give them meaning.

/// berth's own packages.
pub(crate) mod berth {
    mod generated {
        wasmtime::component::bindgen!({
            path: "../../wit",
            inline: "
                package berth:host;
                world guest {
                    import berth:state/store@0.1.0;
                    import berth:pubsub/publisher@0.1.0;
                    import berth:invocation/invoker@0.1.0;
                    import berth:secrets/store@0.1.0;
                    import berth:script/program@0.1.0;
                    import berth:telemetry/tracing@0.1.0;
                    import berth:workflow/context@0.1.0;
                    import berth:workflow/client@0.1.0;
                    export berth:pubsub/subscriber@0.1.0;
                    export berth:pubsub/subscriptions@0.1.0;
                    export berth:workflow/workflows@0.1.0;
                    export berth:workflow/activities@0.1.0;
                    export berth:workflow/registry@0.1.0;
                }
            ",
            world: "berth:host/guest",
            imports: { default: async | trappable },
            exports: { default: async },
            require_store_data_send: true,
            with: {
                "berth:state/store.store": crate::doors::state::Handle,
                "berth:telemetry/tracing.span": crate::doors::telemetry::Handle,
                "berth:workflow/context.operation": crate::doors::workflow::Operation,
            },
        });
    }
    pub(crate) use generated::berth::{
        invocation, pubsub, script, secrets, state, telemetry, workflow,
    };
    pub(crate) use generated::exports::berth as exports;
}

/// `wasi:keyvalue@0.2.0-draft` and `wasi:config@0.2.0-rc.1`.
pub(crate) mod standards {
    mod generated {
        wasmtime::component::bindgen!({
            path: "wit",
            world: "berth:standards/standards",
            imports: { default: async | trappable },
            require_store_data_send: true,
            with: { "wasi:keyvalue/store.bucket": crate::doors::keyvalue::Bucket },
        });
    }
    pub(crate) use generated::wasi::{config, keyvalue0_2_0_draft as keyvalue};
}

/// `wasi:keyvalue@0.2.0-draft2`, which shares nothing with the first draft but its name.
pub(crate) mod draft2 {
    mod generated {
        wasmtime::component::bindgen!({
            path: "wit",
            world: "berth:standards/draft2",
            imports: { default: async | trappable },
            require_store_data_send: true,
            with: {
                "wasi:keyvalue/store.bucket": crate::doors::keyvalue::Bucket,
                "wasi:keyvalue/atomics.cas": crate::doors::keyvalue::Cas,
            },
        });
    }
    pub(crate) use generated::wasi::keyvalue0_2_0_draft2 as keyvalue;
}
