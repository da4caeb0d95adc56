//! The shop with its order service and saga in every language that has an SDK: the same cases for all of them, one line for
//! each language.

#[path = "../shop/cases.rs"]
mod orders;
mod reviews;
#[path = "../saga/cases.rs"]
mod sagas;

use anyhow::Result;
use berth_e2e::{Folder, Host, HostBuilder, repository};
use std::{fs, os::unix::fs::symlink, path::Path};

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
    let example = repository().join("guest-examples").join(folder);
    host_of(&example)?.start().await
}

fn host_of(example: &Path) -> Result<HostBuilder> {
    let shop = berth_e2e::shop()?;
    let host = Host::builder().source(example.join("apps")).baseline();
    // Programs beside the guests are the same app, too.
    Ok(host
        .arg("--resources-path")
        .arg(shop)
        .arg("--app-id")
        .arg("order-service"))
}

/// `berth run --watch` makes another guest of a program in JavaScript than `berth build`.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_being_written_does_the_same() -> Result<()> {
    let examples = repository().join("guest-examples");
    let (written, copy) = (examples.join("shop-typescript"), Folder::new()?);
    symlink(examples.join("shop"), copy.path().join("shop"))?;
    for folder in ["", "src", "apps"] {
        for entry in fs::read_dir(written.join(folder))? {
            let path = entry?.path();
            if path.is_file() && path.extension().is_none_or(|kind| kind != "wasm") {
                let name = path.strip_prefix(&examples)?;
                copy.copy(&path, &name.to_string_lossy())?;
            }
        }
    }
    let host = host_of(&copy.path().join("shop-typescript"))?.arg("--watch");
    let tools = repository().join("target/tools/berth");
    let mut host = host.arg("--tools-dir").arg(tools).start().await?;
    orders::an_order_is_answered_stored_and_announced(&host).await?;
    orders::a_cart_is_replaced_merged_and_guarded_by_its_etag(&host).await?;
    sagas::a_failure_at_any_step_is_compensated_in_reverse_order(&mut host).await?;
    reviews::a_message_whose_handler_throws_once_comes_again(&mut host).await
}
