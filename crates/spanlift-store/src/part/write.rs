//! Rows to the bytes of a part.
//!
//! Scores hardly repeat: their bytes are split by significance (BYTE_STREAM_SPLIT), which zstd packs best, without a
//! dictionary. Texts, offsets and ids repeat within a chunk, a passage for each of its questions: they have one.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, Type as Physical, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::{ChunkInfo, NOTE, columns};
use crate::{Keep, Record};

/// Of 1 to 22: higher levels gain a per cent on scores, and take their time.
const LEVEL: i32 = 3;

/// The schema of a run that keeps these.
pub(super) fn schema(keep: Keep) -> Result<TypePtr> {
    let nodes: Result<Vec<TypePtr>> = columns(keep)
        .iter()
        .map(|column| column.node().map(Arc::new))
        .collect();
    let schema = Type::group_type_builder("spanlift").with_fields(nodes?);
    schema.build().map(Arc::new)
}

/// The bytes of a part: nothing but these rows, this note and the version of the program decide them.
pub(crate) fn encode(records: &[Record], info: &ChunkInfo, keep: Keep) -> Result<Vec<u8>> {
    let schema = schema(keep)?;
    let note = serde_json::to_string(info)
        .map_err(|error| ParquetError::General(format!("the chunk's note: {error}")))?;
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("spanlift version {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_max_row_group_row_count(None)
        .set_key_value_metadata(Some(vec![KeyValue::new(NOTE.to_owned(), note)]));
    for column in SchemaDescriptor::new(Arc::clone(&schema)).columns() {
        let path = column.path().clone();
        if matches!(column.physical_type(), Physical::FLOAT | Physical::DOUBLE) {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::BYTE_STREAM_SPLIT);
        }
        // Where a query can pass over a part: by a column of one value a row.
        if column.max_rep_level() == 0 {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::Chunk);
        }
    }
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build()))?;
    if !records.is_empty() {
        let mut group = writer.next_row_group()?;
        for column in columns(keep) {
            let next = group.next_column()?;
            let next = next.ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
            column.write(records, next)?;
        }
        group.close()?;
    }
    writer.into_inner()
}
