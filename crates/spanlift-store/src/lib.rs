//! Runs over data sets: every question explained, in chunks that survive interruption, kept as Parquet, read back.
//!
//! ```text
//!  questions, model, options
//!       |  plan.rs     what the run is: hashes, options, number of chunks
//!       v
//!     Run::plan        DIR/run.json, once, under a lock; another plan in the same folder is refused
//!       |
//!       |  Run::chunk  256 questions in file order. Any process, any order, no lock; the same bytes if done twice
//!       v
//!  DIR/parts/chunk-00000.parquet …     part/: one table of columns, written down and read up; record.rs: a row
//!       |  Run::finish  finish.rs: all parts there, counted, hashed: noted in run.json, under the lock
//!       v
//!  Run::find, Run::records             find.rs: an Explanation again, without the model
//!  Run::answers                        answers.rs: what was explained, to be explained again in another run
//! ```
//!
//! A part is written whole under another name and then renamed: a run that was killed has the parts that it finished, and
//! the same command goes on from there. A part holds nothing of when, where or by how many threads it was made, and each
//! question is explained by itself: its bytes are those of any other run of this plan on the same kind of CPU. What took how
//! long lies beside the parts, in `DIR/times`.
//!
//! docs/STORE.md lists the columns and the fields of `run.json`.

mod answers;
mod cpu;
mod differences;
mod error;
mod explain;
mod files;
mod find;
mod finish;
mod part;
mod plan;
mod record;
mod run;

pub use answers::{GivenAnswers, NotGiven};
pub use cpu::Cpu;
pub use differences::differences;
pub use error::{QuestionError, StoreError};
pub use explain::Job;
pub use files::{check_kind, tidy, try_lock, write_whole};
pub use find::{Found, FoundRecord};
pub use finish::{Finished, PartInfo, Rate, Time};
pub use part::{ChunkInfo, SkippedQuestion, WorstSum};
pub use plan::{Asked, Data, Keep, MethodPlan, ModelPlan, Plan, Selection};
pub use record::{HeadEdges, Record};
pub use run::{Done, Run};

/// The columns of a run that keeps these, in order: names, and types as SQL writes them (`FLOAT[][]` is a list of lists).
#[must_use]
pub fn columns(keep: Keep) -> Vec<(&'static str, String)> {
    let columns = part::columns(keep);
    columns.iter().map(|c| (c.name(), c.sql())).collect()
}
