//! An encoder as `model.safetensors`, under the names that Hugging Face gives its tensors.

use std::borrow::Cow;

use half::f16;
use safetensors::tensor::{Dtype, View};

use super::{Checkpoint, family};
use crate::model::{BottleneckSite, LayerSite, Side, Site};
use crate::ops::Real;

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Four bytes.
    #[default]
    F32,
    /// Two; what is too large for them becomes infinite.
    F16,
}

/// One tensor of the file.
struct Written {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Written {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The bytes of a `model.safetensors` that [`load`](super::load) and Hugging Face's `from_pretrained` read beside the checkpoint's own
/// `config.json`. Tensors that have no part in the answer are not among them, and RoBERTa's rows of positions that stand for
/// none are 0.
#[must_use]
pub fn safetensors<T: Real>(checkpoint: &Checkpoint<T>, precision: Precision) -> Vec<u8> {
    let encoder = &checkpoint.encoder;
    let parameters = encoder.parameters();
    let mut tensors: Vec<(String, Written)> = Vec::new();
    let mut write = |name: String, shape: &[usize], numbers: &[T]| {
        let f32s = numbers.iter().map(|x| x.f64() as f32);
        let (dtype, bytes) = match precision {
            Precision::F32 => (Dtype::F32, f32s.flat_map(f32::to_le_bytes).collect()),
            Precision::F16 => {
                let halves = f32s.flat_map(|x| f16::from_f32(x).to_le_bytes());
                (Dtype::F16, halves.collect())
            }
        };
        let shape = shape.to_vec();
        tensors.push((
            name,
            Written {
                dtype,
                shape,
                bytes,
            },
        ));
    };
    let names = &family::of(encoder.config.family).tensors;
    let prefix = names.prefix;
    let behind = encoder.config.first_position;
    for (parameter, values) in parameters.iter().zip(encoder.values()) {
        let side = match parameter.side {
            Side::Weight => "weight",
            Side::Bias => "bias",
        };
        let shape = &parameter.shape;
        let map = match parameter.site {
            Site::Words => "embeddings.word_embeddings".to_owned(),
            Site::Positions => {
                let width = shape[1];
                let rows = [vec![T::ZERO; behind * width], values].concat();
                let name = format!("{prefix}embeddings.position_embeddings.weight");
                write(name, &[behind + shape[0], width], &rows);
                continue;
            }
            Site::Segments => "embeddings.token_type_embeddings".to_owned(),
            Site::EmbeddingNorm => "embeddings.LayerNorm".to_owned(),
            Site::EmbeddingTransformation => "embeddings.embedding_transformation".to_owned(),
            Site::EmbedProj => "embeddings.embed_proj".to_owned(),
            Site::RelativePositions => "encoder.rel_embeddings".to_owned(),
            Site::RelativeNorm => "encoder.LayerNorm".to_owned(),
            Site::EmbeddingsProject => "embeddings_project".to_owned(),
            Site::Head => {
                write(format!("qa_outputs.{side}"), shape, &values);
                continue;
            }
            Site::Layer(l, site) => {
                let layer = format!("{}{l}.", names.encoder);
                match site {
                    LayerSite::Qkv => {
                        let mut third = shape.clone();
                        third[0] /= 3;
                        let parts = values.chunks_exact((values.len() / 3).max(1));
                        for (map, part) in [names.query, names.key, names.value].iter().zip(parts) {
                            write(format!("{prefix}{layer}{map}.{side}"), &third, part);
                        }
                        continue;
                    }
                    LayerSite::AttentionOutput => layer + names.attention_output,
                    LayerSite::AttentionNorm => layer + names.attention_norm,
                    LayerSite::Intermediate => layer + names.intermediate,
                    LayerSite::Output => layer + names.output,
                    LayerSite::OutputNorm => layer + names.output_norm,
                    LayerSite::PositionKey => layer + "attention.self.pos_key_proj",
                    LayerSite::PositionQuery => layer + "attention.self.pos_query_proj",
                    LayerSite::Bottleneck(site) => {
                        layer
                            + match site {
                                BottleneckSite::Input => "bottleneck.input.dense",
                                BottleneckSite::InputNorm => "bottleneck.input.LayerNorm",
                                BottleneckSite::Attention => "bottleneck.attention.dense",
                                BottleneckSite::AttentionNorm => "bottleneck.attention.LayerNorm",
                                BottleneckSite::Query => names.query,
                                BottleneckSite::Key => names.key,
                                BottleneckSite::Value => names.value,
                                BottleneckSite::Output => "output.bottleneck.dense",
                                BottleneckSite::OutputNorm => "output.bottleneck.LayerNorm",
                            }
                    }
                    LayerSite::FfnIntermediate(b) => format!("{layer}ffn.{b}.intermediate.dense"),
                    LayerSite::FfnOutput(b) => format!("{layer}ffn.{b}.output.dense"),
                    LayerSite::FfnOutputNorm(b) => format!("{layer}ffn.{b}.output.LayerNorm"),
                }
            }
        };
        write(format!("{prefix}{map}.{side}"), shape, &values);
    }
    // `from_pretrained` asks for this entry.
    let head = [("format".to_owned(), "pt".to_owned())].into();
    let views = tensors.iter().map(|(name, tensor)| (name, tensor));
    // Each tensor's bytes are those of its shape, and no name comes twice.
    safetensors::serialize(views, Some(head)).unwrap_or_default()
}
