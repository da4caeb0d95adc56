//! Single questions, each in a world of its own.

mod activities;
mod lifecycle;
mod limits;
mod races;
mod sagas;
mod starts;
mod timers;
mod versions;
