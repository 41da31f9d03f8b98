//! Fine-tuning of an encoder on SQuAD-style questions (Devlin et al. 2019, section 4.3), by the engine's own walk.
//!
//! ```text
//!  questions ──features.rs──> windows with their answers ──order.rs──> batches
//!                                                                        |  trainer.rs: forward, loss.rs, the walk back, adamw.rs at schedule.rs' rate
//!                                                                        v
//!  Run (run.rs) ── DIR: train.json (plan.rs), state.safetensors (state.rs), metrics.jsonl, loss.svg (picture.rs), last/, best/,
//!                         probes/ (probe.rs)
//! ```

pub mod adamw;
mod error;
pub mod features;
pub mod files;
pub mod loss;
pub mod order;
pub mod picture;
pub mod plan;
pub mod probe;
pub mod run;
pub mod schedule;
pub mod state;
pub mod trainer;

pub use error::TrainError;
