//! The shop's saga, in every language that has one and on every store that keeps workflows: the same cases.

mod cases;

use anyhow::Result;
use berth_e2e::{Host, Set, repository};

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
            let mut shop = $shop.await?;
            cases::$case(shop.host_mut()).await
        }
    )*};
}

sagas! {
    rust: embedded();
    redis: Set::Redis.shop(0);
    postgresql: Set::Postgresql.shop(0);
    typescript: typescript_shop();
}

/// A host by itself.
struct Alone(Host);

impl Alone {
    fn host_mut(&mut self) -> &mut Host {
        &mut self.0
    }
}

async fn embedded() -> Result<Alone> {
    berth_e2e::start_shop().await.map(Alone)
}

/// The shop with the guest of `guest-examples/shop-typescript` in the place of two.
async fn typescript_shop() -> Result<Alone> {
    berth_e2e::shop()?;
    let folder = repository().join("guest-examples");
    let host = Host::builder().source(folder.join("shop-typescript/apps"));
    let host = host.arg("--resources-path").arg(folder.join("shop"));
    host.start().await.map(Alone)
}
