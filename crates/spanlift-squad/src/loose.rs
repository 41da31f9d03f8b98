//! The JSON layout of SQuAD once more, part by part, for a file that is not all of that layout: what is wrong in one
//! record is noted, and the rest is read.
//!
//! Only a file that the strict reader refused comes here, and only where bad records are to be passed over: it is held
//! as a tree, which takes up to sixteen times the text in memory.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::SquadError;
use crate::check::{Collector, Passage};
use crate::error::plain;
use crate::json::{Object, Place, Record, Text, Version};

#[derive(Deserialize)]
struct File {
    version: Option<Version>,
    data: Vec<Value>,
}

#[derive(Deserialize)]
struct Article {
    title: Option<String>,
    paragraphs: Vec<Value>,
}

#[derive(Deserialize)]
struct Paragraph<'a> {
    #[serde(borrow)]
    context: Text<'a>,
    qas: Vec<Value>,
}

/// Reads what there is to be read; gives the file's version.
pub(crate) fn read(text: &str, collector: &mut Collector) -> Result<Option<String>, SquadError> {
    let tree: Value = serde_json::from_str(text).map_err(|error| SquadError::Json {
        line: error.line(),
        column: error.column(),
        reason: error.to_string(),
    })?;
    // Without these there is no record to be passed over.
    let file: File = part(&tree, "")?;
    for (article, entry) in file.data.iter().enumerate() {
        let read = part::<Article>(entry, &format!("data[{article}]"));
        let Some(entry) = collector.note(read)? else {
            continue;
        };
        let title: Arc<str> = entry.title.unwrap_or_default().into();
        for (paragraph, entry) in entry.paragraphs.iter().enumerate() {
            let at = format!("data[{article}].paragraphs[{paragraph}]");
            let read = part::<Paragraph<'_>>(entry, &at).and_then(|entry| {
                let passage = Passage::new(&entry.context.0, format_args!("{at}.context"))?;
                Ok((passage, entry.qas))
            });
            let Some((passage, qas)) = collector.note(read)? else {
                continue;
            };
            for (question, entry) in qas.iter().enumerate() {
                let read = part::<Record<'_>>(entry, &format!("{at}.qas[{question}]"));
                if let Some(record) = collector.note(read)? {
                    let place = Place {
                        article,
                        paragraph,
                        question,
                    };
                    collector.push(record.question(&title, &passage), &passage, place)?;
                }
            }
        }
    }
    Ok(file.version.map(|version| version.0))
}

/// One part of the tree, whose place is `at`.
fn part<'de, T: Deserialize<'de>>(tree: &'de Value, at: &str) -> Result<T, SquadError> {
    serde_path_to_error::deserialize::<_, Object<T>>(tree)
        .map(|Object(part)| part)
        .map_err(|error| {
            let path = error.path();
            let inner = if path.iter().len() > 0 {
                path.to_string()
            } else {
                String::new()
            };
            not_squad(tree, at, ".", &inner, &error.into_inner())
        })
}

/// What serde did not like in the record `tree`, with the record's id where that is a text.
pub(crate) fn not_squad(
    tree: &Value,
    at: &str,
    separator: &str,
    inner: &str,
    error: &serde_json::Error,
) -> SquadError {
    let reason = plain(&error.to_string());
    // serde names a missing field in the message, and its parent in the path.
    let missing = reason
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'));
    let mut field = at.to_owned();
    let steps = [inner, missing.map_or("", |(name, _)| name)];
    let steps = steps.into_iter().filter(|step| !step.is_empty());
    for (n, step) in steps.enumerate() {
        if !field.is_empty() {
            field.push_str(if n == 0 { separator } else { "." });
        }
        field.push_str(step);
    }
    SquadError::NotSquad {
        id: tree.get("id").and_then(Value::as_str).map(str::to_owned),
        field,
        reason,
    }
}
