//! What a run comes to: all parts there, counted, hashed.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files::{failed, lock, tidy};
use crate::part::{self, SkippedQuestion, WorstSum};
use crate::plan::hex;
use crate::run::{LOCK, PARTS, TIMES, part_name};
use crate::{Cpu, Run, StoreError};

/// What a run has come to, with all its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Questions that were explained: the rows of all parts.
    pub questions: usize,
    /// Questions that could not be.
    pub skipped: Vec<SkippedQuestion>,
    /// Explanations whose sums do not hold.
    pub broken: usize,
    /// The worst sum of all, where there is a row.
    pub worst: Option<WorstSum>,
    /// Exact matches in per cent of the rows.
    pub exact: f64,
    /// F1 in per cent.
    pub f1: f64,
    /// Bytes of all parts.
    pub bytes: u64,
    /// SHA-256 of the parts' own, in order: one word for all data.
    pub sha256: String,
    /// Each part.
    pub parts: Vec<PartInfo>,
    /// How fast it went, as far as that was noted.
    pub rate: Option<Rate>,
    /// The kinds of CPU that parts were made on, as far as that was noted.
    pub cpus: Vec<Cpu>,
}

/// A part of a finished run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartInfo {
    /// Its file.
    pub file: String,
    /// Its questions that were explained.
    pub rows: usize,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// How fast a run went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Questions of a second in one process.
    pub questions_per_second: f64,
    /// Seconds of all chunks together.
    pub seconds: f64,
    /// Threads of a process; the most, where they differ.
    pub threads: usize,
}

/// How long a chunk took. It lies beside the parts, whose bytes do not depend on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Questions that were asked.
    pub questions: usize,
    /// From the first question to the part's bytes.
    pub seconds: f64,
    /// Workers.
    pub threads: usize,
    /// Where.
    pub cpu: Cpu,
}

impl Run {
    /// Counts and hashes all parts, and notes it in `run.json`; of a run that is finished already, checks them.
    ///
    /// # Errors
    ///
    /// Where a part is missing, damaged or of another run.
    pub fn finish(&mut self) -> Result<&Finished, StoreError> {
        let done = self.finished.take().filter(|_| self.missing().is_empty());
        if let Some(finished) = done {
            let chunks = finished.parts.len();
            self.finished = Some(finished.clone());
            (0..chunks).try_for_each(|chunk| self.checked(chunk).map(|_| ()))?;
            return Ok(self.finished.insert(finished));
        }
        let _lock = lock(&self.folder.join(LOCK))?;
        let missing = self.missing();
        if let Some(&first) = missing.first() {
            return Err(StoreError::Unfinished {
                chunks: self.plan.chunks,
                got: self.plan.chunks - missing.len(),
                first,
            });
        }
        let mut finished = Finished {
            questions: 0,
            skipped: Vec::new(),
            broken: 0,
            worst: None,
            exact: 0.0,
            f1: 0.0,
            bytes: 0,
            sha256: String::new(),
            parts: Vec::with_capacity(self.plan.chunks),
            rate: None,
            cpus: Vec::new(),
        };
        let (mut all, mut times) = (Sha256::new(), Vec::new());
        for chunk in 0..self.plan.chunks {
            let path = self.part(chunk);
            let mut info = part::info(&path, &self.plan, chunk)?;
            let bytes = fs::read(&path).map_err(failed("read", &path))?;
            let sha256 = hex(Sha256::new_with_prefix(&bytes));
            all.update(&sha256);
            finished.questions += info.rows;
            finished.skipped.append(&mut info.skipped);
            finished.broken += info.broken;
            finished.exact += info.exact;
            finished.f1 += info.f1;
            finished.worst = worse(finished.worst.take(), info.worst);
            finished.bytes += bytes.len() as u64;
            finished.parts.push(PartInfo {
                file: format!("{PARTS}/{}", part_name(chunk)),
                rows: info.rows,
                bytes: bytes.len() as u64,
                sha256,
            });
            // One that is missing or broken costs a figure of speed and no more.
            let time = fs::read(self.time(chunk)).ok();
            times.extend(time.and_then(|time| serde_json::from_slice::<Time>(&time).ok()));
        }
        finished.sha256 = hex(all);
        let rows = finished.questions.max(1) as f64;
        finished.exact *= 100.0 / rows;
        finished.f1 *= 100.0 / rows;
        finished.rate = rate(&times);
        finished.cpus = times.into_iter().map(|time| time.cpu).collect();
        finished.cpus.sort();
        finished.cpus.dedup();
        for folder in [PARTS, TIMES] {
            tidy(&self.folder.join(folder))?;
        }
        tidy(&self.folder)?;
        self.finished = Some(finished.clone());
        self.write()?;
        Ok(self.finished.insert(finished))
    }

    /// A part to be read: of a finished run one whose bytes are those that were hashed then.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] where they are not.
    pub(crate) fn checked(&self, chunk: usize) -> Result<PathBuf, StoreError> {
        let path = self.part(chunk);
        let part = self.finished.as_ref().and_then(|all| all.parts.get(chunk));
        let Some(part) = part else { return Ok(path) };
        let damaged = |what: &str, expected: &str, got: &str| StoreError::Damaged {
            path: path.clone(),
            reason: format!("expected {what} {expected} as in run.json, got {got}"),
        };
        // Before it is read: it may be of any length.
        let bytes = fs::metadata(&path).map_err(failed("read", &path))?.len();
        if bytes != part.bytes {
            let [expected, got] = [part.bytes, bytes].map(|bytes| bytes.to_string());
            return Err(damaged("bytes", &expected, &got));
        }
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        let got = hex(Sha256::new_with_prefix(&bytes));
        if got != part.sha256 {
            return Err(damaged("SHA-256", &part.sha256, &got));
        }
        Ok(path)
    }
}

/// The larger of two; the first of equals.
pub(crate) fn worse(a: Option<WorstSum>, b: Option<WorstSum>) -> Option<WorstSum> {
    match (a, b) {
        (Some(a), Some(b)) if b.relative > a.relative => Some(b),
        (a, b) => a.or(b),
    }
}

fn rate(times: &[Time]) -> Option<Rate> {
    let seconds: f64 = times.iter().map(|time| time.seconds).sum();
    let questions: usize = times.iter().map(|time| time.questions).sum();
    Some(Rate {
        questions_per_second: questions as f64 / seconds,
        seconds,
        threads: times.iter().map(|time| time.threads).max()?,
    })
    .filter(|rate| rate.questions_per_second.is_finite())
}
