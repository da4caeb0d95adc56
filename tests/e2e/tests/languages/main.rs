//! The shop with its order service and saga in every language that has an SDK: the same cases for all of them, one line for
//! each language.

#[path = "../shop/cases.rs"]
mod orders;
mod reviews;
#[path = "../saga/cases.rs"]
mod sagas;

use anyhow::Result;
use berth_e2e::{Host, repository};

/// Every case in one language, each with a host and data of its own.
macro_rules! languages {
    ($($language:ident: $folder:literal;)*) => {$(
        mod $language {
            use super::*;

            cases! { orders $folder;
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
            cases! { sagas $folder;
                an_order_goes_through_and_the_same_order_is_the_same_saga,
                a_failure_at_any_step_is_compensated_in_reverse_order,
                a_canceled_saga_undoes_what_it_did,
                sagas_survive_their_host_at_every_step,
            }
            cases! { reviews $folder;
                a_cart_expires,
                a_message_whose_handler_throws_once_comes_again,
                messages_that_break_their_handler_are_dead_letters_however_they_do_it,
            }
        }
    )*};
}

macro_rules! cases {
    ($cases:ident $folder:literal; $($case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $case() -> Result<()> {
            $cases::$case(&mut shop($folder).await?).await
        }
    )*};
}

languages! {
    rust: "shop";
    typescript: "shop-typescript";
    c: "shop-c";
    python: "shop-python";
}

/// The guest of a folder of `guest-examples` in the place of the shop's own, beside the shop's other guests.
async fn shop(folder: &str) -> Result<Host> {
    let shop = berth_e2e::shop()?;
    let apps = repository()
        .join("guest-examples")
        .join(folder)
        .join("apps");
    let host = Host::builder().source(apps).arg("--resources-path");
    // Programs beside the guests are the same app, too.
    host.arg(shop)
        .arg("--app-id")
        .arg("order-service")
        .start()
        .await
}
