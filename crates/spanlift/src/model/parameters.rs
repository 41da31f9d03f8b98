//! The parameters of an encoder as one list: what training moves.
//!
//! Queries, keys and values are one map, as the encoder has them; a checkpoint has three.

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
    /// MobileBERT's map of each word between its neighbours; (H, 3E).
    EmbeddingTransformation,
    /// The norm over the sum of these.
    EmbeddingNorm,
    /// ELECTRA's projection behind it; (H, E).
    EmbeddingsProject,
    /// DeBERTa's `embed_proj` of the sum, which has no bias; (H, E).
    EmbedProj,
    /// DeBERTa's table of relative positions; (2B, H).
    RelativePositions,
    /// The norm over it.
    RelativeNorm,
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
    /// One of MobileBERT's, in their place.
    Bottleneck(BottleneckSite),
    /// What DeBERTa's table is projected by for keys; (H, H).
    PositionKey,
    /// And for queries; (H, H).
    PositionQuery,
    /// Behind the heads; (I, I).
    AttentionOutput,
    /// The norm over that and what it is added to.
    AttentionNorm,
    /// Before the activation of the (last) feed-forward block; (F, I).
    Intermediate,
    /// Behind it; (I, F).
    Output,
    /// The norm over that and the block's input.
    OutputNorm,
    /// Of one of MobileBERT's blocks before the last, from 0: [`Intermediate`](Self::Intermediate).
    FfnIntermediate(usize),
    /// [`Output`](Self::Output).
    FfnOutput(usize),
    /// [`OutputNorm`](Self::OutputNorm).
    FfnOutputNorm(usize),
}

/// A map of MobileBERT's bottleneck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BottleneckSite {
    /// (I, H).
    Input,
    /// Over that.
    InputNorm,
    /// (I, H).
    Attention,
    /// Over that.
    AttentionNorm,
    /// (I, I).
    Query,
    /// (I, I).
    Key,
    /// (I, H).
    Value,
    /// (H, I).
    Output,
    /// Over that and the layer's input.
    OutputNorm,
}

impl LayerSite {
    /// The three of feed-forward block `at` of `of`.
    #[must_use]
    pub(crate) fn of_block(at: usize, of: usize) -> [Self; 3] {
        if at + 1 == of {
            [Self::Intermediate, Self::Output, Self::OutputNorm]
        } else {
            [
                Self::FfnIntermediate(at),
                Self::FfnOutput(at),
                Self::FfnOutputNorm(at),
            ]
        }
    }
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
            if let Some(map) = &$($mutable)? embeddings.embedding_transformation {
                all.extend(linear(Site::EmbeddingTransformation, map));
            }
            all.extend(norm(Site::EmbeddingNorm, &$($mutable)? embeddings.norm));
            if let Some(map) = &$($mutable)? embeddings.embeddings_project {
                all.extend(linear(Site::EmbeddingsProject, map));
            }
            if let Some(map) = &$($mutable)? embeddings.embed_proj {
                all.push((Site::EmbedProj, Side::Weight, $tensor::Map(&$($mutable)? map.weight)));
            }
            if let Some(table) = &$($mutable)? encoder.relative_table {
                let weight = $tensor::Table(&$($mutable)? table.weight);
                all.push((Site::RelativePositions, Side::Weight, weight));
                if let Some(over) = &$($mutable)? table.norm {
                    all.extend(norm(Site::RelativeNorm, over));
                }
            }
            for (l, layer) in encoder.layers.$maps().enumerate() {
                let at = |site| Site::Layer(l, site);
                match &$($mutable)? layer.projections {
                    Projections::Joint(qkv) => all.extend(linear(at(LayerSite::Qkv), qkv)),
                    Projections::Bottleneck(bottleneck) => {
                        let of = |site| at(LayerSite::Bottleneck(site));
                        all.extend(linear(of(BottleneckSite::Input), &$($mutable)? bottleneck.input));
                        all.extend(norm(of(BottleneckSite::InputNorm), &$($mutable)? bottleneck.input_norm));
                        all.extend(linear(of(BottleneckSite::Attention), &$($mutable)? bottleneck.attention));
                        all.extend(norm(of(BottleneckSite::AttentionNorm), &$($mutable)? bottleneck.attention_norm));
                        all.extend(linear(of(BottleneckSite::Query), &$($mutable)? bottleneck.query));
                        all.extend(linear(of(BottleneckSite::Key), &$($mutable)? bottleneck.key));
                        all.extend(linear(of(BottleneckSite::Value), &$($mutable)? bottleneck.value));
                        all.extend(linear(of(BottleneckSite::Output), &$($mutable)? bottleneck.output));
                        all.extend(norm(of(BottleneckSite::OutputNorm), &$($mutable)? bottleneck.output_norm));
                    }
                }
                if let Some(maps) = &$($mutable)? layer.position_maps {
                    if let Some(map) = &$($mutable)? maps.key {
                        all.extend(linear(at(LayerSite::PositionKey), map));
                    }
                    if let Some(map) = &$($mutable)? maps.query {
                        all.extend(linear(at(LayerSite::PositionQuery), map));
                    }
                }
                let output = &$($mutable)? layer.attention_output;
                all.extend(linear(at(LayerSite::AttentionOutput), output));
                all.extend(norm(at(LayerSite::AttentionNorm), &$($mutable)? layer.attention_norm));
                let blocks = layer.feed_forwards.len();
                for (b, block) in layer.feed_forwards.$maps().enumerate() {
                    let [into, out, over] = LayerSite::of_block(b, blocks).map(at);
                    all.extend(linear(into, &$($mutable)? block.intermediate));
                    all.extend(linear(out, &$($mutable)? block.output));
                    all.extend(norm(over, &$($mutable)? block.norm));
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
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let of = |(site, side, tensor): (Site, Side, Tensor<'_, T>)| Parameter {
            site,
            side,
            shape: match tensor {
                Tensor::Table(table) => vec![table.rows(), table.cols()],
                Tensor::Map(weights) => vec![weights.outputs(), weights.inputs()],
                Tensor::Vector(vector) => vec![vector.len()],
            },
        };
        tensors(self).into_iter().map(of).collect()
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
        self.project_positions();
    }
}
