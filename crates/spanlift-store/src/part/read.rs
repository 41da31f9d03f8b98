//! The bytes of a part to rows. What a file claims is checked before it is believed.

use std::fs::File;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use spanlift_squad::guard::{self, Limits, contained};

use super::write::schema;
use super::{ChunkInfo, NOTE, columns};
use crate::files::failed;
use crate::{Plan, Record, StoreError};

/// The largest part, as a file and unpacked: 1,024 questions of 512 tokens through 24 layers of 16 heads have 0.9 GiB.
const LIMITS: Limits = Limits {
    bytes: 1 << 31,
    values: 1 << 29,
};

type Reader = SerializedFileReader<File>;

/// What the part says of its chunk.
pub(crate) fn info(path: &Path, plan: &Plan, chunk: usize) -> Result<ChunkInfo, StoreError> {
    with(path, plan, chunk, |_, info| Ok(info))
}

/// All rows of a part.
pub(crate) fn rows(path: &Path, plan: &Plan, chunk: usize) -> Result<Vec<Record>, StoreError> {
    some(path, plan, chunk, &|_| true).map(|(rows, _)| rows)
}

/// The rows of a part with those of their columns that `wanted` says, and what it says of its chunk.
pub(crate) fn some(
    path: &Path,
    plan: &Plan,
    chunk: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<(Vec<Record>, ChunkInfo), StoreError> {
    with(path, plan, chunk, |reader, info| {
        Ok((read(reader, plan, info.rows, wanted)?, info))
    })
}

/// Opens the part, and holds it against the plan.
fn with<T>(
    path: &Path,
    plan: &Plan,
    chunk: usize,
    work: impl FnOnce(&(Reader, File), ChunkInfo) -> Result<T, String>,
) -> Result<T, StoreError> {
    let open = || {
        let file = File::open(path)?;
        Ok((file.try_clone()?, file))
    };
    let (file, same) = open().map_err(failed("read", path))?;
    let work = || {
        let reader = guard::open(file).map_err(text)?;
        let info = note(&reader, plan, chunk)?;
        work(&(reader, same), info)
    };
    let done = contained(work).unwrap_or_else(|| Err("a page is damaged".to_owned()));
    done.map_err(|reason| StoreError::Damaged {
        path: path.to_owned(),
        reason,
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn note(reader: &Reader, plan: &Plan, chunk: usize) -> Result<ChunkInfo, String> {
    let file = reader.metadata().file_metadata();
    let mut entries = file.key_value_metadata().into_iter().flatten();
    let note = entries.find(|entry| entry.key == NOTE);
    let note = note.and_then(|entry| entry.value.as_ref());
    let note = note.ok_or_else(|| format!("expected a note `{NOTE}` in its footer, got none"))?;
    let info: ChunkInfo = serde_json::from_str(note).map_err(|error| format!("{NOTE}: {error}"))?;
    if info.key != plan.key() || info.chunk != chunk {
        return Err("it is a part of another run, or another part".to_owned());
    }
    let expected = plan.questions(chunk).len();
    let got = info.rows.saturating_add(info.skipped.len());
    if got != expected {
        return Err(format!("expected {expected} questions, got {got}"));
    }
    let rows = file.num_rows();
    if usize::try_from(rows) != Ok(info.rows) {
        return Err(format!("expected {} rows, got {rows}", info.rows));
    }
    let expected = schema(plan.keep).map_err(text)?;
    let got = file.schema();
    if got.get_fields() != expected.get_fields() {
        let differs = expected
            .get_fields()
            .iter()
            .find(|field| !got.get_fields().contains(field));
        let name = differs.map_or("none more than it has", |field| field.name());
        return Err(format!(
            "expected the columns of its plan; the first that differs: {name}"
        ));
    }
    Ok(info)
}

/// Rows with those columns that `wanted` says.
fn read(
    (reader, file): &(Reader, File),
    plan: &Plan,
    rows: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Record>, String> {
    guard::claims(reader, file, LIMITS, wanted).map_err(text)?;
    let blank = Record::blank(&plan.model.info, &plan.method.info, plan.method.target);
    let mut records = vec![blank; rows];
    let mut rest = &mut records[..];
    let read_group = |rest: &mut &mut [Record], n: usize| -> Result<(), ParquetError> {
        let group = reader.get_row_group(n)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
        let (here, more) = std::mem::take(rest)
            .split_at_mut_checked(rows)
            .ok_or_else(|| ParquetError::General("more rows than the footer says".to_owned()))?;
        *rest = more;
        for (at, column) in columns(plan.keep).iter().enumerate() {
            if wanted(column.name()) {
                column.read(here, group.get_column_reader(at)?)?;
            }
        }
        Ok(())
    };
    for n in 0..reader.num_row_groups() {
        read_group(&mut rest, n).map_err(text)?;
    }
    if rest.is_empty() {
        return Ok(records);
    }
    Err(format!("expected {rows} rows, got {}", rows - rest.len()))
}
