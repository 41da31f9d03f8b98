//! The files that hold the weights, and the tensors in them: one file or shards with an index, safetensors or PyTorch's.

mod header;
mod index;
mod numbers;
#[cfg(feature = "pickle")]
mod torch;

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;

pub(super) use numbers::{is_read, read};

use super::files::{self, Bytes, INDEX_LIMIT};
use super::{CheckpointError, Problem, map};

pub(super) const WEIGHTS: &str = "model.safetensors";

/// The files that are looked for, the first that is there wins.
const FORMS: [Form; 4] = [
    Form {
        file: WEIGHTS,
        format: Format::Safetensors,
        index: false,
    },
    Form {
        file: "model.safetensors.index.json",
        format: Format::Safetensors,
        index: true,
    },
    Form {
        file: "pytorch_model.bin",
        format: Format::Torch,
        index: false,
    },
    Form {
        file: "pytorch_model.bin.index.json",
        format: Format::Torch,
        index: true,
    },
];

struct Form {
    file: &'static str,
    format: Format,
    /// It says which files to open.
    index: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Safetensors,
    /// Read with the feature `pickle`.
    Torch,
}

impl Format {
    fn is_read(self) -> bool {
        self == Self::Safetensors || cfg!(feature = "pickle")
    }
}

/// The files that hold the weights.
pub(super) struct Found<'a> {
    /// The weights' file, or their index.
    pub(super) file: &'static str,
    format: Format,
    parts: Vec<Part<'a>>,
    /// What is wrong with the index, or misses.
    problems: Vec<Problem>,
}

/// A file that holds tensors.
pub(super) struct Part<'a> {
    pub(super) name: String,
    bytes: Bytes<'a>,
    /// Those that must be there, where an index says so.
    promised: Vec<String>,
}

impl Part<'_> {
    /// Says that these bytes of the file were read for the last time.
    fn give_back(&self, bytes: &[u8]) {
        match &self.bytes {
            Bytes::Mapped(whole) => map::give_back(whole, bytes),
            Bytes::Borrowed(_) => {}
        }
    }
}

/// A tensor in its file.
pub(super) struct Tensor<'a> {
    pub(super) part: &'a Part<'a>,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// From its first number on.
    bytes: &'a [u8],
    /// `None` where the numbers stand row by row without gaps; otherwise each of them lies in `bytes`.
    strides: Option<Strides>,
}

/// How far apart, in numbers, neighbours along each side are.
type Strides = Vec<usize>;

/// All tensors by name.
pub(super) type Named<'a> = BTreeMap<String, Tensor<'a>>;

/// Opens the weights of a folder; `None` where there are none in a form that is read.
pub(super) fn find(folder: &Path) -> Result<Option<Found<'static>>, CheckpointError> {
    for form in FORMS.iter().filter(|form| form.format.is_read()) {
        let mut found = Found {
            file: form.file,
            format: form.format,
            parts: Vec::new(),
            problems: Vec::new(),
        };
        if form.index {
            let bytes = files::small(folder, form.file, INDEX_LIMIT, &mut found.problems)?;
            if bytes.is_none() && found.problems.is_empty() {
                continue;
            }
            found.open_shards(folder, &bytes.unwrap_or_default())?;
        } else {
            let Some(bytes) = files::mapped(folder, form.file)? else {
                continue;
            };
            found.parts.push(Part {
                name: form.file.to_owned(),
                bytes,
                promised: Vec::new(),
            });
        }
        return Ok(Some(found));
    }
    Ok(None)
}

impl<'a> Found<'a> {
    /// The bytes of a `model.safetensors`.
    pub(super) fn embedded(bytes: &'a [u8]) -> Self {
        Self {
            file: WEIGHTS,
            format: Format::Safetensors,
            parts: vec![Part {
                name: WEIGHTS.to_owned(),
                bytes: Bytes::Borrowed(bytes),
                promised: Vec::new(),
            }],
            problems: Vec::new(),
        }
    }

    fn open_shards(&mut self, folder: &Path, index: &[u8]) -> Result<(), CheckpointError> {
        if !self.problems.is_empty() {
            return Ok(());
        }
        for (name, promised) in index::read(self.file, index, &mut self.problems) {
            match files::mapped(folder, &name)? {
                Some(bytes) => self.parts.push(Part {
                    name,
                    bytes,
                    promised,
                }),
                None => self.problems.push(Problem::MissingShard {
                    index: self.file,
                    shard: name,
                }),
            }
        }
        Ok(())
    }

    /// The tensors of all files. Where one of the files is not whole, or not as the index has it, all that is wrong
    /// with them is given, and no tensor.
    pub(super) fn tensors(&'a self) -> Result<Named<'a>, Vec<Problem>> {
        let mut problems = self.problems.clone();
        let mut all = Named::new();
        for part in &self.parts {
            let tensors = match self.format {
                Format::Safetensors => header::tensors(part),
                #[cfg(feature = "pickle")]
                Format::Torch => torch::tensors(part),
                #[cfg(not(feature = "pickle"))]
                Format::Torch => Ok(Named::new()),
            };
            let tensors = match tensors {
                Ok(tensors) => tensors,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            for tensor in &part.promised {
                if !tensors.contains_key(tensor) {
                    problems.push(Problem::NotInShard {
                        index: self.file,
                        tensor: tensor.clone(),
                        shard: part.name.clone(),
                    });
                }
            }
            for (name, tensor) in tensors {
                if let Some(first) = all.get(&name) {
                    problems.push(Problem::InTwoShards {
                        index: self.file,
                        tensor: name,
                        first: first.part.name.clone(),
                        second: part.name.clone(),
                    });
                } else {
                    all.insert(name, tensor);
                }
            }
        }
        if problems.is_empty() {
            Ok(all)
        } else {
            Err(problems)
        }
    }
}
