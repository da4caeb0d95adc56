use super::*;
use crate::scratch::{Scratch, context, metadata};
use berth_blocks::{conformance::Subject, state::Precondition};
use bytes::Bytes;

async fn open_for_test() -> Subject<dyn StateStore> {
    subject(&[]).await
}

berth_blocks::state_conformance!(conformance: open_for_test);

async fn open_without_wal() -> Subject<dyn StateStore> {
    subject(&[("disableWAL", "true")]).await
}

berth_blocks::state_conformance!(without_wal: open_without_wal);

async fn open_in_memory() -> Subject<dyn StateStore> {
    let memory = metadata(&[("connectionString", ":memory:")]);
    let opened = open(context("/nowhere".as_ref()), memory).await;
    Subject::new(Arc::new(opened.unwrap()))
}

berth_blocks::state_conformance!(in_memory: open_in_memory);

async fn subject(entries: &'static [(&'static str, &'static str)]) -> Subject<dyn StateStore> {
    let scratch = Scratch::new();
    let reopen = {
        let folder = scratch.path().to_owned();
        move || {
            let context = context(&folder);
            async {
                let opened = open(context, metadata(entries)).await;
                let store: Arc<dyn StateStore> = Arc::new(opened.unwrap());
                store
            }
        }
    };
    Subject::new(reopen().await)
        .keeping(scratch)
        .reopened_by(reopen)
}
