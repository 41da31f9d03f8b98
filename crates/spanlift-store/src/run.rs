//! A run in its folder: planned, and done chunk by chunk.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use spanlift::ops::Real;
use spanlift_squad::Question;

use crate::explain::Job;
use crate::files::{check_kind, failed, lock, make_folder, write_whole};
use crate::finish::{Finished, Time, worse};
use crate::part::{self, ChunkInfo, SkippedQuestion, WorstSum};
use crate::{Cpu, Plan, Record, StoreError};

/// The format's name at the head of `run.json`.
const FORMAT: &str = "spanlift.run";
/// Its version.
const VERSION: u32 = 1;

const PLAN: &str = "run.json";
pub(crate) const LOCK: &str = "run.lock";
pub(crate) const PARTS: &str = "parts";
pub(crate) const TIMES: &str = "times";

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RunFile {
    format: String,
    version: u32,
    plan: Plan,
    finished: Option<Finished>,
}

/// What is looked at first.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u64>,
}

/// A planned run.
#[derive(Clone, Debug)]
pub struct Run {
    pub(crate) folder: PathBuf,
    pub(crate) plan: Plan,
    pub(crate) finished: Option<Finished>,
}

/// What became of a chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// What its part says of it.
    pub info: ChunkInfo,
    /// Bytes of the part.
    pub bytes: usize,
}

impl Run {
    /// Makes the run's folder, or goes on in it where it holds the same plan.
    ///
    /// # Errors
    ///
    /// Where the folder holds another run ([`StoreError::OtherRun`] says in what) or something else ([`StoreError::OtherKind`]), or
    /// cannot be written to.
    pub fn plan(folder: &Path, plan: Plan) -> Result<Self, StoreError> {
        check_kind(folder, PLAN)?;
        make_folder(folder)?;
        let _lock = lock(&folder.join(LOCK))?;
        let path = folder.join(PLAN);
        let run = match Self::open(folder) {
            Ok(run) => {
                let differences = run.plan.differences(&plan);
                if run.plan.key() != plan.key() {
                    return Err(StoreError::OtherRun { path, differences });
                }
                run.reopened()?
            }
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                let run = Self {
                    folder: folder.to_owned(),
                    plan,
                    finished: None,
                };
                run.write()?;
                run
            }
            Err(error) => return Err(error),
        };
        make_folder(&folder.join(PARTS))?;
        make_folder(&folder.join(TIMES))?;
        Ok(run)
    }

    /// Opens a run that is there, to read it.
    ///
    /// # Errors
    ///
    /// Where its `run.json` cannot be read, or is none.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(PLAN);
        let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
        let not = |reason: String| StoreError::NotARun {
            path: path.clone(),
            reason,
        };
        let head: Head = serde_json::from_str(&text).map_err(|error| not(error.to_string()))?;
        if head.format.as_deref() != Some(FORMAT) {
            return Err(not(format!(
                "format: expected `{FORMAT}`, got {}",
                head.format
                    .map_or("none".to_owned(), |got| format!("`{got}`"))
            )));
        }
        if head.version != Some(VERSION.into()) {
            return Err(not(format!(
                "version: expected {VERSION}, got {}",
                head.version
                    .map_or("none".to_owned(), |got| got.to_string())
            )));
        }
        let file: RunFile = serde_json::from_str(&text).map_err(|error| not(error.to_string()))?;
        let plan = &file.plan;
        let size = plan.chunk_size;
        if size == 0 || size > Plan::MAX_CHUNK {
            let most = Plan::MAX_CHUNK;
            return Err(not(format!("chunk_size: expected 1 to {most}, got {size}")));
        }
        let chunks = plan.data.questions.div_ceil(size);
        if plan.chunks != chunks {
            return Err(not(format!(
                "chunks: expected {chunks}, got {}",
                plan.chunks
            )));
        }
        if let Some(finished) = file.finished.as_ref().filter(|f| f.parts.len() != chunks) {
            let got = finished.parts.len();
            return Err(not(format!("finished.parts: expected {chunks}, got {got}")));
        }
        Ok(Self {
            folder: folder.to_owned(),
            plan: file.plan,
            finished: file.finished,
        })
    }

    /// Not finished any more, where a part was removed: what is made in its place may have other bits, of another kind of CPU.
    fn reopened(mut self) -> Result<Self, StoreError> {
        if self.finished.is_none() || self.missing().is_empty() {
            return Ok(self);
        }
        for chunk in self.there()? {
            self.checked(chunk)?;
        }
        self.finished = None;
        self.write()?;
        Ok(self)
    }

    pub(crate) fn write(&self) -> Result<(), StoreError> {
        let path = self.folder.join(PLAN);
        let file = RunFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            plan: self.plan.clone(),
            finished: self.finished.clone(),
        };
        write_json(&path, &file)
    }

    /// What the run is.
    #[must_use]
    pub fn plan_of(&self) -> &Plan {
        &self.plan
    }

    /// What it came to, where it is finished.
    #[must_use]
    pub fn finished(&self) -> Option<&Finished> {
        self.finished.as_ref()
    }

    /// A chunk's file, there or not.
    #[must_use]
    pub fn part(&self, chunk: usize) -> PathBuf {
        self.folder.join(PARTS).join(part_name(chunk))
    }

    pub(crate) fn time(&self, chunk: usize) -> PathBuf {
        self.folder
            .join(TIMES)
            .join(format!("chunk-{chunk:05}.json"))
    }

    /// Does a chunk, whether it has been done or not: `questions` are all of the run. Its part is there when this returns.
    ///
    /// # Errors
    ///
    /// Where a question cannot be explained and is not to be passed over, or the part cannot be written; nothing of the
    /// chunk is left then.
    pub fn chunk<T: Real>(
        &self,
        chunk: usize,
        questions: &[Question],
        job: &Job<'_, T>,
        watch: &(dyn Fn() + Sync),
    ) -> Result<Done, StoreError> {
        let start = Instant::now();
        let range = self.plan.questions(chunk);
        let questions = questions.get(range.clone()).unwrap_or_default();
        if questions.len() != range.len() || questions.is_empty() {
            return Err(StoreError::NoChunk {
                chunks: self.plan.chunks,
                start: chunk,
                end: chunk + 1,
            });
        }
        let mut info = ChunkInfo {
            key: self.plan.key(),
            chunk,
            rows: 0,
            skipped: Vec::new(),
            broken: 0,
            worst: None,
            exact: 0.0,
            f1: 0.0,
        };
        let mut records = Vec::with_capacity(questions.len());
        for (question, explained) in questions.iter().zip(job.explain(questions, watch)?) {
            match explained {
                Ok(record) => {
                    info.add(&record);
                    records.push(record);
                }
                Err(error) => info.skipped.push(SkippedQuestion {
                    id: question.id.clone(),
                    reason: error.to_string(),
                }),
            }
        }
        let bytes = part::encode(&records, &info, self.plan.keep)
            .map_err(|source| StoreError::Encode { source })?;
        let time = Time {
            questions: questions.len(),
            seconds: start.elapsed().as_secs_f64(),
            threads: job.threads(),
            cpu: Cpu::here(),
        };
        // Before the part: where all parts are there, so are all times, and whoever finishes the run finds nothing under way.
        write_json(&self.time(chunk), &time)?;
        write_whole(&self.part(chunk), &bytes)?;
        Ok(Done {
            info,
            bytes: bytes.len(),
        })
    }

    /// The chunks whose parts are not there.
    #[must_use]
    pub fn missing(&self) -> Vec<usize> {
        let chunks = 0..self.plan.chunks;
        chunks.filter(|&chunk| !self.part(chunk).exists()).collect()
    }
}

pub(crate) fn part_name(chunk: usize) -> String {
    format!("chunk-{chunk:05}.parquet")
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| failed("written", path)(error.into()))?;
    bytes.push(b'\n');
    write_whole(path, &bytes)
}

impl ChunkInfo {
    fn add(&mut self, record: &Record) {
        let found = &record.explanation.completeness;
        self.rows += 1;
        self.broken += usize::from(!found.holds);
        self.exact += record.exact;
        self.f1 += record.f1;
        let worst = WorstSum {
            relative: found.worst,
            id: record.id.clone(),
            cut: found.cut.clone(),
        };
        self.worst = worse(self.worst.take(), Some(worst));
    }
}
