//! A table as the page reads it: by columns, each in whichever way is short.
//!
//! ```text
//! {"name", "kind", "values": [value, …]}
//! {"name", "kind", "runs": [value, count, value, count, …]}
//! ```
//!
//! and for texts that repeat a `"dict"`, of which a value is then a place. Numbers have six significant digits.

use serde::Serialize;
use serde_json::Value;

use crate::StudyError;
use crate::table::{Column, Table, Values};

/// Significant digits of a number.
const DIGITS: usize = 6;

#[derive(Serialize)]
pub(crate) struct Columns<'a> {
    name: &'a str,
    about: &'a str,
    rows: usize,
    columns: Vec<Short<'a>>,
}

#[derive(Serialize)]
struct Short<'a> {
    name: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dict: Option<Vec<&'a str>>,
    #[serde(flatten)]
    written: Written,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Written {
    Values(Vec<Value>),
    Runs(Vec<Value>),
}

impl<'a> Columns<'a> {
    pub(crate) fn of(table: &'a Table) -> Result<Self, StudyError> {
        let rows = table.rows();
        if let Some(odd) = table.columns.iter().find(|c| c.values.len() != rows) {
            return Err(StudyError::Write {
                table: table.name,
                format: "html",
                reason: format!(
                    "column `{}`: expected {rows} values, got {}",
                    odd.name,
                    odd.values.len()
                ),
            });
        }
        Ok(Self {
            name: table.name,
            about: table.about,
            rows,
            columns: table.columns.iter().map(Short::of).collect(),
        })
    }
}

impl<'a> Short<'a> {
    fn of(column: &'a Column) -> Self {
        let (kind, dict, values) = match &column.values {
            Values::Text(texts) => {
                let (dict, values) = dictionary(texts);
                ("text", dict, values)
            }
            Values::Integer(_) => ("integer", None, plain(&column.values)),
            Values::Truth(_) => ("truth", None, plain(&column.values)),
            Values::Number(numbers) => {
                let numbers = numbers.iter();
                let short = |x: &Option<f64>| x.map_or(Value::Null, |x| Value::from(rounded(x)));
                ("number", None, numbers.map(short).collect())
            }
        };
        Self {
            name: column.name,
            kind,
            dict,
            written: Written::of(values),
        }
    }
}

impl Written {
    fn of(values: Vec<Value>) -> Self {
        let runs: Vec<&[Value]> = values.chunk_by(|a, b| a == b).collect();
        if 2 * runs.len() >= values.len() {
            return Self::Values(values);
        }
        let runs = runs.into_iter();
        Self::Runs(
            runs.flat_map(|run| [run[0].clone(), run.len().into()])
                .collect(),
        )
    }
}

fn plain(values: &Values) -> Vec<Value> {
    (0..values.len()).map(|row| values.json(row)).collect()
}

/// The different texts in order of appearance, and each row's place among them; the texts themselves where hardly one repeats.
fn dictionary(texts: &[Option<String>]) -> (Option<Vec<&str>>, Vec<Value>) {
    let mut dict = super::Once::new();
    let places: Vec<Value> = texts
        .iter()
        .map(|text| {
            text.as_deref()
                .map_or(Value::Null, |text| dict.place(text).into())
        })
        .collect();
    if 2 * dict.values.len() <= texts.len() {
        return (Some(dict.values), places);
    }
    let texts = texts.iter().map(|text| text.clone().into()).collect();
    (None, texts)
}

/// To six significant digits.
fn rounded(x: f64) -> f64 {
    format!("{x:.*e}", DIGITS - 1).parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(column: Column) -> Value {
        serde_json::to_value(Short::of(&column)).unwrap()
    }

    #[test]
    fn each_column_is_short() {
        let words = ["a", "a", "a", "b", "b", "b"];
        assert_eq!(
            written(Column::text("group", words)),
            serde_json::json!({"name": "group", "kind": "text", "dict": ["a", "b"], "runs": [0, 3, 1, 3]})
        );
        assert_eq!(
            written(Column::text("id", ["x", "y"])),
            serde_json::json!({"name": "id", "kind": "text", "values": ["x", "y"]})
        );
        assert_eq!(
            written(Column::number(
                "mean",
                [1.0 / 3.0, f64::NAN, 1.234_567_89e-7]
            )),
            serde_json::json!({"name": "mean", "kind": "number", "values": [0.333_333, null, 1.234_57e-7]})
        );
        assert_eq!(
            written(Column::integers("k", [None, None, None, Some(7)])),
            serde_json::json!({"name": "k", "kind": "integer", "values": [null, null, null, 7]})
        );
        assert_eq!(
            written(Column::truth("right", [true; 5])),
            serde_json::json!({"name": "right", "kind": "truth", "runs": [true, 5]})
        );
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let table = Table {
            name: "k",
            about: "",
            columns: vec![Column::integer("k", [1, 2]), Column::number("x", [0.5])],
        };
        let Err(error) = Columns::of(&table) else {
            panic!("refused");
        };
        assert_eq!(
            error.to_string(),
            "table `k` cannot be written as html: column `x`: expected 2 values, got 1"
        );
    }
}
