//! `pytorch_model.bin` as `torch.save` writes it since version 1.6: a zip archive whose `data.pkl` names the tensors, and
//! whose entries `data/KEY` are the storages that they lie in, not compressed.
//!
//! A storage may serve several tensors (tied weights), and a tensor may step through it in any order (a transposed
//! view). Each must lie in the bytes that are there, and has no more numbers than its storage.

mod pickle;
mod stack;
mod value;

use std::collections::BTreeMap;
use std::io::Cursor;

use safetensors::Dtype;
use zip::{CompressionMethod, ZipArchive};

use super::{Named, Part, Problem, Strides, Tensor};
use pickle::Fault;

/// [`MAGIC_NUMBER`](https://github.com/pytorch/pytorch/blob/v2.9.0/torch/serialization.py), which stands near the
/// beginning of the form before 1.6.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// A model of 400 tensors has some 60 kB.
const PICKLE_LIMIT: usize = 4 << 20;

/// All tensors together have at most so many times the file's bytes: layers that are one and the same share storages.
const SHARING_LIMIT: usize = 64;

/// The archive's entries by name.
type Entries<'a> = BTreeMap<String, &'a [u8]>;

pub(super) fn tensors<'a>(part: &'a Part<'a>) -> Result<Named<'a>, Problem> {
    let bytes: &'a [u8] = &part.bytes;
    let file = || part.name.clone();
    let head = &bytes[..bytes.len().min(64)];
    if head
        .windows(LEGACY_MAGIC.len())
        .any(|at| at == LEGACY_MAGIC)
    {
        return Err(Problem::LegacyPickle { file: file() });
    }
    let broken = |reason| Problem::Archive {
        file: file(),
        bytes: bytes.len(),
        reason,
    };
    let entries = entries(bytes).map_err(broken)?;
    let (top, data) = data(&entries).map_err(broken)?;
    let named = pickle::read(data).map_err(|fault| match fault {
        Fault::Name(name) => Problem::PickleName { file: file(), name },
        Fault::Broken { at, reason } => Problem::Pickle {
            file: file(),
            at,
            reason,
        },
    })?;
    let mut tensors = Named::new();
    let mut total = 0usize;
    for (name, tensor) in named {
        let (bytes, strides) =
            place(&tensor, top, &entries).map_err(|reason| Problem::Storage {
                file: file(),
                tensor: name.to_owned(),
                reason,
            })?;
        let count: usize = tensor.shape.iter().product();
        total = total.saturating_add(count * size(tensor.dtype));
        let tensor = Tensor {
            part,
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            bytes,
            strides,
        };
        tensors.insert(name.to_owned(), tensor);
    }
    let most = bytes.len().saturating_mul(SHARING_LIMIT);
    if total > most {
        let reason = format!(
            "its tensors share storages so often that they would take {total} bytes, expected at most {most}"
        );
        return Err(broken(reason));
    }
    Ok(tensors)
}

/// Where each entry's bytes stand; an error where one of them is packed.
fn entries(bytes: &[u8]) -> Result<Entries<'_>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let mut entries = Entries::new();
    for index in 0..archive.len() {
        let entry = archive
            .by_index_raw(index)
            .map_err(|error| error.to_string())?;
        let name = entry
            .name()
            .map_err(|error| error.to_string())?
            .into_owned();
        if entry.encrypted() || entry.compression() != CompressionMethod::Stored {
            return Err(format!(
                "entry `{}`: expected it stored as it is, got it compressed or encrypted",
                shown(&name)
            ));
        }
        let range = entry.data_start().and_then(|start| {
            let start = usize::try_from(start).ok()?;
            let size = usize::try_from(entry.size()).ok()?;
            bytes.get(start..start.checked_add(size)?)
        });
        let Some(range) = range else {
            return Err(format!("entry `{}` reaches over its end", shown(&name)));
        };
        entries.insert(name, range);
    }
    Ok(entries)
}

/// The folder that the archive consists of, and the pickle in it.
fn data<'e>(entries: &'e Entries<'_>) -> Result<(&'e str, &'e [u8]), String> {
    let mut all = entries.iter().filter_map(|(name, &bytes)| {
        let (top, rest) = name.split_once('/')?;
        (rest == "data.pkl").then_some((top, bytes))
    });
    let (top, bytes) = all
        .next()
        .ok_or("expected an entry `archive/data.pkl`, got none")?;
    if all.next().is_some() {
        return Err(String::from("expected one `data.pkl`, got several"));
    }
    if bytes.len() > PICKLE_LIMIT {
        return Err(format!(
            "data.pkl: expected at most {PICKLE_LIMIT} bytes, got {}",
            bytes.len()
        ));
    }
    match entries.get(&format!("{top}/byteorder")) {
        Some(&order) if order != b"little" => Err(format!(
            "byteorder: expected `little`, got `{}`",
            shown(&String::from_utf8_lossy(order))
        )),
        _ => Ok((top, bytes)),
    }
}

/// The tensor's bytes from its first number on, and its strides where it has gaps or another order.
fn place<'a>(
    tensor: &value::Tensor<'_>,
    top: &str,
    entries: &Entries<'a>,
) -> Result<(&'a [u8], Option<Strides>), String> {
    let (key, size) = (tensor.storage.key, size(tensor.dtype));
    let entry = format!("{top}/data/{key}");
    let Some(&storage) = entries.get(&entry) else {
        return Err(format!(
            "expected its storage `{}`, got none",
            shown(&entry)
        ));
    };
    let numbers = tensor.storage.count;
    if numbers.checked_mul(size) != Some(storage.len()) {
        return Err(format!(
            "expected a storage of {numbers} numbers of {size} bytes, got {} bytes",
            storage.len()
        ));
    }
    let sides = || tensor.shape.iter().zip(&tensor.strides);
    let count = tensor
        .shape
        .iter()
        .try_fold(1usize, |count, &side| count.checked_mul(side));
    let Some(count) = count.filter(|&count| count <= numbers) else {
        return Err(format!(
            "expected no more numbers than its storage has, {numbers}, got shape {:?}",
            tensor.shape
        ));
    };
    if count == 0 {
        return Ok((&[], None));
    }
    let last = sides().try_fold(tensor.offset, |last, (&side, &stride)| {
        last.checked_add(stride.checked_mul(side - 1)?)
    });
    let Some(last) = last.filter(|&last| last < numbers) else {
        return Err(format!(
            "expected it inside its storage of {numbers} numbers, got offset {}, shape {:?} and strides {:?}",
            tensor.offset, tensor.shape, tensor.strides
        ));
    };
    let bytes = &storage[tensor.offset * size..(last + 1) * size];
    let mut next = 1;
    let dense = sides().rev().all(|(&side, &stride)| {
        let fits = side == 1 || stride == next;
        next *= side;
        fits
    });
    Ok((bytes, (!dense).then(|| tensor.strides.clone())))
}

/// Bytes of a number.
fn size(dtype: Dtype) -> usize {
    dtype.bitsize() / 8
}

/// A text of the file as a message may show it.
fn shown(text: &str) -> String {
    text.chars()
        .take(100)
        .flat_map(char::escape_debug)
        .collect()
}
