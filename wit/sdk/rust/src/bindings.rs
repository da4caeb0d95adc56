//! What is generated from the WIT: everything that a guest may import, and one module for each group of exports. A guest has
//! only what [`guest!`](crate::guest) names, and imports only what it calls.

#![allow(missing_docs, clippy::all, unused_qualifications)]

pub mod imports {
    wit_bindgen::generate!({
        path: "../..",
        inline: "
            package berth:sdk;

            world imports {
                import wasi:http/types@0.2.12;
                import wasi:http/outgoing-handler@0.2.12;
                import wasi:random/random@0.2.12;
                import berth:state/store@0.1.0;
                import berth:pubsub/types@0.1.0;
                import berth:pubsub/publisher@0.1.0;
                import berth:invocation/invoker@0.1.0;
                import berth:secrets/store@0.1.0;
                import berth:workflow/types@0.1.0;
                import berth:workflow/client@0.1.0;
                import berth:workflow/context@0.1.0;
                import berth:telemetry/tracing@0.1.0;
            }
        ",
        world: "berth:sdk/imports",
        runtime_path: "::berth_sdk::wit_bindgen::rt",
        generate_all,
    });
}

pub mod http {
    wit_bindgen::generate!({
        path: "../..",
        inline: "
            package berth:sdk;

            world http-door {
                import wasi:http/types@0.2.12;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        world: "berth:sdk/http-door",
        with: {
            "wasi:http/types@0.2.12": crate::bindings::imports::wasi::http::types,
            "wasi:io/error@0.2.12": crate::bindings::imports::wasi::io::error,
            "wasi:io/poll@0.2.12": crate::bindings::imports::wasi::io::poll,
            "wasi:io/streams@0.2.12": crate::bindings::imports::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.12": crate::bindings::imports::wasi::clocks::monotonic_clock,
        },
        runtime_path: "::berth_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        generate_all,
    });
}

pub mod subscriber {
    wit_bindgen::generate!({
        path: "../..",
        inline: "
            package berth:sdk;

            world subscriber-door {
                import berth:pubsub/types@0.1.0;
                export berth:pubsub/subscriber@0.1.0;
                export berth:pubsub/subscriptions@0.1.0;
            }
        ",
        world: "berth:sdk/subscriber-door",
        with: { "berth:pubsub/types@0.1.0": crate::bindings::imports::berth::pubsub::types },
        runtime_path: "::berth_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        generate_all,
    });
}

pub mod workflows {
    wit_bindgen::generate!({
        path: "../..",
        inline: "
            package berth:sdk;

            world workflow-door {
                import berth:workflow/types@0.1.0;
                export berth:workflow/workflows@0.1.0;
                export berth:workflow/activities@0.1.0;
                export berth:workflow/registry@0.1.0;
            }
        ",
        world: "berth:sdk/workflow-door",
        with: { "berth:workflow/types@0.1.0": crate::bindings::imports::berth::workflow::types },
        runtime_path: "::berth_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        generate_all,
    });
}
