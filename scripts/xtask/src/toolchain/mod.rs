//! What the repository's commands need from outside, and how to have it: one file per language of guests, with how it
//! builds; besides those what the build, the test runner, Dapr's SDKs and the tests' servers are.

pub mod c;
mod debian;
pub mod javascript;
pub mod native;
pub mod nextest;
pub mod project;
pub mod python;
pub mod rust;
pub mod sdks;
pub mod servers;
mod stamp;
pub mod wat;
mod world;

pub use world::load as world;
