//! The model's tree, filled from the tensors: one line a part, in the checkpoint's own order.
//!
//! Shapes: V vocabulary, P positions, G segments, H hidden, F feed-forward, L layers.

use std::collections::BTreeSet;

use super::Problem;
use super::config::Sizes;
use super::tensors::{Side, Tensors};
use crate::model::{Config, Embeddings, Encoder, Layer, Linear};
use crate::ops::{Matrix, Real};

/// An [`Encoder`] without its config.
pub(super) struct Weights<T> {
    pub(super) embeddings: Embeddings<T>,
    layers: Vec<Layer<T>>,
    qa_outputs: Linear<T>,
}

impl<T> Weights<T> {
    pub(super) fn with(self, config: Config) -> Encoder<T> {
        Encoder {
            config,
            embeddings: self.embeddings,
            layers: self.layers,
            qa_outputs: self.qa_outputs,
        }
    }
}

/// Reads the weights. What is given is whole only where nothing was added to `problems`; `None` where there is no
/// encoder at all.
pub(super) fn read<T: Real>(
    bytes: &[u8],
    sizes: &Sizes,
    config: Option<&Config>,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) -> Option<Weights<T>> {
    let mut tensors = match Tensors::open(bytes) {
        Ok(tensors) => tensors,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let (hidden, feed_forward) = (sizes.hidden, sizes.feed_forward);
    // Without a config nothing is used in the end.
    let eps = T::of(config.map_or(1e-12, |config| config.layer_norm_eps));

    let embeddings = Embeddings {
        word_embeddings: tensors.table("embeddings.word_embeddings", sizes.vocabulary, hidden),
        position_embeddings: tensors.table(
            "embeddings.position_embeddings",
            sizes.positions,
            hidden,
        ),
        token_type_embeddings: tensors.table(
            "embeddings.token_type_embeddings",
            sizes.segments,
            hidden,
        ),
        layer_norm: tensors.layer_norm("embeddings.LayerNorm", hidden, eps),
    };
    let mut layers = Vec::new();
    let present = present(&mut tensors, sizes.layers);
    for index in &present {
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        layers.push(Layer {
            qkv: stacked(["query", "key", "value"].map(|part| {
                tensors.linear(&name(&format!("attention.self.{part}")), hidden, hidden)
            })),
            attention_output: tensors.linear(&name("attention.output.dense"), hidden, hidden),
            attention_layer_norm: tensors.layer_norm(
                &name("attention.output.LayerNorm"),
                hidden,
                eps,
            ),
            intermediate: tensors.linear(&name("intermediate.dense"), feed_forward, hidden),
            output: tensors.linear(&name("output.dense"), hidden, feed_forward),
            output_layer_norm: tensors.layer_norm(&name("output.LayerNorm"), hidden, eps),
        });
    }
    let qa_outputs = head(&mut tensors, hidden);

    let (found, ignored) = tensors.finish(&present);
    problems.extend(found);
    if !ignored.is_empty() {
        notes.push(format!(
            "model.safetensors: {} tensors have no part in the answer and were passed over: {}",
            ignored.len(),
            ignored.join(", ")
        ));
    }
    Some(Weights {
        embeddings,
        layers,
        qa_outputs,
    })
}

/// The layers that the file and the config have in common; a problem where these are not all of both.
fn present(tensors: &mut Tensors<'_>, expected: Side) -> BTreeSet<usize> {
    let mut present = tensors.layers();
    let Some(expected) = expected else {
        return present;
    };
    let count = present.len();
    if count != expected || present.last().is_some_and(|&last| last >= expected) {
        let range = match (present.first(), present.last()) {
            (Some(first), Some(last)) => format!(", from {first} to {last}"),
            _ => String::new(),
        };
        let got = format!("{count}{range}");
        tensors.problems.push(Problem::Layers { expected, got });
        present.retain(|&index| index < expected);
    }
    present
}

fn head<T: Real>(tensors: &mut Tensors<'_>, hidden: Side) -> Linear<T> {
    if tensors.has_head() {
        return tensors.head(hidden);
    }
    tensors.problems.push(Problem::NoHead);
    Linear {
        weight: Matrix::from_vec(0, 0, Vec::new()),
        bias: Vec::new(),
    }
}

/// The three maps one under the other; (3H, H). Something empty where they do not fit, which is a problem already.
fn stacked<T: Real>(parts: [Linear<T>; 3]) -> Linear<T> {
    let cols = parts[0].weight.cols();
    let fit = parts.iter().all(|part| part.weight.cols() == cols);
    let rows = parts.iter().map(|part| part.weight.rows()).sum();
    let weight = parts.iter().map(|part| part.weight.data());
    Linear {
        weight: if fit {
            Matrix::from_vec(rows, cols, weight.collect::<Vec<_>>().concat())
        } else {
            Matrix::from_vec(0, 0, Vec::new())
        },
        bias: parts.map(|part| part.bias).concat(),
    }
}
