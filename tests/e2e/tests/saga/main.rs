//! The shop's saga on every store that keeps workflows: the same cases. `languages` has them in every language, on the embedded
//! store.

mod cases;

use anyhow::Result;
use berth_e2e::Set;

/// Every case on one store, each with a host and data of its own.
macro_rules! sagas {
    ($($store:ident: $shop:expr;)*) => {$(
        mod $store {
            use super::*;

            cases::each_case!(cases! { $shop });
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
    redis: Set::Redis.shop(0);
    postgresql: Set::Postgresql.shop(0);
}
