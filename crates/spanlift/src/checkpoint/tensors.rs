//! The weights' tensors by name, each checked and widened as it is taken.

use std::collections::BTreeSet;

use super::Problem;
use super::config::Sizes;
use super::family::Names;
use super::randomise::{Drawing, ModelPart};
use super::weights::{self, Found, Named, Tensor};
use crate::model::{LayerNorm, Linear};
use crate::ops::product::Weights;
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
    /// The weights' file, or their index.
    pub(super) file: &'static str,
    views: Named<'a>,
    names: &'static Names,
    /// In front of the encoder's names: the family's prefix or nothing.
    prefix: &'static str,
    /// What takes the place of the file's numbers.
    drawing: Option<Drawing>,
    pub(super) problems: Vec<Problem>,
}

/// A side of a tensor; `None` where the config does not say.
pub(super) type Side = Option<usize>;

impl<'a> Tensors<'a> {
    pub(super) fn open(
        found: &'a Found<'a>,
        names: &'static Names,
        drawing: Option<Drawing>,
    ) -> Result<Self, Vec<Problem>> {
        let views = found.tensors()?;
        let prefix = names.tensors.prefix;
        let prefixed = views.keys().any(|name| name.starts_with(prefix));
        let tensors = Self {
            file: found.file,
            views,
            names,
            prefix: if prefixed { prefix } else { "" },
            drawing,
            problems: Vec::new(),
        };
        if !tensors
            .views
            .keys()
            .any(|name| tensors.inside(name).is_some())
        {
            return Err(vec![Problem::NoEncoder {
                family: names.family.name(),
                prefix,
                file: found.file.to_owned(),
                count: tensors.views.len(),
                example: tensors.views.keys().next().cloned(),
            }]);
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
        let weight = Weights::of(&weight);
        Linear { weight, bias }
    }

    /// The head.
    pub(super) fn head<T: Real>(&mut self, hidden: Side) -> Linear<T> {
        self.any_linear("qa_outputs", Some(2), hidden)
    }

    /// A head where the files have none, if it is to be drawn.
    pub(super) fn drawn_head<T: Real>(&self, hidden: Side) -> Option<Linear<T>> {
        let drawing = self.drawing.as_ref()?;
        let hidden = hidden.filter(|_| drawing.randomise.parts.hold(ModelPart::Head))?;
        let mut weight = Matrix::zeros(2, hidden);
        drawing.draw("qa_outputs.weight", 2, weight.data_mut());
        Some(Linear {
            weight: Weights::of(&weight),
            bias: vec![T::ZERO; 2],
        })
    }

    /// Linear maps of the encoder, one under the other. Something empty where they do not fit, which without a
    /// config is no problem: then nothing is put together in the end.
    pub(super) fn stacked<T: Real, const N: usize>(
        &mut self,
        names: [String; N],
        out: Side,
        into: Side,
    ) -> Linear<T> {
        let parts = names.map(|name| {
            let name = format!("{}{name}", self.prefix);
            let weight = self.find(&format!("{name}.weight"), &[out, into]);
            (weight, self.find(&format!("{name}.bias"), &[out]))
        });
        let weights = parts.each_ref().map(|(weight, _)| weight.as_ref());
        let (mut rows, mut cols, mut fit) = (0, None, true);
        for (_, weight) in weights.into_iter().flatten() {
            rows += weight.shape[0];
            fit &= *cols.get_or_insert(weight.shape[1]) == weight.shape[1];
        }
        let mut bias = Vec::new();
        for (_, found) in &parts {
            let numbers = found.as_ref().and_then(|found| self.read::<T>(found));
            bias.extend(numbers.unwrap_or_default());
        }
        if !fit {
            for weight in weights.into_iter().flatten() {
                self.read::<T>(weight);
            }
            rows = 0;
        }
        let mut weight = Matrix::zeros(rows, cols.unwrap_or(0));
        if fit {
            let mut rest = weight.data_mut();
            for found in weights.into_iter().flatten() {
                let (to, behind) = rest.split_at_mut(count(&found.1));
                self.read_into(found, to);
                rest = behind;
            }
        }
        let weight = Weights::of(&weight);
        Linear { weight, bias }
    }

    fn any_linear<T: Real>(&mut self, name: &str, out: Side, into: Side) -> Linear<T> {
        Linear {
            weight: Weights::of(&self.matrix(&format!("{name}.weight"), out, into)),
            bias: self
                .take(&format!("{name}.bias"), &[out])
                .unwrap_or_default(),
        }
    }

    fn matrix<T: Real>(&mut self, name: &str, rows: Side, cols: Side) -> Matrix<T> {
        let found = self.find(name, &[rows, cols]);
        match found.and_then(|found| Some((self.read(&found)?, found.1.shape))) {
            Some((data, shape)) => Matrix::from_vec(shape[0], shape[1], data),
            None => Matrix::from_vec(0, 0, Vec::new()),
        }
    }

    /// The tensor's numbers, row by row.
    fn take<T: Real>(&mut self, name: &str, shape: &[Side]) -> Option<Vec<T>> {
        let found = self.find(name, shape)?;
        self.read(&found)
    }

    /// The tensor, where it is there with such a shape and of a type that is read.
    fn find(&mut self, name: &str, shape: &[Side]) -> Option<(String, Tensor<'a>)> {
        let name = name.to_owned();
        let Some(found) = self.views.remove(&name) else {
            self.problems.push(Problem::MissingTensor {
                file: self.file.to_owned(),
                tensor: name,
                shape: shape_text(shape),
            });
            return None;
        };
        let file = found.part.name.clone();
        let got = &found.shape;
        let fits = |(side, &got): (&Side, &usize)| side.is_none_or(|side| side == got);
        if got.len() != shape.len() || !shape.iter().zip(got).all(fits) {
            self.problems.push(Problem::Shape {
                file,
                tensor: name,
                expected: shape_text(shape),
                got: shape_text(&got.iter().copied().map(Some).collect::<Vec<_>>()),
            });
            return None;
        }
        if !weights::is_read(found.dtype) {
            self.problems.push(Problem::Dtype {
                file,
                tensor: name,
                got: found.dtype.to_string(),
            });
            return None;
        }
        Some((name, found))
    }

    fn read<T: Real>(&mut self, found: &(String, Tensor<'a>)) -> Option<Vec<T>> {
        // Zeros, which the system gives without writing them.
        let mut numbers = vec![T::default(); count(&found.1)];
        self.read_into(found, &mut numbers).then_some(numbers)
    }

    /// Which part of the model it is of, and its name there, whatever stands in front of it in the file.
    fn part<'n>(&self, name: &'n str) -> (ModelPart, &'n str) {
        let Some(bare) = self.inside(name) else {
            return (ModelPart::Head, name);
        };
        let layer = self.layer(bare);
        let part = layer.map_or(ModelPart::Embeddings, |at| ModelPart::Layer(at + 1));
        (part, bare)
    }

    /// Whether all numbers are finite; a problem where not.
    fn read_into<T: Real>(&mut self, (name, tensor): &(String, Tensor<'a>), to: &mut [T]) -> bool {
        if let Some(drawing) = &self.drawing {
            let (part, name) = self.part(name);
            if drawing.randomise.parts.hold(part) {
                drawing.draw(name, tensor.shape.len(), to);
                return true;
            }
        }
        let bad = weights::read(tensor, to);
        if bad.count > 0 {
            self.problems.push(Problem::NonFinite {
                file: tensor.part.name.clone(),
                tensor: name.clone(),
                count: bad.count,
                of: to.len(),
                first: bad.first,
            });
        }
        bad.count == 0
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
        for (name, tensor) in &self.views {
            match self.inside(name) {
                Some(bare)
                    if self
                        .layer(bare)
                        .is_some_and(|index| !layers.contains(&index)) => {}
                Some(bare) if stray(bare) => ignored.push(name.clone()),
                None if !name.starts_with(HEAD) => ignored.push(name.clone()),
                _ => self.problems.push(Problem::UnexpectedTensor {
                    family: self.names.family.name(),
                    file: tensor.part.name.clone(),
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

fn count(tensor: &Tensor<'_>) -> usize {
    tensor.shape.iter().product()
}
