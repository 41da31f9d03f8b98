//! The JSON layout of SQuAD 1.1 and 2.0: `data` > `paragraphs` > `qas` > `answers`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::check::{Collector, Passage};
use crate::error::plain;
use crate::{GoldAnswer, Question, SquadError, loose};

// Texts are borrowed from the file where there is no escape in them. Every list element costs the file more
// than a few bytes, since arrays and empty objects are refused as they come: these structures stay within
// three times the text, whatever the text is.

#[derive(Deserialize)]
struct File<'a> {
    version: Option<Version>,
    #[serde(borrow)]
    data: Vec<Object<Article<'a>>>,
}

#[derive(Deserialize)]
struct Article<'a> {
    #[serde(borrow)]
    title: Option<Text<'a>>,
    paragraphs: Vec<Object<Paragraph<'a>>>,
}

#[derive(Deserialize)]
struct Paragraph<'a> {
    #[serde(borrow)]
    context: Text<'a>,
    qas: Vec<Object<Record<'a>>>,
}

#[derive(Deserialize)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    question: Text<'a>,
    answers: Vec<Object<Answer<'a>>>,
    #[serde(default)]
    is_impossible: bool,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    text: Text<'a>,
    answer_start: usize,
}

#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A structure written as an object; a derived one alone would also take an array of its fields.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// The file's version: a string in SQuAD, a number in some of its relatives.
pub(crate) struct Version(pub(crate) String);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = String;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
                Ok(text.to_owned())
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
                Ok(number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
                Ok(format!("{number:?}"))
            }
        }

        deserializer.deserialize_any(Written).map(Self)
    }
}

/// A question's place in the file, as its fields begin: `data[3].paragraphs[0].qas[2].`.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) article: usize,
    pub(crate) paragraph: usize,
    pub(crate) question: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            article,
            paragraph,
            question,
        } = self;
        write!(
            f,
            "data[{article}].paragraphs[{paragraph}].qas[{question}]."
        )
    }
}

/// Reads and checks a whole file; gives its version.
pub(crate) fn read(text: &str, collector: &mut Collector) -> Result<Option<String>, SquadError> {
    let Object(file): Object<File<'_>> = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(error) if collector.skips() && error.classify() == Category::Data => {
            return loose::read(text, collector);
        }
        Err(error) => return Err(refused(text, &error)),
    };
    for (article, Object(entry)) in file.data.into_iter().enumerate() {
        let title: Arc<str> = entry.title.map_or("".into(), |title| title.0.into());
        for (paragraph, Object(entry)) in entry.paragraphs.into_iter().enumerate() {
            let at = format_args!("data[{article}].paragraphs[{paragraph}].context");
            let Some(passage) = collector.note(Passage::new(&entry.context.0, at))? else {
                continue;
            };
            for (question, Object(record)) in entry.qas.into_iter().enumerate() {
                let place = Place {
                    article,
                    paragraph,
                    question,
                };
                collector.push(record.question(&title, &passage), &passage, place)?;
            }
        }
    }
    Ok(file.version.map(|version| version.0))
}

impl Record<'_> {
    pub(crate) fn question(self, title: &Arc<str>, passage: &Passage) -> Question {
        let answers = self.answers.into_iter().map(|Object(answer)| GoldAnswer {
            text: answer.text.0.into_owned(),
            start: answer.answer_start,
        });
        Question {
            id: self.id.0.into_owned(),
            title: Arc::clone(title),
            question: self.question.0.into_owned(),
            context: passage.context(),
            answers: answers.collect(),
            is_impossible: self.is_impossible,
        }
    }
}

/// Says what serde did not like. Only here, where reading has failed, the text is gone through again for the
/// field and the id.
fn refused(text: &str, error: &serde_json::Error) -> SquadError {
    let (line, column) = (error.line(), error.column());
    let message = plain(&error.to_string());
    if error.classify() != Category::Data {
        let place = format!(" at line {line} column {column}");
        let reason = message.strip_suffix(&place).unwrap_or(&message).to_owned();
        return SquadError::Json {
            line,
            column,
            reason,
        };
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let again = serde_path_to_error::deserialize::<_, Object<File<'_>>>(&mut json);
    let (id, parent) = match &again {
        Err(error) if error.path().iter().len() > 0 => {
            (id_at(text, error.path()), Some(error.path().to_string()))
        }
        _ => (None, None),
    };
    // serde names a missing field in the message, and its parent in the path.
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'));
    let field = match (parent, missing) {
        (Some(parent), Some((name, _))) => format!("{parent}.{name}"),
        (None, Some((name, _))) => name.to_owned(),
        (Some(field), None) => field,
        (None, None) => "the file".to_owned(),
    };
    SquadError::NotSquad {
        id,
        field,
        reason: message,
    }
}

/// The id of the question that a path leads into, as far as it can be read.
fn id_at(text: &str, path: &Path) -> Option<String> {
    // The ids alone. Where another fault lies in the way, the field has to do without its id.
    #[derive(Deserialize)]
    struct Ids<'a> {
        #[serde(borrow)]
        data: Vec<Object<Paragraphs<'a>>>,
    }
    #[derive(Deserialize)]
    struct Paragraphs<'a> {
        #[serde(borrow)]
        paragraphs: Vec<Object<Qas<'a>>>,
    }
    #[derive(Deserialize)]
    struct Qas<'a> {
        #[serde(borrow)]
        qas: Vec<Object<Id<'a>>>,
    }
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow)]
        id: Text<'a>,
    }
    let mut indices = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(*index),
        _ => None,
    });
    let (article, paragraph, question) = (indices.next()?, indices.next()?, indices.next()?);
    let Object(ids): Object<Ids<'_>> = serde_json::from_str(text).ok()?;
    let paragraphs = &ids.data.get(article)?.0.paragraphs;
    let record = &paragraphs.get(paragraph)?.0.qas.get(question)?.0;
    Some(record.id.0.clone().into_owned())
}
