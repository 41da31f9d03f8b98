//! The answers that another run explains, to be explained again: under other weights, or against another reference.

use std::collections::BTreeMap;

use spanlift::Place;
use spanlift_squad::Question;

use crate::part;
use crate::{Record, Run, StoreError};

/// What another run explains, for each question of this one.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenAnswers {
    /// The other run's plan, in one word: what its answers are.
    pub(crate) run: String,
    by_id: BTreeMap<String, Result<Place, NotGiven>>,
}

/// Why another run has no answer for a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGiven {
    /// It is not one of its questions, or not yet.
    #[error("the run that has the answers lacks this question{}", still(*missing))]
    Unknown {
        /// Parts that are not there yet.
        missing: usize,
    },
    /// It could not be explained there.
    #[error("the run that has the answers skipped this question: {reason}")]
    Skipped {
        /// Why.
        reason: String,
    },
    /// It is another question by the same id.
    #[error("its {field} is another one in the run that has the answers")]
    Differs {
        /// `question` or `passage`.
        field: &'static str,
    },
}

fn still(missing: usize) -> String {
    match missing {
        0 => String::new(),
        n => format!("; {n} of its chunks are still to be done"),
    }
}

/// What is read of the other run.
const COLUMNS: [&str; 9] = [
    "id",
    "question",
    "passage",
    "answer_start",
    "answer_end",
    "window_index",
    "window_count",
    "window_start",
    "window_end",
];

impl Run {
    /// What this run explains, for each of these questions; of the parts that are there.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read, or a part is damaged.
    pub fn answers(&self, questions: &[Question]) -> Result<GivenAnswers, StoreError> {
        let asked: BTreeMap<&str, &Question> =
            questions.iter().map(|q| (q.id.as_str(), q)).collect();
        let there = self.there()?;
        let missing = self.plan.chunks - there.len();
        let mut by_id: BTreeMap<String, Result<Place, NotGiven>> = asked
            .keys()
            .map(|id| ((*id).to_owned(), Err(NotGiven::Unknown { missing })))
            .collect();
        for chunk in there {
            let wanted = |name: &str| COLUMNS.contains(&name);
            let (records, info) = part::some(&self.checked(chunk)?, &self.plan, chunk, &wanted)?;
            for record in records {
                if let Some(question) = asked.get(record.id.as_str()) {
                    let place = place(question, &record);
                    by_id.insert(record.id, place);
                }
            }
            for skipped in info.skipped {
                if let Some(entry) = by_id.get_mut(&skipped.id) {
                    let reason = skipped.reason;
                    *entry = Err(NotGiven::Skipped { reason });
                }
            }
        }
        let run = self.plan.key();
        Ok(GivenAnswers { run, by_id })
    }
}

fn place(question: &Question, record: &Record) -> Result<Place, NotGiven> {
    let own = &record.explanation;
    for (field, own, asked) in [
        ("question", &*own.question, &*question.question),
        ("passage", &own.passage, &question.context),
    ] {
        if own != asked {
            return Err(NotGiven::Differs { field });
        }
    }
    Ok(Place {
        window: own.window.clone(),
        characters: own.answer.start.zip(own.answer.end),
    })
}

impl GivenAnswers {
    /// The place of a question's answer.
    pub(crate) fn of(&self, id: &str) -> Result<&Place, NotGiven> {
        let found = self.by_id.get(id).map(Result::as_ref);
        let found = found.unwrap_or(Err(&NotGiven::Unknown { missing: 0 }));
        found.map_err(NotGiven::clone)
    }

    /// The first of these questions that has no answer, and why.
    #[must_use]
    pub fn first_without<'q>(&self, questions: &'q [Question]) -> Option<(&'q str, NotGiven)> {
        let mut ids = questions.iter().map(|question| question.id.as_str());
        ids.find_map(|id| Some((id, self.of(id).err()?)))
    }
}
