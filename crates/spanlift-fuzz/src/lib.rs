//! Damaged and hostile files against every reader of Spanlift: no panic, no hang, and no more memory than a stated multiple
//! of the file.
//!
//! ```text
//! (target, seed, index) ──mutate.rs──> input ──targets/──> reader, and what uses what it read
//!                                                 |  meter.rs: live bytes, largest request
//!                                                 v  run.rs: panics, bounds, time
//!                                              Report, findings as files
//! ```
//!
//! An input is a function of target, seed and index, so that a count can be resumed and a finding made again. The program
//! runs millions (see CONTRIBUTING), `tests/short.rs` a few thousand each.

mod meter;
mod mutate;
mod run;
pub mod targets;

pub use meter::{Memory, measure};
pub use mutate::Shape;
pub use run::{Bound, Finding, Outcome, Plan, Probe, Report, Run, Step, Target, alone, run};
