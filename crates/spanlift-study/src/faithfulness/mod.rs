//! Which method to believe: a data set under several of them.
//!
//! ```text
//!  questions, methods
//!       |  Comparison::plan     DIR/compare.json; another plan in the same folder is refused
//!       |  Comparison::chunk    measure.rs, agreement.rs: rows of a few questions, any process, any order
//!       v
//!  DIR/parts/chunk-00000.parquet …   rows.rs: a number a row
//!       |  Sanity               sanity.rs: a sample under models re-initialised from the top, and other references
//!       v
//!  DIR/sanity-50/…
//!       |  Comparison::rows
//!       v
//!  tables                            summary.rs: means with intervals, paired tests, agreement
//!       |  page                 page.rs; example.rs: a few questions under every method
//!       v
//!  HTML                              web/src/study/compared
//! ```

pub mod agreement;
mod example;
pub mod measure;
mod page;
mod rows;
mod run;
mod sanity;
mod summary;

pub use example::{Example, ExampleScores, ExampleWord, chosen};
pub use page::{PageData, json, page};
pub use rows::Row;
pub use run::{Comparison, ComparisonPlan};
pub use sanity::{Original, Sanity, Stage, Step, stages};
pub use summary::{Summary, better};
