//! Rows of a comparison: one number of one question under one method.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Row as Read, RowAccessor};

use crate::StudyError;
use crate::table::{Column, Format, Table, Values};

/// One number of one question under one method.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The question's id.
    pub id: String,
    /// The number of its passage among those of the run.
    pub passage: usize,
    /// What the question asks for.
    pub question_type: String,
    /// The model gives an answer.
    pub answered: bool,
    /// The data set has one.
    pub answerable: bool,
    /// Exact match.
    pub exact: bool,
    /// The method.
    pub method: String,
    /// What was measured.
    pub metric: String,
    /// Against which other method.
    pub other: Option<String>,
    /// How words were taken away: `mask`, `delete`.
    pub removal: Option<String>,
    /// Per cent of the words.
    pub at: Option<usize>,
    /// The number; none where there is none, as the correlation of scores that are all alike.
    pub value: Option<f64>,
}

/// The columns, in order.
const COLUMNS: [&str; 12] = [
    "id",
    "passage",
    "question_type",
    "answered",
    "answerable",
    "exact",
    "method",
    "metric",
    "other",
    "removal",
    "at",
    "value",
];

/// The table `rows`.
#[must_use]
pub(crate) fn table(rows: &[Row]) -> Table {
    let text = |name, of: fn(&Row) -> Option<String>| Column {
        name,
        values: Values::Text(rows.iter().map(of).collect()),
    };
    Table {
        name: "rows",
        about: "One number of one question under one method.",
        columns: vec![
            text("id", |r| Some(r.id.clone())),
            Column::integer("passage", rows.iter().map(|r| r.passage)),
            text("question_type", |r| Some(r.question_type.clone())),
            Column::truth("answered", rows.iter().map(|r| r.answered)),
            Column::truth("answerable", rows.iter().map(|r| r.answerable)),
            Column::truth("exact", rows.iter().map(|r| r.exact)),
            text("method", |r| Some(r.method.clone())),
            text("metric", |r| Some(r.metric.clone())),
            text("other", |r| r.other.clone()),
            text("removal", |r| r.removal.clone()),
            Column::integers("at", rows.iter().map(|r| r.at)),
            Column::number("value", rows.iter().map(|r| r.value.unwrap_or(f64::NAN))),
        ],
    }
}

/// The bytes of a part.
pub(crate) fn encode(rows: &[Row]) -> Result<Vec<u8>, StudyError> {
    table(rows).write(Format::Parquet)
}

/// The rows of a file; none where it is not there.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>, StudyError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            let path = path.to_owned();
            return Err(StudyError::Io {
                action: "read",
                path,
                source,
            });
        }
    };
    decode(bytes).map_err(|error| StudyError::DamagedPart {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// The rows of a part.
fn decode(bytes: Vec<u8>) -> Result<Vec<Row>, ParquetError> {
    let reader = SerializedFileReader::new(Bytes::from(bytes))?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let names: Vec<&str> = schema
        .columns()
        .iter()
        .map(|column| column.name())
        .collect();
    if names != COLUMNS {
        return Err(ParquetError::General(format!(
            "expected the columns {}, got {}",
            COLUMNS.join(", "),
            names.join(", ")
        )));
    }
    reader
        .get_row_iter(None)?
        .map(|row| Row::read(&row?))
        .collect()
}

impl Row {
    fn read(row: &Read) -> Result<Self, ParquetError> {
        let text = |i: usize| row.get_string(i).cloned();
        let whole = |i: usize| -> Result<usize, ParquetError> {
            let number = row.get_long(i)?;
            usize::try_from(number)
                .map_err(|_| ParquetError::General(format!("{}: got {number}", COLUMNS[i])))
        };
        // A null is read as a value of another type.
        let is_null = |i: usize| {
            row.get_column_iter()
                .nth(i)
                .is_none_or(|(_, field)| *field == parquet::record::Field::Null)
        };
        Ok(Self {
            id: text(0)?,
            passage: whole(1)?,
            question_type: text(2)?,
            answered: row.get_bool(3)?,
            answerable: row.get_bool(4)?,
            exact: row.get_bool(5)?,
            method: text(6)?,
            metric: text(7)?,
            other: (!is_null(8)).then(|| text(8)).transpose()?,
            removal: (!is_null(9)).then(|| text(9)).transpose()?,
            at: (!is_null(10)).then(|| whole(10)).transpose()?,
            value: (!is_null(11)).then(|| row.get_double(11)).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let full = Row {
            id: "q".to_owned(),
            passage: 3,
            question_type: "who".to_owned(),
            answered: true,
            answerable: false,
            exact: true,
            method: "deeplift".to_owned(),
            metric: "deletion".to_owned(),
            other: Some("lrp".to_owned()),
            removal: Some("mask".to_owned()),
            at: Some(50),
            value: Some(-0.25),
        };
        let empty = Row {
            other: None,
            removal: None,
            at: None,
            value: None,
            exact: false,
            ..full.clone()
        };
        let rows = vec![full, empty];
        assert_eq!(decode(encode(&rows).unwrap()).unwrap(), rows);
        assert!(decode(b"PAR1".to_vec()).is_err());
        let other = Table {
            name: "x",
            about: "",
            columns: vec![Column::text("id", ["a"])],
        };
        let error = decode(other.write(Format::Parquet).unwrap()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("expected the columns id, passage, "),
            "{error}"
        );
    }
}
