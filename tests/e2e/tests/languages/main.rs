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

            orders::each_case!(cases! { orders $folder });
            sagas::each_case!(cases! { sagas $folder });
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
    go: "shop-go";
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
