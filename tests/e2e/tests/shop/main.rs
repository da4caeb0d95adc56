//! The shop on every set of `components/`: the same cases, the same guests, other documents.

mod cases;

use anyhow::Result;
use berth_e2e::Set;

/// Every case on one set, each with a host and data of its own.
macro_rules! shop_on {
    ($($name:ident: $set:expr;)*) => {$(
        mod $name {
            use super::*;

            cases::each_case!(cases! { $set });
        }
    )*};
}

macro_rules! cases {
    ($set:expr; $($case:ident,)*) => {
        const CASES: &[&str] = &[$(stringify!($case)),*];

        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() -> Result<()> {
                let number = CASES.iter().position(|case| *case == stringify!($case));
                let shop = $set.shop(number.unwrap_or_default()).await?;
                cases::$case(shop.host()).await
            }
        )*
    };
}

shop_on! {
    embedded: Set::Embedded;
    in_memory: Set::InMemory;
    redis: Set::Redis;
    postgresql: Set::Postgresql;
    rabbitmq: Set::Rabbitmq;
    kafka: Set::Kafka;
}
