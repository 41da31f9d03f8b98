//! A run studied: how the scores shift through the layers by the role of the tokens, and what the paper says of it.
//!
//! ```text
//!  a run of spanlift-store
//!       |  Study::read
//!       v
//!  Profile of each question      roles.rs (which token is what), profile.rs (shares by role, spread, shift), facts.rs
//!       |
//!       +-- groups.rs   means with intervals (bootstrap.rs) by kind of question and paragraph
//!       +-- claims.rs   the paper's claims, against two controls
//!       +-- clusters.rs kinds of questions (cluster/: numbers alone; maps.rs, autoencoder.rs), and what sets each apart
//!       +-- plane.rs    each question a point
//!       +-- faithfulness/  methods compared, from questions of their own
//!       +-- training/   the probe questions of a training, step by step
//!       +-- diff.rs     two runs over the same questions
//!       v
//!  Table                         table.rs: every result is one; CSV, JSON, Parquet
//!       |
//!       v
//!  a page                        report/: the tables, and heatmaps of the questions
//! ```

pub mod autoencoder;
pub mod bootstrap;
pub mod claims;
pub mod cluster;
pub mod clusters;
pub mod diff;
mod error;
pub mod facts;
pub mod faithfulness;
pub mod groups;
pub mod maps;
pub mod plane;
pub mod profile;
mod questions;
pub mod report;
pub mod roles;
pub mod shuffles;
mod significance;
mod study;
mod table;
pub mod training;

pub use error::StudyError;
pub use questions::questions;
pub use study::Study;
pub use table::{Column, Format, Table, Values};
