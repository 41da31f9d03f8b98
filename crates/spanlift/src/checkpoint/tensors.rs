//! `model.safetensors`: its tensors by name, each checked and widened as it is taken.

use std::collections::{BTreeMap, BTreeSet};

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::Problem;
use super::config::Sizes;
use super::family::Names;
use crate::model::{LayerNorm, Linear};
use crate::ops::{Matrix, Real};

/// What an encoder's tensors begin with in a file that holds an encoder alone, without its family's prefix.
const BARE: [&str; 4] = [
    "embeddings.",
    "embeddings_project.",
    "encoder.",
    "transformer.",
];
/// Buffers and parts of the encoder that have no part in an answer.
const STRAY: [&str; 3] = [
    "embeddings.position_ids",
    "embeddings.token_type_ids",
    "pooler.",
];
const POSITIONS: &str = "embeddings.position_embeddings.";
const SEGMENTS: &str = "embeddings.token_type_embeddings.";
const HEAD: &str = "qa_outputs.";

/// The tensors that were not taken yet, and what was wrong with those that were.
///
/// Where a tensor is not as it must be, a problem is kept and something empty is given instead: the caller goes on
/// to the next, and throws all away in the end.
pub(super) struct Tensors<'a> {
    views: BTreeMap<String, TensorView<'a>>,
    names: &'static Names,
    /// In front of the encoder's names: the family's prefix or nothing.
    prefix: &'static str,
    pub(super) problems: Vec<Problem>,
}

/// A side of a tensor; `None` where the config does not say.
pub(super) type Side = Option<usize>;

impl<'a> Tensors<'a> {
    pub(super) fn open(bytes: &'a [u8], names: &'static Names) -> Result<Self, Problem> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| Problem::Header {
            bytes: bytes.len(),
            reason: error.to_string(),
        })?;
        let views: BTreeMap<_, _> = file.tensors().into_iter().collect();
        let prefix = names.tensors.prefix;
        let prefixed = views.keys().any(|name| name.starts_with(prefix));
        let tensors = Self {
            views,
            names,
            prefix: if prefixed { prefix } else { "" },
            problems: Vec::new(),
        };
        if !tensors
            .views
            .keys()
            .any(|name| tensors.inside(name).is_some())
        {
            return Err(Problem::NoEncoder {
                family: names.family.name(),
                prefix,
                count: tensors.views.len(),
                example: tensors.views.keys().next().cloned(),
            });
        }
        Ok(tensors)
    }

    /// The name below the encoder's prefix, for a tensor of the encoder; poolers are none.
    fn inside<'n>(&self, name: &'n str) -> Option<&'n str> {
        let name = name.strip_prefix(self.prefix)?;
        let bare = BARE.iter().any(|begin| name.starts_with(begin));
        (bare || !self.prefix.is_empty()).then_some(name)
    }

    /// The indices that stand behind `encoder.layer.`.
    pub(super) fn layers(&self) -> BTreeSet<usize> {
        let names = self.views.keys().filter_map(|name| self.inside(name));
        names.filter_map(|name| self.layer(name)).collect()
    }

    /// N of `encoder.layer.N.…`, written as Hugging Face does.
    fn layer(&self, name: &str) -> Option<usize> {
        let name = name.strip_prefix(self.names.tensors.encoder)?;
        let (index, _) = name.split_once('.')?;
        let number: usize = index.parse().ok()?;
        (number.to_string() == index).then_some(number)
    }

    pub(super) fn has_head(&self) -> bool {
        self.views.contains_key("qa_outputs.weight") || self.views.contains_key("qa_outputs.bias")
    }

    /// γ and β, in early files under these names: `from_pretrained`
    /// [renames them](https://github.com/huggingface/transformers/blob/0001d056861bb1ec7bd6a825006f578629a101fc/src/transformers/modeling_utils.py)
    /// too.
    pub(super) fn layer_norm<T: Real>(&mut self, name: &str, hidden: Side, eps: T) -> LayerNorm<T> {
        let mut either = |new: &str, old: &str| {
            let old = format!("{}{name}.{old}", self.prefix);
            let new = format!("{}{name}.{new}", self.prefix);
            let found = if self.views.contains_key(&new) {
                new
            } else if self.views.contains_key(&old) {
                old
            } else {
                new
            };
            self.take(&found, &[hidden]).unwrap_or_default()
        };
        LayerNorm {
            weight: either("weight", "gamma"),
            bias: either("bias", "beta"),
            eps,
        }
    }

    /// A table of the encoder.
    pub(super) fn table<T: Real>(&mut self, name: &str, rows: Side, cols: Side) -> Matrix<T> {
        self.matrix(&format!("{}{name}.weight", self.prefix), rows, cols)
    }

    /// A linear map of the encoder.
    pub(super) fn linear<T: Real>(&mut self, name: &str, out: Side, into: Side) -> Linear<T> {
        let name = format!("{}{name}", self.prefix);
        self.any_linear(&name, out, into)
    }

    /// A linear map of the encoder that has no bias.
    pub(super) fn unbiased<T: Real>(&mut self, name: &str, out: Side, into: Side) -> Linear<T> {
        let weight = self.table(name, out, into);
        let bias = vec![T::ZERO; weight.rows()];
        Linear { weight, bias }
    }

    /// The head.
    pub(super) fn head<T: Real>(&mut self, hidden: Side) -> Linear<T> {
        self.any_linear("qa_outputs", Some(2), hidden)
    }

    fn any_linear<T: Real>(&mut self, name: &str, out: Side, into: Side) -> Linear<T> {
        Linear {
            weight: self.matrix(&format!("{name}.weight"), out, into),
            bias: self
                .take(&format!("{name}.bias"), &[out])
                .unwrap_or_default(),
        }
    }

    fn matrix<T: Real>(&mut self, name: &str, rows: Side, cols: Side) -> Matrix<T> {
        let shape = self.views.get(name).map(|view| view.shape().to_vec());
        let data = self.take(name, &[rows, cols]);
        match (shape.as_deref(), data) {
            (Some(&[rows, cols]), Some(data)) => Matrix::from_vec(rows, cols, data),
            _ => Matrix::from_vec(0, 0, Vec::new()),
        }
    }

    /// The tensor's numbers, row by row.
    fn take<T: Real>(&mut self, name: &str, shape: &[Side]) -> Option<Vec<T>> {
        let tensor = name.to_owned();
        let Some(view) = self.views.remove(name) else {
            let shape = shape_text(shape);
            self.problems.push(Problem::MissingTensor { tensor, shape });
            return None;
        };
        let got = view.shape();
        let fits = |(side, &got): (&Side, &usize)| side.is_none_or(|side| side == got);
        if got.len() != shape.len() || !shape.iter().zip(got).all(fits) {
            self.problems.push(Problem::Shape {
                tensor,
                expected: shape_text(shape),
                got: shape_text(&got.iter().copied().map(Some).collect::<Vec<_>>()),
            });
            return None;
        }
        let Some(wide) = widen(&view) else {
            let got = view.dtype().to_string();
            self.problems.push(Problem::Dtype { tensor, got });
            return None;
        };
        if wide.not_finite > 0 {
            self.problems.push(Problem::NonFinite {
                tensor,
                count: wide.not_finite,
                of: wide.numbers.len(),
                first: wide.first,
            });
            return None;
        }
        Some(wide.numbers)
    }

    /// What was not taken: refused inside the encoder and the head, named outside. Layers from `layers` on were
    /// reported as such.
    pub(super) fn finish(
        mut self,
        layers: &BTreeSet<usize>,
        sizes: &Sizes,
    ) -> (Vec<Problem>, Vec<String>) {
        let mut ignored = Vec::new();
        let stray = |bare: &str| {
            STRAY.iter().any(|begin| bare.starts_with(begin))
                || (!sizes.has_positions && bare.starts_with(POSITIONS))
                || (sizes.segments == Some(0) && bare.starts_with(SEGMENTS))
        };
        for name in self.views.keys() {
            match self.inside(name) {
                Some(bare)
                    if self
                        .layer(bare)
                        .is_some_and(|index| !layers.contains(&index)) => {}
                Some(bare) if stray(bare) => ignored.push(name.clone()),
                None if !name.starts_with(HEAD) => ignored.push(name.clone()),
                _ => self.problems.push(Problem::UnexpectedTensor {
                    family: self.names.family.name(),
                    tensor: name.clone(),
                }),
            }
        }
        (self.problems, ignored)
    }
}

fn shape_text(shape: &[Side]) -> String {
    let sides = shape
        .iter()
        .map(|side| side.map_or_else(|| String::from("?"), |side| side.to_string()));
    format!("[{}]", sides.collect::<Vec<_>>().join(", "))
}

struct Wide<T> {
    numbers: Vec<T>,
    /// How many are infinite or NaN.
    not_finite: usize,
    /// The first of them.
    first: usize,
}

/// The numbers in `T`; `None` for a type that is not read. The bytes need not be aligned.
fn widen<T: Real>(view: &TensorView<'_>) -> Option<Wide<T>> {
    /// Small enough to stay in the first cache.
    const CHUNK: usize = 2048;
    let bytes = view.data();
    let mut wide = Wide {
        numbers: Vec::with_capacity(bytes.len() / view.dtype().bitsize().div_ceil(8).max(1)),
        not_finite: 0,
        first: 0,
    };
    let mut single = [0.0; CHUNK];
    match view.dtype() {
        Dtype::F32 => {
            for chunk in bytes.chunks(4 * CHUNK) {
                let (numbers, _) = chunk.as_chunks();
                let single = &mut single[..numbers.len()];
                for (to, from) in single.iter_mut().zip(numbers) {
                    *to = f32::from_le_bytes(*from);
                }
                wide.extend(single);
            }
        }
        Dtype::F16 => {
            let mut half = [f16::ZERO; CHUNK];
            for chunk in bytes.chunks(2 * CHUNK) {
                let (numbers, _) = chunk.as_chunks();
                let half = &mut half[..numbers.len()];
                for (to, from) in half.iter_mut().zip(numbers) {
                    *to = f16::from_le_bytes(*from);
                }
                let single = &mut single[..numbers.len()];
                half.convert_to_f32_slice(single);
                wide.extend(single);
            }
        }
        Dtype::BF16 => {
            let mut half = [bf16::ZERO; CHUNK];
            for chunk in bytes.chunks(2 * CHUNK) {
                let (numbers, _) = chunk.as_chunks();
                let half = &mut half[..numbers.len()];
                for (to, from) in half.iter_mut().zip(numbers) {
                    *to = bf16::from_le_bytes(*from);
                }
                let single = &mut single[..numbers.len()];
                half.convert_to_f32_slice(single);
                wide.extend(single);
            }
        }
        _ => return None,
    }
    Some(wide)
}

impl<T: Real> Wide<T> {
    fn extend(&mut self, numbers: &[f32]) {
        // Counted first, without a branch; where the first one is matters only where there is one.
        let not_finite = numbers.iter().filter(|x| !x.is_finite()).count();
        if not_finite > 0 && self.not_finite == 0 {
            let first = numbers.iter().position(|x| !x.is_finite()).unwrap_or(0);
            self.first = self.numbers.len() + first;
        }
        self.not_finite += not_finite;
        self.numbers.extend(numbers.iter().map(|&x| T::of_f32(x)));
    }
}
