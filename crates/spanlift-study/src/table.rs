//! A table: every result of a study is one, and CSV, JSON and Parquet are three ways to write it down.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};

use crate::StudyError;

/// One result of a study: named columns of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name, and that of its file: `shares`.
    pub name: &'static str,
    /// What a row is, in a sentence.
    pub about: &'static str,
    /// Its columns, all of the same length.
    pub columns: Vec<Column>,
}

/// A column of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name: `mean`.
    pub name: &'static str,
    /// One value a row.
    pub values: Values,
}

/// The values of a [`Column`]; none is null. Numbers are finite.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Texts.
    Text(Vec<Option<String>>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Other numbers.
    Number(Vec<Option<f64>>),
    /// Yes or no.
    Truth(Vec<Option<bool>>),
}

/// A way to write a [`Table`] down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a heading; null is an empty field.
    Csv,
    /// `{"name", "about", "rows": [{column: value}]}`.
    Json,
    /// Parquet, zstd, every column nullable.
    Parquet,
}

impl Values {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Truth(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a row as JSON; null past the end.
    #[must_use]
    pub fn json(&self, row: usize) -> Value {
        fn at<T: Clone + Into<Value>>(values: &[Option<T>], row: usize) -> Value {
            values
                .get(row)
                .cloned()
                .flatten()
                .map_or(Value::Null, Into::into)
        }
        match self {
            Self::Text(values) => at(values, row),
            Self::Integer(values) => at(values, row),
            Self::Number(values) => at(values, row),
            Self::Truth(values) => at(values, row),
        }
    }

    /// The value of a row as a field of CSV; empty for null.
    fn field(&self, row: usize) -> String {
        match self.json(row) {
            Value::Null => String::new(),
            Value::String(text) => text,
            value => value.to_string(),
        }
    }

    fn node(&self, name: &str) -> Result<TypePtr, ParquetError> {
        let (physical, logical) = match self {
            Self::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Self::Integer(_) => (Physical::INT64, None),
            Self::Number(_) => (Physical::DOUBLE, None),
            Self::Truth(_) => (Physical::BOOLEAN, None),
        };
        let node = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        node.build().map(Arc::new)
    }

    /// Definition levels: 1 where there is a value, 0 for null.
    fn levels(&self) -> Vec<i16> {
        fn of<T>(values: &[Option<T>]) -> Vec<i16> {
            values.iter().map(|v| i16::from(v.is_some())).collect()
        }
        match self {
            Self::Text(values) => of(values),
            Self::Integer(values) => of(values),
            Self::Number(values) => of(values),
            Self::Truth(values) => of(values),
        }
    }

    fn write(&self, column: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.levels();
        let levels = Some(levels.as_slice());
        match (self, column) {
            (Self::Text(values), ColumnWriter::ByteArrayColumnWriter(w)) => {
                let values = values.iter().flatten();
                let values: Vec<ByteArray> = values.map(|v| v.as_str().into()).collect();
                w.write_batch(&values, levels, None)?;
            }
            (Self::Integer(values), ColumnWriter::Int64ColumnWriter(w)) => {
                let values: Vec<i64> = values.iter().flatten().copied().collect();
                w.write_batch(&values, levels, None)?;
            }
            (Self::Number(values), ColumnWriter::DoubleColumnWriter(w)) => {
                let values: Vec<f64> = values.iter().flatten().copied().collect();
                w.write_batch(&values, levels, None)?;
            }
            (Self::Truth(values), ColumnWriter::BoolColumnWriter(w)) => {
                let values: Vec<bool> = values.iter().flatten().copied().collect();
                w.write_batch(&values, levels, None)?;
            }
            _ => return Err(ParquetError::General("a column of another type".to_owned())),
        }
        Ok(())
    }
}

impl Column {
    /// Texts, none of them null.
    pub fn text<S: Into<String>>(name: &'static str, values: impl IntoIterator<Item = S>) -> Self {
        let values = values.into_iter().map(|value| Some(value.into())).collect();
        Self {
            name,
            values: Values::Text(values),
        }
    }

    /// Whole numbers, none of them null.
    pub fn integer(name: &'static str, values: impl IntoIterator<Item = usize>) -> Self {
        Self::integers(name, values.into_iter().map(Some))
    }

    /// Whole numbers.
    pub fn integers(name: &'static str, values: impl IntoIterator<Item = Option<usize>>) -> Self {
        let whole = |value: usize| i64::try_from(value).ok();
        let values = values.into_iter().map(|value| value.and_then(whole));
        Self {
            name,
            values: Values::Integer(values.collect()),
        }
    }

    /// Numbers; one that is not finite is null.
    pub fn number(name: &'static str, values: impl IntoIterator<Item = f64>) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        let values = values.into_iter().map(finite);
        Self {
            name,
            values: Values::Number(values.collect()),
        }
    }

    /// Yes or no.
    pub fn truth(name: &'static str, values: impl IntoIterator<Item = bool>) -> Self {
        let values = values.into_iter().map(Some).collect();
        Self {
            name,
            values: Values::Truth(values),
        }
    }
}

impl Table {
    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Values> {
        let column = self.columns.iter().find(|column| column.name == name);
        column.map(|column| &column.values)
    }

    /// The field of a column and row, as a file of comma-separated values has it; empty for null, and where there is none.
    #[must_use]
    pub fn text(&self, column: &str, row: usize) -> String {
        let values = self.column(column);
        values.map_or_else(String::new, |values| values.field(row))
    }

    /// The number of a column and row; not a number for null, and where there is none.
    #[must_use]
    pub fn number(&self, column: &str, row: usize) -> f64 {
        let value = self.column(column).map(|values| values.json(row));
        value.and_then(|value| value.as_f64()).unwrap_or(f64::NAN)
    }

    /// The rows whose fields are these, as [`text`](Self::text) gives them.
    #[must_use]
    pub fn find(&self, wanted: &[(&str, &str)]) -> Vec<usize> {
        let fits = |row: &usize| {
            let mut wanted = wanted.iter();
            wanted.all(|(column, value)| self.text(column, *row) == *value)
        };
        (0..self.rows()).filter(fits).collect()
    }

    /// The whole table as a file of this format.
    ///
    /// # Errors
    ///
    /// [`StudyError::Write`] where its columns differ in length, or the format's writer fails.
    pub fn write(&self, format: Format) -> Result<Vec<u8>, StudyError> {
        let failed = |reason: String| StudyError::Write {
            table: self.name,
            format: format.name(),
            reason,
        };
        if let Some(odd) = self.columns.iter().find(|c| c.values.len() != self.rows()) {
            return Err(failed(format!(
                "column `{}`: expected {} values, got {}",
                odd.name,
                self.rows(),
                odd.values.len()
            )));
        }
        match format {
            Format::Csv => self.csv().map_err(|error| failed(error.to_string())),
            Format::Json => {
                let mut bytes =
                    serde_json::to_vec(&self.json()).map_err(|e| failed(e.to_string()))?;
                bytes.push(b'\n');
                Ok(bytes)
            }
            Format::Parquet => self.parquet().map_err(|error| failed(error.to_string())),
        }
    }

    fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|column| column.name))?;
        for row in 0..self.rows() {
            writer.write_record(self.columns.iter().map(|c| c.values.field(row)))?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }

    /// `{"name", "about", "rows": [{column: value}]}`.
    #[must_use]
    pub fn json(&self) -> Value {
        let row = |row: usize| -> Map<String, Value> {
            let fields = self.columns.iter();
            fields
                .map(|c| (c.name.to_owned(), c.values.json(row)))
                .collect()
        };
        let rows: Vec<Map<String, Value>> = (0..self.rows()).map(row).collect();
        serde_json::json!({ "name": self.name, "about": self.about, "rows": rows })
    }

    fn parquet(&self) -> Result<Vec<u8>, ParquetError> {
        let nodes: Result<Vec<TypePtr>, ParquetError> =
            self.columns.iter().map(|c| c.values.node(c.name)).collect();
        let schema = Type::group_type_builder("spanlift").with_fields(nodes?);
        let schema = schema.build().map(Arc::new)?;
        let properties = WriterProperties::builder()
            .set_created_by(format!("spanlift version {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(ZstdLevel::default()));
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build()))?;
        let mut group = writer.next_row_group()?;
        for column in &self.columns {
            let next = group.next_column()?;
            let mut next =
                next.ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
            column.values.write(next.untyped())?;
            next.close()?;
        }
        group.close()?;
        writer.into_inner()
    }
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Parquet];

    /// Its name, which is also what its files end in.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    fn table() -> Table {
        Table {
            name: "shares",
            about: "A share.",
            columns: vec![
                Column::text("group", ["a, \"b\"", "c"]),
                Column::integers("cut", [Some(1), None]),
                Column::number("mean", [0.1, f64::NAN]),
                Column::truth("right", [true, false]),
            ],
        }
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_null_empty() {
        let text = String::from_utf8(table().write(Format::Csv).unwrap()).unwrap();
        assert_eq!(
            text,
            "group,cut,mean,right\n\"a, \"\"b\"\"\",1,0.1,true\nc,,,false\n"
        );
    }

    #[test]
    fn json_names_each_value() {
        let value: Value = serde_json::from_slice(&table().write(Format::Json).unwrap()).unwrap();
        assert_eq!(value["name"], "shares");
        assert_eq!(value["rows"][0]["mean"], 0.1);
        assert_eq!(value["rows"][1]["mean"], Value::Null);
        assert_eq!(value["rows"][1]["cut"], Value::Null);
    }

    #[test]
    fn parquet_reads_back() {
        let bytes = table().write(Format::Parquet).unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let rows: Vec<_> = reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get_string(0).unwrap(), "a, \"b\"");
        assert_eq!(rows[0].get_long(1).unwrap(), 1);
        assert_eq!(rows[0].get_double(2).unwrap(), 0.1);
        assert!(rows[0].get_bool(3).unwrap());
        assert!(rows[1].get_long(1).is_err(), "null");
        assert!(rows[1].get_double(2).is_err(), "null");
        assert!(!rows[1].get_bool(3).unwrap());
    }

    #[test]
    fn fields_are_found_by_what_they_are() {
        let table = table();
        assert_eq!(table.text("group", 0), "a, \"b\"");
        assert_eq!(
            (table.text("cut", 1), table.text("right", 1)),
            (String::new(), "false".to_owned())
        );
        assert_eq!(table.number("mean", 0), 0.1);
        assert_eq!(table.number("cut", 0), 1.0);
        assert!(table.number("mean", 1).is_nan() && table.number("none", 0).is_nan());
        assert!(table.number("mean", 2).is_nan() && table.text("group", 2).is_empty());
        assert_eq!(table.find(&[("right", "false"), ("group", "c")]), [1]);
        assert_eq!(
            table.find(&[("cut", "1"), ("group", "c")]),
            [] as [usize; 0]
        );
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let mut table = table();
        table.columns.push(Column::integer("rank", [1]));
        for format in Format::ALL {
            let error = table.write(format).unwrap_err().to_string();
            assert!(
                error.contains("column `rank`: expected 2 values, got 1"),
                "{error}"
            );
            assert!(error.contains(format.name()), "{error}");
        }
    }
}
