//! The checks that every record passes, whatever the layout it came in.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::Arc;

use crate::{Dataset, GoldAnswer, Question, Skipped, SquadError};

/// Characters of a text that an error quotes.
const QUOTED: usize = 60;

/// Characters from one entry of [`Passage::starts`] to the next.
const STRIDE: usize = 64;

/// A passage and where its characters start.
pub(crate) struct Passage {
    context: Arc<str>,
    /// The byte of every [`STRIDE`]th character. Made once a passage, so that the work stays linear in the
    /// file however many answers lie far into it.
    starts: Vec<usize>,
}

impl Passage {
    /// `field` is the passage's own.
    pub(crate) fn new(context: &str, field: impl Display) -> Result<Self, SquadError> {
        Self::of(context, None, field)
    }

    /// The same, of the question with this id.
    pub(crate) fn of(
        context: &str,
        id: Option<&str>,
        field: impl Display,
    ) -> Result<Self, SquadError> {
        not_blank(context, id, field)?;
        let bytes = context.char_indices().map(|(byte, _)| byte);
        Ok(Self {
            context: context.into(),
            starts: bytes.step_by(STRIDE).collect(),
        })
    }

    pub(crate) fn context(&self) -> Arc<str> {
        Arc::clone(&self.context)
    }

    /// The passage from this character on; empty past its end.
    fn from(&self, start: usize) -> &str {
        let Some(&byte) = self.starts.get(start / STRIDE) else {
            return "";
        };
        let near = &self.context[byte..];
        let byte = near.char_indices().nth(start % STRIDE);
        byte.map_or("", |(byte, _)| &near[byte..])
    }
}

/// The questions that passed, in order, and where asked for the faults of the others.
#[derive(Default)]
pub(crate) struct Collector {
    questions: Vec<Question>,
    ids: HashSet<String>,
    skipped: Option<Skipped>,
}

impl Collector {
    /// One that notes a bad record and goes on.
    pub(crate) fn skipping() -> Self {
        Self {
            skipped: Some(Skipped::default()),
            ..Self::default()
        }
    }

    /// Whether bad records are passed over.
    pub(crate) fn skips(&self) -> bool {
        self.skipped.is_some()
    }

    /// The value; `None` where it is a fault that was noted.
    pub(crate) fn note<T>(
        &mut self,
        result: Result<T, SquadError>,
    ) -> Result<Option<T>, SquadError> {
        match (result, &mut self.skipped) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(error), None) => Err(error),
            (Err(error), Some(skipped)) => {
                skipped.count += 1;
                if skipped.first.len() < Skipped::LISTED {
                    skipped.first.push(error);
                }
                Ok(None)
            }
        }
    }

    /// Checks and keeps a question about this passage; `place` is its record in the file, as fields begin.
    pub(crate) fn push(
        &mut self,
        question: Question,
        passage: &Passage,
        place: impl Display,
    ) -> Result<(), SquadError> {
        let checked = self.checked(question, passage, place);
        if let Some(question) = self.note(checked)? {
            self.ids.insert(question.id.clone());
            self.questions.push(question);
        }
        Ok(())
    }

    fn checked(
        &self,
        question: Question,
        passage: &Passage,
        place: impl Display,
    ) -> Result<Question, SquadError> {
        let id = question.id.as_str();
        not_blank(id, None, format_args!("{place}id"))?;
        if self.ids.contains(id) {
            return Err(SquadError::DuplicateId {
                id: id.to_owned(),
                field: format!("{place}id"),
            });
        }
        not_blank(
            &question.question,
            Some(id),
            format_args!("{place}question"),
        )?;
        if question.is_impossible && !question.answers.is_empty() {
            return Err(SquadError::ImpossibleWithAnswers {
                id: id.to_owned(),
                field: format!("{place}answers"),
                got: question.answers.len(),
            });
        }
        for (index, answer) in question.answers.iter().enumerate() {
            let place = format_args!("{place}answers[{index}]");
            not_blank(&answer.text, Some(id), format_args!("{place}.text"))?;
            at_its_start(answer, passage, id, place)?;
        }
        Ok(question)
    }

    pub(crate) fn finish(self, version: Option<String>) -> (Dataset, Skipped) {
        let dataset = Dataset {
            version,
            questions: self.questions,
        };
        (dataset, self.skipped.unwrap_or_default())
    }
}

fn not_blank(text: &str, id: Option<&str>, field: impl Display) -> Result<(), SquadError> {
    if text.trim().is_empty() {
        return Err(SquadError::Empty {
            id: id.map(str::to_owned),
            field: field.to_string(),
        });
    }
    Ok(())
}

/// The official metric compares texts alone, but whoever trains on an answer or explains it goes by its
/// offset: one that stands elsewhere is refused here.
fn at_its_start(
    answer: &GoldAnswer,
    passage: &Passage,
    id: &str,
    field: impl Display,
) -> Result<(), SquadError> {
    let here = passage.from(answer.start);
    if here.starts_with(&answer.text) {
        return Ok(());
    }
    let length = answer.text.chars().count();
    let got: String = here.chars().take(length.min(QUOTED + 1)).collect();
    let found = passage.context.find(&answer.text);
    Err(SquadError::AnswerOffset {
        id: id.to_owned(),
        field: field.to_string(),
        start: answer.start,
        expected: shortened(&answer.text),
        got: shortened(&got),
        found: found.map(|byte| passage.context[..byte].chars().count()),
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((byte, _)) => format!("{}…", &text[..byte]),
        None => text.to_owned(),
    }
}
