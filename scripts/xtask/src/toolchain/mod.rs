//! What turns a language into components: how to have it, and how to build with it. One file per language. And what tests need
//! besides: the test runner, Dapr's SDKs.

pub mod c;
mod debian;
pub mod javascript;
pub mod nextest;
pub mod python;
pub mod rust;
pub mod sdks;
mod stamp;
pub mod wat;
mod world;

pub use world::load as world;
