//! A run's questions, each with its profile.

use std::collections::HashMap;

use rayon::prelude::*;
use spanlift_store::{Plan, Record, Run};

use crate::StudyError;
use crate::profile::Profile;
use crate::shuffles::Shuffles;

/// Rows that are held at a time.
const ROWS: usize = 256;

/// A run's questions, each with its profile.
#[derive(Clone, Debug)]
pub struct Study {
    /// What the run is.
    pub plan: Plan,
    /// Its questions, in file order.
    pub profiles: Vec<Profile>,
    /// How many of its explanations do not add up; they are in all the same.
    pub broken: usize,
    /// Parts that are not there yet.
    pub missing: usize,
}

impl Study {
    /// Reads the parts of a run that are there. `look` sees every row; `shuffles` too, where the questions are to be clustered.
    ///
    /// # Errors
    ///
    /// Where a part is damaged or cannot be read, or there is no row.
    pub fn read(
        run: &Run,
        mut shuffles: Option<&mut Shuffles>,
        mut look: impl FnMut(&Record),
    ) -> Result<Self, StudyError> {
        let mut study = Self {
            plan: run.plan_of().clone(),
            profiles: Vec::new(),
            broken: 0,
            missing: run.missing().len(),
        };
        let mut passages: HashMap<String, usize> = HashMap::new();
        let mut rows = Vec::with_capacity(ROWS);
        let mut records = run.records()?;
        loop {
            for record in records.by_ref().take(ROWS) {
                let record = record?;
                look(&record);
                study.broken += usize::from(!record.explanation.completeness.holds);
                let next = passages.len();
                let passage = *passages
                    .entry(record.explanation.passage.clone())
                    .or_insert(next);
                rows.push((record, passage));
            }
            if rows.is_empty() {
                break;
            }
            let profiles = rows
                .par_iter()
                .map(|(record, passage)| Profile::of(record, *passage));
            study.profiles.par_extend(profiles);
            if let Some(shuffles) = &mut shuffles {
                let records: Vec<&Record> = rows.iter().map(|(record, _)| record).collect();
                shuffles.extend(&records);
            }
            rows.clear();
        }
        if study.profiles.is_empty() {
            return Err(StudyError::Empty);
        }
        Ok(study)
    }
}
