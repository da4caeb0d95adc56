//! The shop's saga, in every language that has one: the same cases.

mod cases;

use anyhow::Result;
use berth_e2e::{Host, repository};

/// Every case in one language, each with a host and data of its own.
macro_rules! sagas {
    ($($language:ident: $shop:expr;)*) => {$(
        mod $language {
            use super::*;

            cases! { $shop;
                an_order_goes_through_and_the_same_order_is_the_same_saga,
                a_failure_at_any_step_is_compensated_in_reverse_order,
                a_canceled_saga_undoes_what_it_did,
                sagas_survive_their_host_at_every_step,
            }
        }
    )*};
}

macro_rules! cases {
    ($shop:expr; $($case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $case() -> Result<()> {
            cases::$case($shop.await?).await
        }
    )*};
}

sagas! {
    rust: berth_e2e::start_shop();
    typescript: typescript_shop();
}

/// The shop with the guest of `guest-examples/shop-typescript` in the place of two.
async fn typescript_shop() -> Result<Host> {
    berth_e2e::shop()?;
    let folder = repository().join("guest-examples");
    let host = Host::builder().source(folder.join("shop-typescript/apps"));
    let host = host.arg("--resources-path").arg(folder.join("shop"));
    host.start().await
}
