//! The inbox by itself.

use super::super::{
    inbox::{Inbox, Lost},
    record::Record,
};
use super::*;
use std::time::Instant;

fn record(partition: i32, offset: i64, key: Option<&str>) -> Record {
    Record::for_test(partition, offset, key)
}

fn inbox(buffer: usize) -> Inbox {
    let mut inbox = Inbox::new(buffer);
    inbox.assign(0);
    inbox
}

/// Offsets that are handed out now, with their places.
fn handed(inbox: &mut Inbox, max: usize) -> Vec<(i64, u64)> {
    let handed = inbox.hand_out(max, Instant::now());
    handed
        .iter()
        .map(|own| (own.record.offset, own.place))
        .collect()
}

#[test]
fn a_partition_is_finished_up_to_its_first_open_message() {
    let mut inbox = inbox(10);
    // Offsets have gaps: transactions and compaction leave them.
    for offset in [5, 7, 8, 20] {
        inbox.admit(record(0, offset, None));
    }
    let handed = handed(&mut inbox, 10);
    let place = |offset| handed.iter().find(|(own, _)| *own == offset).unwrap().1;
    assert_eq!(inbox.acknowledge(place(7)), Ok(None));
    assert_eq!(inbox.acknowledge(place(5)), Ok(Some((0, 8))));
    assert_eq!(inbox.acknowledge(place(20)), Ok(None));
    assert_eq!(inbox.acknowledge(place(8)), Ok(Some((0, 21))));
    assert_eq!(inbox.revoke(0), Some(21));
}

#[test]
fn nothing_is_committed_where_nothing_was_finished() {
    let mut inbox = inbox(10);
    inbox.admit(record(0, 5, None));
    inbox.admit(record(0, 6, None));
    let handed = handed(&mut inbox, 10);
    assert_eq!(inbox.acknowledge(handed[1].1), Ok(None));
    assert_eq!(inbox.revoke(0), None);
    assert_eq!(inbox.acknowledge(handed[0].1), Err(Lost));
    assert_eq!(inbox.leased(), 0);
}

#[test]
fn a_partition_that_comes_back_begins_anew() {
    let mut inbox = inbox(10);
    inbox.admit(record(0, 5, Some("k")));
    let before = handed(&mut inbox, 10);
    inbox.assign(0);
    inbox.admit(record(0, 5, Some("k")));
    let after = handed(&mut inbox, 10);
    assert_eq!(inbox.acknowledge(before[0].1), Err(Lost));
    assert_eq!(inbox.acknowledge(after[0].1), Ok(Some((0, 6))));
}

#[test]
fn messages_of_partitions_that_are_not_ours_are_left_alone() {
    let mut inbox = inbox(10);
    inbox.admit(record(1, 5, None));
    assert_eq!(inbox.waiting(), 0);
}

#[test]
fn the_first_of_each_key_is_handed_out() {
    let mut inbox = inbox(10);
    for (offset, key) in [(0, "a"), (1, "a"), (2, "b"), (3, "a")] {
        inbox.admit(record(0, offset, Some(key)));
    }
    let first = handed(&mut inbox, 10);
    assert_eq!(first.iter().map(|own| own.0).collect::<Vec<_>>(), [0, 2]);
    let minute = Duration::from_secs(60);
    let released = inbox.release(first[0].1, minute, Attempt::Counted, Instant::now());
    assert_eq!(released, Ok(()));
    assert_eq!(handed(&mut inbox, 10), []);
    let later = inbox.hand_out(10, Instant::now() + minute);
    assert_eq!((later[0].record.offset, later[0].attempt), (0, 2));
    inbox.acknowledge(later[0].place).unwrap();
    assert_eq!(handed(&mut inbox, 10)[0].0, 1);
}

#[test]
fn a_partition_is_read_so_far_and_no_further() {
    let mut inbox = inbox(3);
    for offset in 0..3 {
        assert!(inbox.wants(0));
        inbox.admit(record(0, offset, None));
    }
    assert!(!inbox.wants(0));
    let first = handed(&mut inbox, 1);
    inbox.acknowledge(first[0].1).unwrap();
    assert!(inbox.wants(0));
    // One message that is never finished lets the others pass for a while.
    let mut offset = 3;
    while inbox.wants(0) {
        inbox.admit(record(0, offset, None));
        offset += 1;
        let next = handed(&mut inbox, 10);
        let done = next.iter().filter(|(offset, _)| *offset != 1);
        done.for_each(|(_, place)| drop(inbox.acknowledge(*place)));
    }
    assert_eq!(offset, 1 + 10_000);
}
