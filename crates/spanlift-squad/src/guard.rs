//! What stands between a Parquet file and the crate that reads it: sizes are checked before they are believed, and a panic
//! becomes a refusal. For every reader of Parquet in this house.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::Once;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};

use crate::SquadError;
use crate::pages::{Budget, Column};

/// The longest footer, and so the most columns and row groups, that is read.
const MAX_FOOTER: u64 = 1 << 24;

/// The most that a file may claim.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that the pages of all columns unfold to.
    pub bytes: u64,
    /// Rows, and values of one column of a row group.
    pub values: u64,
}

thread_local! {
    /// Whether a panic of this thread is one that [`contained`] makes nothing of.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What the work gives, and nothing where it panics. Some damaged pages make the `parquet` crate panic (60.1: a slice past
/// its end where levels are cut short). Input must not do that; the message of the panic is kept off standard error. Nothing
/// that the work has touched may be looked at afterwards.
pub fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                others(panic);
            }
        }));
    });
    QUIET.set(true);
    let done = std::panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    done.ok()
}

/// Reads the footer.
///
/// # Errors
///
/// Where it is longer than the file or than is taken, or broken.
pub fn open<R: ChunkReader + 'static>(file: R) -> Result<SerializedFileReader<R>, SquadError> {
    footer(&file)?;
    SerializedFileReader::new(file).map_err(broken)
}

fn broken(error: ParquetError) -> SquadError {
    SquadError::Parquet {
        reason: error.to_string(),
    }
}

fn claim(what: String, limit: u64, got: u64) -> SquadError {
    SquadError::ParquetClaim { what, limit, got }
}

/// The last eight bytes: the footer's length and the magic number.
fn footer(file: &impl ChunkReader) -> Result<(), SquadError> {
    let Some(there) = file.len().checked_sub(8) else {
        return Err(claim("the bytes of the file".to_owned(), file.len(), 8));
    };
    let last = file.get_bytes(there, 8).map_err(broken)?;
    let &[a, b, c, d, ..] = &last[..] else {
        return Err(claim("the bytes of the file".to_owned(), 0, 8));
    };
    let most = there.min(MAX_FOOTER);
    let length = u32::from_le_bytes([a, b, c, d]).into();
    if length > most {
        return Err(claim("the bytes of the footer".to_owned(), most, length));
    }
    Ok(())
}

/// Checks what the footer and the pages claim of the columns that are read: those at whose outermost name `read` says so.
///
/// # Errors
///
/// Where more is claimed than can be there, or than the limits.
pub fn claims<R: ChunkReader + 'static>(
    reader: &SerializedFileReader<R>,
    file: &R,
    limits: Limits,
    read: &dyn Fn(&str) -> bool,
) -> Result<(), SquadError> {
    let mut budget = Budget::new(limits);
    let mut rows = 0_u64;
    for group in reader.metadata().row_groups() {
        let claimed = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
        rows = rows.saturating_add(claimed);
        if rows > limits.values {
            return Err(claim("rows".to_owned(), limits.values, rows));
        }
        for column in group.columns() {
            let path = column.column_path().parts();
            if !path.first().is_some_and(|first| read(first)) {
                continue;
            }
            let name = format!("column {}", path.join("."));
            let pages = pages(column, file)?.ok_or_else(|| SquadError::Parquet {
                reason: format!("{name}: expected its pages inside the file"),
            })?;
            let packing = column.compression();
            let snappy = packing == Compression::SNAPPY;
            if !matches!(
                packing,
                Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_)
            ) {
                return Err(SquadError::Parquet {
                    reason: format!(
                        "{name}: expected it uncompressed, SNAPPY or ZSTD, got {packing}"
                    ),
                });
            }
            let values = budget.take(&Column {
                name: name.clone(),
                pages: &pages,
                snappy,
            })?;
            // Each row has a value in each column, be it null: rows that no page holds would be read for ever.
            if claimed > values {
                return Err(claim(format!("{name}: rows of its group"), values, claimed));
            }
        }
    }
    Ok(())
}

/// The bytes from a column's first page to its last, where the file has them.
fn pages(
    column: &ColumnChunkMetaData,
    file: &impl ChunkReader,
) -> Result<Option<Bytes>, SquadError> {
    let data = column.data_page_offset();
    // As the reader has it.
    let start = column.dictionary_page_offset().unwrap_or(data);
    let place = u64::try_from(start)
        .ok()
        .zip(u64::try_from(column.compressed_size()).ok());
    let inside = |&(start, length): &(u64, u64)| {
        let end = start.checked_add(length);
        end.is_some_and(|end| end <= file.len())
    };
    let Some((start, length)) = place.filter(inside) else {
        return Ok(None);
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    file.get_bytes(start, length).map(Some).map_err(broken)
}
