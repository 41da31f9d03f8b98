//! The flat layout as Parquet: a row is a record, `answers` a structure of the lists `text` and `answer_start`.
//!
//! The `parquet` crate reads it, uncompressed, Snappy or zstd inside, as `datasets`, pandas and polars write it. What
//! the file claims of its sizes is checked before, in [`guard`].

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{ConvertedType, Repetition};
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::record::{Field, List, Row};
use parquet::schema::types::Type;

use crate::check::Collector;
use crate::flat::{Record, Shared};
use crate::guard::{self, Limits, contained};
use crate::{MAX_BYTES, SquadError};

/// The first and the last four bytes.
const MAGIC: &[u8; 4] = b"PAR1";

/// The most that a file may claim.
const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    values: 1 << 24,
};

/// The columns that are needed, and one that a file may have.
const NEEDED: [&str; 4] = ["id", "context", "question", "answers"];
const MORE: [&str; 2] = ["title", "is_impossible"];

pub(crate) fn is_parquet(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads and checks all rows.
pub(crate) fn read(bytes: Vec<u8>, collector: &mut Collector) -> Result<(), SquadError> {
    contained(|| rows(bytes, collector)).unwrap_or_else(|| {
        Err(SquadError::Parquet {
            reason: "a page is damaged".to_owned(),
        })
    })
}

fn rows(bytes: Vec<u8>, collector: &mut Collector) -> Result<(), SquadError> {
    let bytes = Bytes::from(bytes);
    let reader = guard::open(bytes.clone())?;
    let schema = reader.metadata().file_metadata().schema();
    let columns = columns(schema)?;
    let read = |name: &str| NEEDED.iter().chain(&MORE).any(|read| *read == name);
    guard::claims(&reader, &bytes, LIMITS, &read)?;
    let projection = Type::group_type_builder(schema.name())
        .with_fields(columns)
        .build()
        .map_err(broken)?;
    let mut shared = Shared::default();
    let rows = reader.get_row_iter(Some(projection)).map_err(broken)?;
    for (n, row) in rows.enumerate() {
        let row = row.map_err(broken)?;
        let place = format!("row {}: ", n + 1);
        if let Some(record) = collector.note(record(&row, &place))? {
            shared.push(record, &place, collector)?;
        }
    }
    Ok(())
}

fn broken(error: ParquetError) -> SquadError {
    SquadError::Parquet {
        reason: error.to_string(),
    }
}

/// The columns that are read, of the shape that is read.
fn columns(schema: &Type) -> Result<Vec<Arc<Type>>, SquadError> {
    let find = |name: &str| {
        schema
            .get_fields()
            .iter()
            .find(|field| field.name() == name)
    };
    let mut found = Vec::new();
    for name in NEEDED {
        let column = find(name).ok_or_else(|| mistyped(name, "a column of this name", "none"))?;
        let good = match name {
            "answers" => is_answers(column),
            _ => is_plain(column),
        };
        if !good {
            let expected = match name {
                "answers" => "a structure of the lists text and answer_start",
                _ => "a column of strings",
            };
            return Err(mistyped(name, expected, &shape(column)));
        }
        found.push(Arc::clone(column));
    }
    for name in MORE {
        if let Some(column) = find(name) {
            if !is_plain(column) {
                return Err(mistyped(name, "a plain column", &shape(column)));
            }
            found.push(Arc::clone(column));
        }
    }
    Ok(found)
}

fn mistyped(field: &str, expected: &str, got: &str) -> SquadError {
    SquadError::NotSquad {
        id: None,
        field: field.to_owned(),
        reason: format!("expected {expected}, got {got}"),
    }
}

fn shape(column: &Type) -> String {
    if column.is_primitive() {
        return format!("{}", column.get_physical_type());
    }
    let fields = column.get_fields().iter().map(|field| field.name());
    format!("a structure of {}", fields.collect::<Vec<_>>().join(", "))
}

fn is_repeated(column: &Type) -> bool {
    let info = column.get_basic_info();
    !info.has_repetition() || info.repetition() == Repetition::REPEATED
}

/// One value a row.
fn is_plain(column: &Type) -> bool {
    column.is_primitive() && !is_repeated(column)
}

fn is_answers(column: &Type) -> bool {
    !column.is_primitive()
        && !is_repeated(column)
        && column.get_basic_info().converted_type() == ConvertedType::NONE
        && ["text", "answer_start"].iter().all(|name| {
            let mut lists = column
                .get_fields()
                .iter()
                .filter(|list| list.name() == *name);
            lists.next().is_some_and(|list| is_list(list)) && lists.next().is_none()
        })
        && column.get_fields().len() == 2
}

/// A list of the three levels that the format prescribes (`LogicalTypes.md` of apache/parquet-format).
fn is_list(list: &Type) -> bool {
    if list.is_primitive() || is_repeated(list) {
        return false;
    }
    let [repeated] = list.get_fields() else {
        return false;
    };
    list.get_basic_info().converted_type() == ConvertedType::LIST
        && !repeated.is_primitive()
        && repeated.get_basic_info().has_repetition()
        && repeated.get_basic_info().repetition() == Repetition::REPEATED
        && matches!(repeated.get_fields(), [element] if is_plain(element))
}

fn record(row: &Row, place: &str) -> Result<Record, SquadError> {
    let mut record = Record::default();
    let id = row.get_column_iter().find(|(name, _)| *name == "id");
    let id = match id {
        Some((_, Field::Str(id))) => Some(id.clone()),
        _ => None,
    };
    for (name, value) in row.get_column_iter() {
        let wrong = |inner: &str, expected: &str, got: &Field| SquadError::NotSquad {
            id: id.clone(),
            field: format!("{place}{name}{inner}"),
            reason: format!("expected {expected}, got {}", kind(got)),
        };
        let text = match name.as_str() {
            "id" => &mut record.id,
            "title" => &mut record.title,
            "context" => &mut record.context,
            "question" => &mut record.question,
            "is_impossible" => {
                record.is_impossible = match value {
                    Field::Null => None,
                    Field::Bool(is) => Some(*is),
                    other => return Err(wrong("", "a boolean", other)),
                };
                continue;
            }
            _ => {
                let Field::Group(answers) = value else {
                    return Err(wrong("", "a structure", value));
                };
                for (part, value) in answers.get_column_iter() {
                    let Field::ListInternal(list) = value else {
                        return Err(wrong(&format!(".{part}"), "a list", value));
                    };
                    let element = |at: usize, expected: &str, got: &Field| {
                        wrong(&format!(".{part}[{at}]"), expected, got)
                    };
                    if part == "text" {
                        record.texts = texts(list, element)?;
                    } else {
                        record.starts = starts(list, element)?;
                    }
                }
                continue;
            }
        };
        match value {
            Field::Str(value) => text.clone_from(value),
            Field::Null if name == "title" => {}
            other => return Err(wrong("", "a string", other)),
        }
    }
    Ok(record)
}

fn texts(
    list: &List,
    wrong: impl Fn(usize, &str, &Field) -> SquadError,
) -> Result<Vec<String>, SquadError> {
    let text = |(at, field): (usize, &Field)| match field {
        Field::Str(text) => Ok(text.clone()),
        other => Err(wrong(at, "a string", other)),
    };
    list.elements().iter().enumerate().map(text).collect()
}

fn starts(
    list: &List,
    wrong: impl Fn(usize, &str, &Field) -> SquadError,
) -> Result<Vec<usize>, SquadError> {
    let start = |(at, field): (usize, &Field)| {
        let start = match *field {
            Field::Byte(n) => usize::try_from(n).ok(),
            Field::Short(n) => usize::try_from(n).ok(),
            Field::Int(n) => usize::try_from(n).ok(),
            Field::Long(n) => usize::try_from(n).ok(),
            Field::UByte(n) => Some(n.into()),
            Field::UShort(n) => Some(n.into()),
            Field::UInt(n) => usize::try_from(n).ok(),
            Field::ULong(n) => usize::try_from(n).ok(),
            _ => None,
        };
        start.ok_or_else(|| wrong(at, "a whole number of at least 0", field))
    };
    list.elements().iter().enumerate().map(start).collect()
}

/// What a value is, in short.
fn kind(field: &Field) -> String {
    match field {
        Field::Null => "null".to_owned(),
        Field::Str(_) => "a string".to_owned(),
        Field::Bytes(_) => "bytes that are no string".to_owned(),
        Field::Group(_) => "a structure".to_owned(),
        Field::ListInternal(_) | Field::MapInternal(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}
