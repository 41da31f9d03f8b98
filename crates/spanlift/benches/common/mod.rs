//! What the benches share: models and questions, one timed explanation, the products it needs, time and memory.
#![allow(dead_code, reason = "each bench uses its own part")]

pub(crate) mod measure;
pub(crate) mod models;
pub(crate) mod pass;
pub(crate) mod work;
