//! Reading a run: all its rows, or the one of a question.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::files::names;
use crate::part::{self, SkippedQuestion};
use crate::run::PARTS;
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
    /// The chunks whose parts are there, as the folder lists them: whatever `run.json` says of their number costs nothing.
    pub(crate) fn there(&self) -> Result<Vec<usize>, StoreError> {
        let chunk = |name: &Path| -> Option<usize> {
            let number = name.to_str()?.strip_prefix("chunk-")?;
            number.strip_suffix(".parquet")?.parse().ok()
        };
        let names = match names(&self.folder.join(PARTS)) {
            // Killed before it had one.
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            names => names?,
        };
        let chunks = names.iter().filter_map(|name| chunk(name));
        let mut chunks: Vec<usize> = chunks.filter(|&n| n < self.plan.chunks).collect();
        chunks.sort_unstable();
        Ok(chunks)
    }

    /// The rows of the parts that are there, in file order, a part held at a time.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read; each row, where its part is damaged.
    pub fn records(
        &self,
    ) -> Result<impl Iterator<Item = Result<Record, StoreError>> + '_, StoreError> {
        let rows = |chunk| {
            let rows = self
                .checked(chunk)
                .and_then(|path| part::rows(&path, &self.plan, chunk));
            let (rows, error) = match rows {
                Ok(rows) => (rows, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            rows.into_iter().map(Ok).chain(error.map(Err))
        };
        Ok(self.there()?.into_iter().flat_map(rows))
    }

    /// Looks for a question.
    ///
    /// # Errors
    ///
    /// Where a part that is looked into is damaged.
    pub fn find(&self, id: &str) -> Result<Found, StoreError> {
        let mut near = Vec::new();
        let there = self.there()?;
        let missing = self.plan.chunks - there.len();
        for chunk in there {
            let path = self.checked(chunk)?;
            let (known, info) = part::some(&path, &self.plan, chunk, &|name| name == "id")?;
            if let Some(at) = known.iter().position(|known| known.id == id) {
                let mut rows = part::rows(&path, &self.plan, chunk)?;
                let record = rows.swap_remove(at);
                return Ok(Found::Record(Box::new(FoundRecord { part: path, record })));
            }
            if let Some(skipped) = info.skipped.into_iter().find(|skipped| skipped.id == id) {
                return Ok(Found::Skipped(skipped));
            }
            near.extend(
                known
                    .into_iter()
                    .map(|known| (distance(id, &known.id), known.id)),
            );
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
