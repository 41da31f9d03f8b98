//! Reading a run: all its rows, or the one of a question.

use std::path::PathBuf;

use crate::part::{self, SkippedQuestion};
use crate::{Record, Run, StoreError};

/// What a question's id led to.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Its row.
    Record(Box<FoundRecord>),
    /// It could not be explained.
    Skipped(SkippedQuestion),
    /// It is in none of the parts.
    Unknown {
        /// Ids that are spelt nearly so, the nearest first.
        near: Vec<String>,
        /// Parts that are not there yet.
        missing: usize,
    },
}

/// A row, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRecord {
    /// Its part.
    pub part: PathBuf,
    /// The row.
    pub record: Record,
}

impl Run {
    /// The rows of the parts that are there, in file order, a part held at a time.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, StoreError>> + '_ {
        let there = (0..self.plan.chunks).filter(|&chunk| self.part(chunk).exists());
        there.flat_map(|chunk| {
            let (rows, error) = match part::rows(&self.part(chunk), &self.plan, chunk) {
                Ok(rows) => (rows, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            rows.into_iter().map(Ok).chain(error.map(Err))
        })
    }

    /// Looks for a question.
    ///
    /// # Errors
    ///
    /// Where a part that is looked into is damaged.
    pub fn find(&self, id: &str) -> Result<Found, StoreError> {
        let (mut near, mut missing) = (Vec::new(), 0);
        for chunk in 0..self.plan.chunks {
            let path = self.part(chunk);
            if !path.exists() {
                missing += 1;
                continue;
            }
            let (ids, info) = part::ids(&path, &self.plan, chunk)?;
            if let Some(at) = ids.iter().position(|known| known == id) {
                let mut rows = part::rows(&path, &self.plan, chunk)?;
                let record = rows.swap_remove(at);
                return Ok(Found::Record(Box::new(FoundRecord { part: path, record })));
            }
            if let Some(skipped) = info.skipped.into_iter().find(|skipped| skipped.id == id) {
                return Ok(Found::Skipped(skipped));
            }
            near.extend(ids.into_iter().map(|known| (distance(id, &known), known)));
            near.sort();
            near.truncate(NEAR);
        }
        // Beyond a third of its letters an id is not that one misspelt.
        let most = id.chars().count().div_ceil(3);
        near.retain(|(distance, _)| *distance <= most);
        Ok(Found::Unknown {
            near: near.into_iter().map(|(_, id)| id).collect(),
            missing,
        })
    }
}

/// So many ids are suggested.
const NEAR: usize = 3;

/// Insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    strsim::osa_distance(a, b)
}
