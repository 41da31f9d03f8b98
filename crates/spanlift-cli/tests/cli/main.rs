//! The program as a user runs it: in a folder of its own, with what is typed, and what comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod attribute;
mod audit;
mod bad_input;
mod checkpoints;
mod compare;
mod controls;
mod default_model;
mod desk;
mod evaluate;
mod explain;
mod files;
#[cfg(feature = "hub")]
mod hub;
mod methods;
mod mutations;
#[cfg(not(feature = "hub"))]
mod no_hub;
mod study;
mod terminal;
mod train;
mod windows;
