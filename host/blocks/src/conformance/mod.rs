//! Conformance suites: what every driver of a block must do, written against the trait. One line per driver makes one
//! test per case:
//!
//! ```text
//! async fn open_for_test() -> Subject<dyn StateStore> { … }
//! berth_blocks::state_conformance!(sqlite: open_for_test);
//! ```
//!
//! A driver that cannot do a thing says so in its capabilities; the suite then checks that the refusal is clear.
//! Every subject is fresh: empty, and shared with no other test.

pub mod pubsub;
pub mod secrets;
pub mod state;
pub mod workflow;

use futures::future::BoxFuture;
use std::{any::Any, future::Future, sync::Arc, time::Duration};

/// How long the suites wait for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

type Reopen<B> = Box<dyn Fn() -> BoxFuture<'static, Arc<B>> + Send + Sync>;

/// A backend under test, with what keeps it alive.
pub struct Subject<B: ?Sized> {
    /// The backend.
    pub backend: Arc<B>,
    reopen: Option<Reopen<B>>,
    keep: Vec<Box<dyn Any + Send + Sync>>,
}

impl<B: ?Sized> Subject<B> {
    /// A backend that needs nothing else.
    #[must_use]
    pub fn new(backend: Arc<B>) -> Self {
        Self {
            backend,
            reopen: None,
            keep: Vec::new(),
        }
    }

    /// Keeps something until the test ends, such as a temporary directory.
    #[must_use]
    pub fn keeping(mut self, kept: impl Any + Send + Sync) -> Self {
        self.keep.push(Box::new(kept));
        self
    }

    /// How to open the same data again: for durable backends.
    #[must_use]
    pub fn reopened_by<F>(mut self, reopen: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Arc<B>> + Send + 'static,
    {
        self.reopen = Some(Box::new(move || Box::pin(reopen())));
        self
    }

    /// Closes the backend and opens the same data again; `None` if the backend cannot.
    pub async fn restarted(self) -> Option<Self> {
        let Self {
            backend,
            reopen,
            keep,
        } = self;
        drop(backend);
        let reopen = reopen?;
        let backend = reopen().await;
        Some(Self {
            backend,
            reopen: Some(reopen),
            keep,
        })
    }
}

/// Asks until the answer is yes, at most [`PATIENCE`] long.
///
/// # Panics
/// When the answer stays no.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !ask().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not within {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes one test per case of a suite.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($suite:ident, $name:ident, $open:ident: $($case:ident),* $(,)?) => {
        $crate::conformance_tests! { [], $suite, $name, $open: $($case),* }
    };
    ($attributes:tt, $suite:ident, $name:ident, $open:ident: $($case:ident),* $(,)?) => {
        mod $name {
            use super::*;
            $($crate::conformance_test! { $attributes, $suite, $open, $case })*
        }
    };
}

/// Makes one test.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_test {
    ([$($attribute:meta),*], $suite:ident, $open:ident, $case:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $(#[$attribute])*
        async fn $case() {
            $crate::conformance::$suite::$case($open().await).await;
        }
    };
}

/// The suite of state stores: `state_conformance!(sqlite: open_for_test)`, where `open_for_test` is an async function
/// that gives a `Subject<dyn StateStore>`.
#[macro_export]
macro_rules! state_conformance {
    ($name:ident: $open:ident) => {
        $crate::conformance_tests! { state, $name, $open:
            it_answers_a_ping,
            values_come_back_byte_for_byte,
            an_absent_key_is_nothing,
            any_key_is_only_itself,
            any_character_may_stand_in_a_key,
            every_write_changes_the_etag,
            a_deleted_key_is_gone,
            the_content_type_is_kept_or_refused,
            bulk_calls_answer_each_key_in_order,
            one_stale_etag_fails_only_its_own_item,
            a_write_needs_the_present_etag,
            a_delete_needs_the_present_etag,
            a_first_write_succeeds_once,
            concurrent_first_writes_have_one_winner,
            concurrent_increments_with_etags_lose_nothing,
            concurrent_writers_of_one_key_leave_one_value,
            a_transaction_applies_its_steps_in_order,
            a_transaction_that_fails_changes_nothing,
            transactions_do_not_interleave,
            a_key_with_a_ttl_expires,
            an_expired_key_counts_as_absent,
            a_later_write_without_a_ttl_removes_it,
            a_transaction_sets_a_ttl,
            keys_are_listed_by_literal_prefix,
            pages_show_every_key_once,
            ten_thousand_keys_are_listed,
            paging_is_stable_under_deletes,
            expired_keys_are_not_listed,
            what_was_written_survives_a_restart,
        }
    };
}

/// The suite of brokers: `pubsub_conformance!(sqlite: open_for_test)`, where `open_for_test` is an async function that
/// gives a `Subject<dyn PubSub>` whose leases last at most two seconds. Attributes before the name, such as an `ignore`
/// that says which server it takes, are those of each test.
#[macro_export]
macro_rules! pubsub_conformance {
    ($(#[$attribute:meta])* $name:ident: $open:ident) => {
        $crate::conformance_tests! { [$($attribute),*], pubsub, $name, $open:
            it_answers_a_ping,
            a_message_arrives_as_published,
            any_payload_and_topic_name_passes,
            a_bulk_publish_answers_each_message,
            a_new_group_begins_with_the_oldest_message,
            a_group_keeps_what_comes_while_nobody_listens,
            members_of_a_group_compete,
            groups_each_get_a_copy,
            topics_do_not_mix,
            handlers_that_fail_see_every_message_in_the_end,
            a_released_message_comes_again_and_counts,
            an_uncounted_release_does_not_count,
            a_delayed_release_waits,
            a_dropped_lease_brings_the_message_back,
            a_lease_that_runs_out_brings_the_message_back,
            an_extended_lease_is_kept,
            a_stopped_consumer_leaves_the_others_alone,
            prefetch_bounds_what_is_leased,
            receiving_is_cancel_safe,
            messages_of_one_key_come_in_order,
            a_message_with_a_ttl_expires,
            depths_count_what_waits,
            messages_at_rest_can_be_read_and_removed,
            retained_messages_outlive_their_groups,
            concurrent_publishers_lose_nothing,
            what_was_published_survives_a_restart,
        }
    };
}

/// The suite of secret stores: `secrets_conformance!(file: open_for_test)`, where `open_for_test` is an async function
/// that gives a `Subject<dyn SecretStore>` with `conftestsecret` = `abcd` and `secondsecret` = `efgh`.
#[macro_export]
macro_rules! secrets_conformance {
    ($name:ident: $open:ident) => {
        $crate::conformance_tests! { secrets, $name, $open:
            it_answers_a_ping,
            a_secret_has_one_field_under_its_name,
            an_unknown_secret_is_not_found,
            a_bulk_read_shows_every_secret,
        }
    };
}

/// The suite of workflow stores: `workflow_conformance!(sqlite: open_for_test)`, where `open_for_test` is an async
/// function that gives a `Subject<dyn WorkflowStore>`.
#[macro_export]
macro_rules! workflow_conformance {
    ($name:ident: $open:ident) => {
        $crate::conformance_tests! { workflow, $name, $open:
            it_answers_a_ping,
            an_instance_is_created_once,
            concurrent_creations_have_one_winner,
            an_ended_instance_makes_room_if_it_may,
            a_commit_applies_everything,
            a_stale_commit_changes_nothing,
            concurrent_commits_have_one_winner,
            continuing_as_new_begins_an_empty_history,
            a_child_whose_id_is_taken_is_refused,
            an_ended_instance_is_final,
            a_purge_leaves_nothing,
            retention_purges_what_has_expired,
            what_was_committed_survives_a_restart,
            ready_instances_are_claimed_in_order,
            hosts_claim_different_instances,
            an_instance_is_taken_over_when_the_lease_ends,
            a_renewed_lease_keeps_all_instances,
            a_host_that_leaves_frees_its_instances,
            a_released_instance_is_ready_again_in_time,
            a_host_can_ask_what_it_owns,
            stalled_instances_wait_for_other_code,
            messages_come_in_order_and_are_consumed,
            a_message_id_counts_once,
            a_message_to_nobody_is_refused,
            a_release_sees_messages_that_came_meanwhile,
            tasks_are_claimed_by_app_and_time,
            a_finished_task_tells_its_instance,
            a_task_comes_again_when_its_claim_ends,
            a_task_can_be_replaced_and_dropped,
            a_list_shows_what_matches,
            pages_show_every_instance_once,
            the_code_that_instances_need_is_known,
        }
    };
}
