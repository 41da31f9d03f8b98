//! The fields of a JSON file, each read with what was expected and what was got.

use serde_json::{Map, Value};

use super::Problem;

/// The fields of one file.
pub(super) struct Fields {
    file: &'static str,
    map: Map<String, Value>,
}

/// `bytes` as text.
pub(super) fn utf8<'a>(
    file: &'static str,
    bytes: &'a [u8],
    problems: &mut Vec<Problem>,
) -> Option<&'a str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let offset = error.valid_up_to();
            problems.push(Problem::NotUtf8 { file, offset });
            None
        }
    }
}

/// What the parser said about a file that is not JSON.
pub(super) fn not_json(file: &'static str, error: &serde_json::Error) -> Problem {
    let place = format!(" at line {} column {}", error.line(), error.column());
    Problem::NotJson {
        file,
        line: error.line(),
        column: error.column(),
        reason: error.to_string().replace(&place, ""),
    }
}

impl Fields {
    /// The object that the file holds.
    pub(super) fn parse(
        file: &'static str,
        bytes: &[u8],
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        match serde_json::from_str(utf8(file, bytes, problems)?) {
            Ok(Value::Object(map)) => Some(Self { file, map }),
            Ok(other) => {
                let got = describe(&other);
                problems.push(Problem::NotAnObject { file, got });
                None
            }
            Err(error) => {
                problems.push(not_json(file, &error));
                None
            }
        }
    }

    /// Forgets a field.
    pub(super) fn remove(&mut self, field: &str) {
        self.map.remove(field);
    }

    /// The field's value; `null` is as good as none.
    pub(super) fn get(&self, field: &str) -> Option<&Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    /// That the field is missing or holds something else than `expected`.
    pub(super) fn wrong(&self, field: &'static str, expected: impl Into<String>) -> Problem {
        let (file, expected) = (self.file, expected.into());
        match self.map.get(field) {
            None => Problem::MissingField {
                file,
                field,
                expected,
            },
            Some(value) => Problem::Field {
                file,
                field,
                expected,
                got: describe(value),
            },
        }
    }

    /// A whole number from `least` to `most`; `None` with a problem where it is not one.
    pub(super) fn size(
        &self,
        field: &'static str,
        default: Option<usize>,
        (least, most): (usize, usize),
        problems: &mut Vec<Problem>,
    ) -> Option<usize> {
        if !self.map.contains_key(field) && default.is_some() {
            return default;
        }
        let size = self
            .get(field)
            .and_then(Value::as_u64)
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| (least..=most).contains(size));
        if size.is_none() {
            problems.push(self.wrong(field, format!("a whole number from {least} to {most}")));
        }
        size
    }

    /// `true` or `false`; `None` where there is no such field or (with a problem) it holds something else.
    pub(super) fn flag(&self, field: &'static str, problems: &mut Vec<Problem>) -> Option<bool> {
        let value = self.get(field)?;
        if !value.is_boolean() {
            problems.push(self.wrong(field, "true or false"));
        }
        value.as_bool()
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields.map)
    }
}

/// A value, short enough for a message.
pub(super) fn describe(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Null => String::from("null"),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.chars().count() > LONGEST => {
            format!("`{}…`", text.chars().take(LONGEST).collect::<String>())
        }
        Value::String(text) => format!("`{text}`"),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => String::from("an object"),
    }
}
