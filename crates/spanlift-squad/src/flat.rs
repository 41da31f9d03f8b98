//! The flat layout of the Hugging Face `datasets` library: a record has its question, passage and answers beside each
//! other. Here as JSON lines, one record a line; [`parquet`](crate::parquet) reads the same columns.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;

use crate::check::{Collector, Passage};
use crate::error::plain;
use crate::json::{Object, Text};
use crate::loose::not_squad;
use crate::{GoldAnswer, Question, SquadError};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    title: Option<Text<'a>>,
    context: Text<'a>,
    question: Text<'a>,
    answers: Object<Answers<'a>>,
    is_impossible: Option<bool>,
}

#[derive(Deserialize)]
struct Answers<'a> {
    #[serde(borrow)]
    text: Vec<Text<'a>>,
    answer_start: Vec<usize>,
}

/// A record, whatever file it came in.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) context: String,
    pub(crate) question: String,
    pub(crate) texts: Vec<String>,
    pub(crate) starts: Vec<usize>,
    /// Where the file says so; it need not, and then a question without an answer is impossible.
    pub(crate) is_impossible: Option<bool>,
}

/// Passages and titles that were there before, so that questions share them.
#[derive(Default)]
pub(crate) struct Shared {
    passages: HashMap<Arc<str>, Rc<Passage>>,
    title: Arc<str>,
}

impl Shared {
    /// Checks and keeps a record; `place` is where it stands, as `line 7: `.
    pub(crate) fn push(
        &mut self,
        record: Record,
        place: &str,
        collector: &mut Collector,
    ) -> Result<(), SquadError> {
        let passage = self.passage(&record, place);
        let Some(passage) = collector.note(passage)? else {
            return Ok(());
        };
        if *self.title != *record.title {
            self.title = record.title.into();
        }
        let answers: Vec<GoldAnswer> = record
            .texts
            .into_iter()
            .zip(record.starts)
            .map(|(text, start)| GoldAnswer { text, start })
            .collect();
        let question = Question {
            id: record.id,
            title: Arc::clone(&self.title),
            question: record.question,
            context: passage.context(),
            is_impossible: record.is_impossible.unwrap_or(answers.is_empty()),
            answers,
        };
        collector.push(question, &passage, place)
    }

    fn passage(&mut self, record: &Record, place: &str) -> Result<Rc<Passage>, SquadError> {
        if record.texts.len() != record.starts.len() {
            return Err(SquadError::NotSquad {
                id: Some(record.id.clone()),
                field: format!("{place}answers.answer_start"),
                reason: format!(
                    "expected one for each of {} texts, got {}",
                    record.texts.len(),
                    record.starts.len()
                ),
            });
        }
        if let Some(known) = self.passages.get(record.context.as_str()) {
            return Ok(Rc::clone(known));
        }
        let id = Some(record.id.as_str());
        let passage = Passage::of(&record.context, id, format_args!("{place}context"))?;
        let passage = Rc::new(passage);
        self.passages.insert(passage.context(), Rc::clone(&passage));
        Ok(passage)
    }
}

/// Whether the text is JSON lines of records: its first object has a field of theirs before one of SQuAD's own layout.
pub(crate) fn is_flat(text: &str) -> bool {
    use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

    struct Keys<'a>(&'a mut bool);

    impl<'de> Visitor<'de> for Keys<'_> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<Text<'_>>()? {
                match &*key.0 {
                    "id" | "title" | "context" | "question" | "answers" | "is_impossible" => {
                        *self.0 = true;
                        return Err(A::Error::custom("known"));
                    }
                    "version" | "data" => return Err(A::Error::custom("known")),
                    _ => map.next_value::<IgnoredAny>()?,
                };
            }
            Ok(())
        }
    }

    let mut flat = false;
    // Whatever is wrong is found again, and named, by the reader.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(Keys(&mut flat));
    flat
}

/// Reads and checks all lines; blank ones are passed over.
pub(crate) fn read(text: &str, collector: &mut Collector) -> Result<(), SquadError> {
    let mut shared = Shared::default();
    for (n, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        if let Some(record) = collector.note(record(line, n + 1))? {
            shared.push(record, &format!("line {}: ", n + 1), collector)?;
        }
    }
    Ok(())
}

fn record(text: &str, number: usize) -> Result<Record, SquadError> {
    let Object(line): Object<Line<'_>> =
        serde_json::from_str(text).map_err(|error| refused(text, number, &error))?;
    let Object(answers) = line.answers;
    Ok(Record {
        id: line.id.0.into_owned(),
        title: line
            .title
            .map_or_else(String::new, |title| title.0.into_owned()),
        context: line.context.0.into_owned(),
        question: line.question.0.into_owned(),
        texts: answers
            .text
            .into_iter()
            .map(|text| text.0.into_owned())
            .collect(),
        starts: answers.answer_start,
        is_impossible: line.is_impossible,
    })
}

fn refused(text: &str, number: usize, error: &serde_json::Error) -> SquadError {
    let column = error.column();
    let message = plain(&error.to_string());
    let place = format!(" at line {} column {column}", error.line());
    let reason = message.strip_suffix(&place).unwrap_or(&message).to_owned();
    if error.classify() != Category::Data {
        return SquadError::Json {
            line: number,
            column,
            reason,
        };
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let again = serde_path_to_error::deserialize::<_, Object<Line<'_>>>(&mut json);
    let inner = match &again {
        Err(error) if error.path().iter().len() > 0 => error.path().to_string(),
        _ => String::new(),
    };
    // A text that breaks further on has no tree, and costs the id.
    let tree: Value = serde_json::from_str(text).unwrap_or_default();
    let error = serde::de::Error::custom(reason);
    not_squad(&tree, &format!("line {number}"), ": ", &inner, &error)
}
