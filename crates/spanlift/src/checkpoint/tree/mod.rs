//! The model's tree, filled from the tensors: one line a part, in the checkpoint's own order, under the family's names.
//!
//! Shapes: V vocabulary, P positions, G segments, E embeddings, H hidden, I inside a layer, F feed-forward, L layers.

mod disentangled;
mod narrow;

use std::collections::BTreeSet;

use super::Problem;
use super::config::Sizes;
use super::randomise::Drawing;
use super::tensors::{Side, Tensors};
use super::weights::Found;
use crate::model::{
    Config, Embeddings, Encoder, Family, FeedForward, Layer, Linear, Norm, Projections,
    RelativeTable,
};
use crate::ops::product;
use crate::ops::{Matrix, Real};

/// An [`Encoder`] without its config.
pub(super) struct Weights<T> {
    pub(super) embeddings: Embeddings<T>,
    relative_table: Option<RelativeTable<T>>,
    layers: Vec<Layer<T>>,
    qa_outputs: Linear<T>,
}

impl<T> Weights<T> {
    pub(super) fn with(self, config: Config) -> Encoder<T> {
        Encoder {
            config,
            embeddings: self.embeddings,
            relative_table: self.relative_table,
            layers: self.layers,
            qa_outputs: self.qa_outputs,
        }
    }
}

/// Reads the weights, or draws them. What is given is whole only where nothing was added to `problems`; `None` where there is no
/// encoder at all.
pub(super) fn read<T: Real>(
    found: &Found<'_>,
    sizes: &Sizes,
    config: Option<&Config>,
    drawing: Option<Drawing>,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) -> Option<Weights<T>> {
    let mut tensors = match Tensors::open(found, sizes.names, drawing) {
        Ok(tensors) => tensors,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    // Without a config nothing is used in the end.
    let eps = T::of(config.map_or(1e-12, |config| config.layer_norm_eps));

    let embeddings = embeddings(&mut tensors, sizes, eps);
    let relative_table = disentangled::table(&mut tensors, sizes, eps);
    let table = relative_table.as_ref().map(RelativeTable::normed);
    let mut layers = Vec::new();
    let present = present(&mut tensors, sizes.layers);
    for &index in &present {
        let path = format!("{}{index}.", sizes.names.tensors.encoder);
        layers.push(match sizes.names.family {
            Family::MobileBert => narrow::layer(&mut tensors, &path, sizes, eps),
            _ => layer(&mut tensors, &path, sizes, table.as_ref(), eps),
        });
    }
    let qa_outputs = head(&mut tensors, sizes.hidden);

    let (wrong, ignored) = tensors.finish(&present, sizes);
    problems.extend(wrong);
    if !ignored.is_empty() {
        notes.push(format!(
            "{}: {} tensors have no part in the answer and were passed over: {}",
            found.file,
            ignored.len(),
            ignored.join(", ")
        ));
    }
    Some(Weights {
        embeddings,
        relative_table,
        layers,
        qa_outputs,
    })
}

fn embeddings<T: Real>(tensors: &mut Tensors<'_>, sizes: &Sizes, eps: T) -> Embeddings<T> {
    let (hidden, embedding) = (sizes.hidden, sizes.embedding);
    let mut table = |name, rows, cols| tensors.table(name, rows, cols);
    let word_embeddings = table("embeddings.word_embeddings", sizes.vocabulary, embedding);
    // MobileBERT adds positions and segments behind its transformation.
    let added = if sizes.narrow.is_some() {
        hidden
    } else {
        embedding
    };
    let position_embeddings = sizes.has_positions.then(|| {
        let rows = table("embeddings.position_embeddings", sizes.position_rows, added);
        from_row(rows, sizes.first_position)
    });
    let token_type_embeddings = (sizes.segments != Some(0))
        .then(|| table("embeddings.token_type_embeddings", sizes.segments, added));
    let embedding_transformation = sizes.narrow.map(|_| {
        let name = "embeddings.embedding_transformation";
        tensors.linear(name, hidden, embedding.map(|e| 3 * e))
    });
    let projected = embedding.is_some() && embedding != hidden;
    let family = sizes.names.family;
    let embed_proj = (projected && family == Family::DebertaV2)
        .then(|| tensors.unbiased("embeddings.embed_proj", hidden, embedding));
    let embeddings_project = (projected && family == Family::Electra)
        .then(|| tensors.linear("embeddings_project", hidden, embedding));
    let normed = if embeddings_project.is_some() {
        embedding
    } else {
        hidden
    };
    Embeddings {
        word_embeddings,
        embedding_transformation,
        position_embeddings,
        token_type_embeddings,
        embed_proj,
        norm: norm(tensors, "embeddings.LayerNorm", normed, sizes, eps),
        embeddings_project,
    }
}

fn layer<T: Real>(
    tensors: &mut Tensors<'_>,
    path: &str,
    sizes: &Sizes,
    table: Option<&Matrix<T>>,
    eps: T,
) -> Layer<T> {
    let (hidden, feed_forward) = (sizes.hidden, sizes.feed_forward);
    let names = &sizes.names.tensors;
    let name = |part: &str| format!("{path}{part}");
    let qkv = tensors.stacked(
        [names.query, names.key, names.value].map(name),
        hidden,
        hidden,
    );
    let found = table.and_then(|table| disentangled::read(tensors, path, sizes, &qkv, table));
    let (relative, position_maps) = found.unzip();
    Layer {
        projections: Projections::Joint(qkv),
        relative,
        position_maps: position_maps.flatten(),
        attention_output: tensors.linear(&name(names.attention_output), hidden, hidden),
        attention_norm: norm(tensors, &name(names.attention_norm), hidden, sizes, eps),
        feed_forwards: vec![FeedForward {
            intermediate: tensors.linear(&name(names.intermediate), feed_forward, hidden),
            output: tensors.linear(&name(names.output), hidden, feed_forward),
            norm: norm(tensors, &name(names.output_norm), hidden, sizes, eps),
        }],
    }
}

/// LayerNorm, or what MobileBERT puts in its place.
fn norm<T: Real>(
    tensors: &mut Tensors<'_>,
    name: &str,
    units: Side,
    sizes: &Sizes,
    eps: T,
) -> Norm<T> {
    let norm = tensors.layer_norm(name, units, eps);
    if sizes.narrow.is_some() {
        Norm::NoNorm {
            weight: norm.weight,
            bias: norm.bias,
        }
    } else {
        Norm::LayerNorm(norm)
    }
}

/// The table without the rows before `first`. Something empty where there are not that many, which is a problem already.
fn from_row<T: Real>(table: Matrix<T>, first: usize) -> Matrix<T> {
    if first == 0 || table.rows() < first {
        return table;
    }
    let (rows, cols) = (table.rows() - first, table.cols());
    Matrix::from_vec(rows, cols, table.data()[first * cols..].to_vec())
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
        let file = tensors.file.to_owned();
        tensors.problems.push(Problem::Layers {
            file,
            expected,
            got,
        });
        present.retain(|&index| index < expected);
    }
    present
}

fn head<T: Real>(tensors: &mut Tensors<'_>, hidden: Side) -> Linear<T> {
    if tensors.has_head() {
        return tensors.head(hidden);
    }
    if let Some(head) = tensors.drawn_head(hidden) {
        return head;
    }
    let file = tensors.file.to_owned();
    tensors.problems.push(Problem::NoHead { file });
    Linear {
        weight: product::Weights::of(&Matrix::zeros(0, 0)),
        bias: Vec::new(),
    }
}
