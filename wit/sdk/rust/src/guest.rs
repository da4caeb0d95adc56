//! What a guest offers.

/// Says what a guest offers: any of `http`, `subscriptions` and `workflows`, each with a function that gives it.
///
/// ```
/// use berth_sdk::{http::Router, pubsub::Subscriptions, workflow::Workflows};
///
/// berth_sdk::guest! {
///     http: routes,
///     subscriptions: subscriptions,
///     workflows: workflows,
/// }
///
/// fn routes() -> Router {
///     Router::new()
/// }
///
/// fn subscriptions() -> Subscriptions {
///     Subscriptions::new()
/// }
///
/// fn workflows() -> Workflows {
///     Workflows::new()
/// }
/// # fn main() {}
/// ```
///
/// The functions run once in each instance.
#[macro_export]
macro_rules! guest {
    ($($door:ident: $offer:expr),+ $(,)?) => {
        #[doc(hidden)]
        struct BerthGuest;

        $($crate::__berth_door!($door: $offer);)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __berth_door {
    (http: $offer:expr) => {
        const _: () = {
            use $crate::bindings::http::exports::wasi::http::incoming_handler::{
                Guest, IncomingRequest, ResponseOutparam,
            };

            static ROUTES: ::std::sync::LazyLock<$crate::http::Router> =
                ::std::sync::LazyLock::new(|| $offer());

            impl Guest for BerthGuest {
                fn handle(request: IncomingRequest, response: ResponseOutparam) {
                    $crate::http::serve(request, response, &ROUTES);
                }
            }
        };
        $crate::bindings::http::export!(BerthGuest with_types_in $crate::bindings::http);
    };
    (subscriptions: $offer:expr) => {
        const _: () = {
            use $crate::bindings::subscriber::exports::berth::pubsub::{subscriber, subscriptions};

            static SUBSCRIPTIONS: ::std::sync::LazyLock<$crate::pubsub::Subscriptions> =
                ::std::sync::LazyLock::new(|| $offer());

            impl subscriber::Guest for BerthGuest {
                fn handle(delivery: subscriber::Delivery) -> subscriber::Outcome {
                    $crate::pubsub::handle(&SUBSCRIPTIONS, delivery)
                }
            }

            impl subscriptions::Guest for BerthGuest {
                fn declare() -> ::std::vec::Vec<subscriptions::Subscription> {
                    $crate::pubsub::declare(&SUBSCRIPTIONS)
                }
            }
        };
        $crate::bindings::subscriber::export!(
            BerthGuest with_types_in $crate::bindings::subscriber
        );
    };
    (workflows: $offer:expr) => {
        const _: () = {
            use $crate::bindings::workflows::exports::berth::workflow::{
                activities, registry, workflows,
            };

            static WORKFLOWS: ::std::sync::LazyLock<$crate::workflow::Workflows> =
                ::std::sync::LazyLock::new(|| $offer());

            impl registry::Guest for BerthGuest {
                fn workflows() -> ::std::vec::Vec<::std::string::String> {
                    $crate::workflow::names_of_workflows(&WORKFLOWS)
                }

                fn activities() -> ::std::vec::Vec<::std::string::String> {
                    $crate::workflow::names_of_activities(&WORKFLOWS)
                }
            }

            impl workflows::Guest for BerthGuest {
                fn run(
                    name: ::std::string::String,
                    input: workflows::Payload,
                ) -> ::std::result::Result<workflows::Payload, workflows::Failure> {
                    $crate::workflow::run(&WORKFLOWS, &name, &input)
                }
            }

            impl activities::Guest for BerthGuest {
                fn run(
                    task: activities::Task,
                    name: ::std::string::String,
                    input: activities::Payload,
                ) -> ::std::result::Result<activities::Payload, activities::Failure> {
                    $crate::workflow::run_activity(&WORKFLOWS, &task, &name, &input)
                }
            }
        };
        $crate::bindings::workflows::export!(
            BerthGuest with_types_in $crate::bindings::workflows
        );
    };
}
