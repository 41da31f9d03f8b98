//! The parameters of an encoder as one list: what training moves.
//!
//! Queries, keys and values are one map, as the encoder has them; a checkpoint has three.

use thiserror::Error;

use super::{Encoder, Linear, Norm, Projections};
use crate::ops::product::{View, Weights};
use crate::ops::{Matrix, Real};

/// A map of the encoder that has parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Site {
    /// The table of words; (V, E).
    Words,
    /// The table of positions; (P, E).
    Positions,
    /// The table of segments; (G, E).
    Segments,
    /// The norm over the sum of these.
    EmbeddingNorm,
    /// ELECTRA's projection behind it; (H, E).
    EmbeddingsProject,
    /// One of a layer's, from 0.
    Layer(usize, LayerSite),
    /// The span head; (2, H).
    Head,
}

/// A map of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerSite {
    /// Queries, keys and values, one under the other; (3H, H).
    Qkv,
    /// Behind the heads; (H, H).
    AttentionOutput,
    /// The norm over that and the layer's input.
    AttentionNorm,
    /// Before the activation; (F, H).
    Intermediate,
    /// Behind it; (H, F).
    Output,
    /// The norm over that and the block's input.
    OutputNorm,
}

impl LayerSite {
    /// All, in order.
    pub const ALL: [Self; 6] = [
        Self::Qkv,
        Self::AttentionOutput,
        Self::AttentionNorm,
        Self::Intermediate,
        Self::Output,
        Self::OutputNorm,
    ];
}

/// Which tensor of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// W, γ, or a table.
    Weight,
    /// b or β.
    Bias,
}

/// One tensor that training moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its map.
    pub site: Site,
    /// Which of that.
    pub side: Side,
    /// Its sides; a vector has one.
    pub shape: Vec<usize>,
}

impl Parameter {
    /// How many numbers it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether weight decay is for it: not for biases and norms (Devlin et al. 2019, appendix A.2 and their code).
    #[must_use]
    pub fn decays(&self) -> bool {
        self.shape.len() > 1
    }
}

/// An encoder whose parameters no gradient is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "gradients of the parameters: expected bert, roberta, xlm-roberta, distilbert or electra, got {family}"
)]
pub struct NoGradient {
    /// The family's name.
    pub family: &'static str,
}

/// Defines the list over an encoder that is read, or written.
macro_rules! tensors {
    ($(#[$meta:meta])* $name:ident, $tensor:ident, $maps:ident [$($mutable:tt)?]) => {
        enum $tensor<'a, T> {
            Table(&'a $($mutable)? Matrix<T>),
            Map(&'a $($mutable)? Weights<T>),
            Vector(&'a $($mutable)? [T]),
        }

        $(#[$meta])*
        fn $name<T: Real>(encoder: &$($mutable)? Encoder<T>) -> Vec<(Site, Side, $tensor<'_, T>)> {
            fn linear<T>(site: Site, map: &$($mutable)? Linear<T>) -> [(Site, Side, $tensor<'_, T>); 2] {
                [
                    (site, Side::Weight, $tensor::Map(&$($mutable)? map.weight)),
                    (site, Side::Bias, $tensor::Vector(&$($mutable)? map.bias)),
                ]
            }
            fn norm<T>(site: Site, norm: &$($mutable)? Norm<T>) -> [(Site, Side, $tensor<'_, T>); 2] {
                let (weight, bias) = match norm {
                    Norm::LayerNorm(norm) => (&$($mutable)? norm.weight, &$($mutable)? norm.bias),
                    Norm::NoNorm { weight, bias } => (weight, bias),
                };
                [
                    (site, Side::Weight, $tensor::Vector(weight)),
                    (site, Side::Bias, $tensor::Vector(bias)),
                ]
            }
            let embeddings = &$($mutable)? encoder.embeddings;
            let words = $tensor::Table(&$($mutable)? embeddings.word_embeddings);
            let mut all = vec![(Site::Words, Side::Weight, words)];
            if let Some(table) = &$($mutable)? embeddings.position_embeddings {
                all.push((Site::Positions, Side::Weight, $tensor::Table(table)));
            }
            if let Some(table) = &$($mutable)? embeddings.token_type_embeddings {
                all.push((Site::Segments, Side::Weight, $tensor::Table(table)));
            }
            all.extend(norm(Site::EmbeddingNorm, &$($mutable)? embeddings.norm));
            if let Some(map) = &$($mutable)? embeddings.embeddings_project {
                all.extend(linear(Site::EmbeddingsProject, map));
            }
            for (l, layer) in encoder.layers.$maps().enumerate() {
                let at = |site| Site::Layer(l, site);
                if let Projections::Joint(qkv) = &$($mutable)? layer.projections {
                    all.extend(linear(at(LayerSite::Qkv), qkv));
                }
                let output = &$($mutable)? layer.attention_output;
                all.extend(linear(at(LayerSite::AttentionOutput), output));
                all.extend(norm(at(LayerSite::AttentionNorm), &$($mutable)? layer.attention_norm));
                for block in layer.feed_forwards.$maps() {
                    let into = &$($mutable)? block.intermediate;
                    all.extend(linear(at(LayerSite::Intermediate), into));
                    all.extend(linear(at(LayerSite::Output), &$($mutable)? block.output));
                    all.extend(norm(at(LayerSite::OutputNorm), &$($mutable)? block.norm));
                }
            }
            all.extend(linear(Site::Head, &$($mutable)? encoder.qa_outputs));
            all
        }
    };
}

tensors!(tensors, Tensor, iter[]);
tensors!(tensors_mut, TensorMut, iter_mut[mut]);

impl<T: Real> Encoder<T> {
    /// The parameters, from the words to the head.
    ///
    /// # Errors
    ///
    /// [`NoGradient`] for the families with bottlenecks or relative positions.
    pub fn parameters(&self) -> Result<Vec<Parameter>, NoGradient> {
        let joint = self.layers.iter().all(|layer| {
            matches!(layer.projections, Projections::Joint(_)) && layer.relative.is_none()
        });
        let embeddings = &self.embeddings;
        let summed =
            embeddings.embedding_transformation.is_none() && embeddings.embed_proj.is_none();
        if !joint || !summed {
            let family = self.config.family.name();
            return Err(NoGradient { family });
        }
        let of = |(site, side, tensor): (Site, Side, Tensor<'_, T>)| Parameter {
            site,
            side,
            shape: match tensor {
                Tensor::Table(table) => vec![table.rows(), table.cols()],
                Tensor::Map(weights) => vec![weights.outputs(), weights.inputs()],
                Tensor::Vector(vector) => vec![vector.len()],
            },
        };
        Ok(tensors(self).into_iter().map(of).collect())
    }

    /// The numbers of each, row by row, in that order.
    #[must_use]
    pub fn values(&self) -> Vec<Vec<T>> {
        let of = |(_, _, tensor): (Site, Side, Tensor<'_, T>)| match tensor {
            Tensor::Table(table) => table.data().to_vec(),
            Tensor::Map(weights) => weights.matrix().data().to_vec(),
            Tensor::Vector(vector) => vector.to_vec(),
        };
        tensors(self).into_iter().map(of).collect()
    }

    /// Puts others in their place.
    ///
    /// # Panics
    ///
    /// Where there are not as many numbers.
    pub fn set_values(&mut self, values: &[Vec<T>]) {
        let tensors = tensors_mut(self);
        assert_eq!(tensors.len(), values.len(), "as many tensors");
        for ((_, _, tensor), values) in tensors.into_iter().zip(values) {
            match tensor {
                TensorMut::Table(table) => table.data_mut().copy_from_slice(values),
                TensorMut::Map(weights) => {
                    weights.set(View::of(values, weights.outputs(), weights.inputs()));
                }
                TensorMut::Vector(vector) => vector.copy_from_slice(values),
            }
        }
    }
}
