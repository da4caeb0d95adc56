//! The simulation is worth what it finds: each mistake here must be found, within a bounded number of seeds.

use crate::{
    faults::Mutation,
    run::{Options, simulate},
};

/// Seeds to look for a mistake in.
const SEEDS: u64 = 400;

/// The first seed that finds the mistake, with what it says.
fn found(mutation: Mutation) -> Option<(u64, Vec<String>)> {
    let options = Options {
        mutation,
        ..Options::FAULTY
    };
    (0..SEEDS).find_map(|seed| {
        let violations = simulate(seed, options).violations;
        (!violations.is_empty()).then_some((seed, violations))
    })
}

fn assert_found(mutation: Mutation) {
    let Some((seed, violations)) = found(mutation) else {
        panic!("{mutation:?}: not found in {SEEDS} seeds");
    };
    println!("{mutation:?} is found by seed {seed}: {}", violations[0]);
}

macro_rules! mutations {
    ($($name:ident: $mutation:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            assert_found(Mutation::$mutation);
        })*
    };
}

mutations! {
    a_commit_without_fencing_is_found: NoFencing,
    an_acknowledgement_before_the_commit_is_found: EarlyAcknowledgement,
    messages_left_out_of_a_commit_are_found: LostSends,
    messages_that_stay_in_the_inbox_are_found: NotConsumed,
    messages_that_count_twice_are_found: NoDeduplication,
    payloads_left_out_of_a_commit_are_found: LostBlobs,
    a_release_that_forgets_messages_is_found: ForgetfulRelease,
    tasks_left_out_of_a_commit_are_found: LostTasks,
    a_purge_that_does_nothing_is_found: NoPurge,
}
