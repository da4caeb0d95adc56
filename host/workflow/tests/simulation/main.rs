//! The whole engine in a deterministic simulation: one thread, a virtual clock, a seeded scheduler, and faults.
//!
//! A seed makes a story: random workflow programs on two hosts with one store, clients that start, suspend, cancel and
//! terminate instances and raise events, while hosts crash at named places, stop for longer than their lease, and calls
//! to the store fail or leave open whether they did what they were asked. At the end every instance must have the outcome
//! that a pure function of its program gives, and the rules of `checks` hold.
//!
//! `BERTH_SEED=17 cargo test -p berth-workflow --test simulation one_seed -- --nocapture` tells one story again.

// This whole binary is a test, but only functions with `#[test]` count as such.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod checks;
mod clients;
mod disk;
mod failpoints;
mod faults;
mod golden;
mod guest;
mod lab;
mod mutations;
mod program;
mod rng;
mod run;
mod seeds;
mod stores;
mod stories;
mod world;
