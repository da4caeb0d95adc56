//! The shop on every set of `components/`: the same cases, the same guests, other documents.

mod cases;

use anyhow::Result;
use berth_e2e::Set;

/// Every case on one set, each with a host and data of its own.
macro_rules! shop_on {
    ($($name:ident: $set:expr;)*) => {$(
        mod $name {
            use super::*;

            cases! { $set;
                an_order_is_answered_stored_and_announced,
                an_order_without_an_id_gets_one,
                the_same_order_twenty_times_at_once_is_one_order,
                an_invalid_order_is_told_which_field,
                what_is_out_of_stock_is_never_sold,
                an_order_of_two_skus_takes_both_or_none,
                a_cart_is_replaced_merged_and_guarded_by_its_etag,
                of_two_patches_at_once_one_may_lose_but_no_change_is_lost,
                the_message_of_a_poison_customer_ends_in_the_audit,
                a_customer_is_told_once_however_often_the_message_comes,
                what_is_for_other_apps_is_not_for_the_outside,
                what_no_app_does_is_not_found,
                a_crowd_of_orders_adds_up,
            }
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
