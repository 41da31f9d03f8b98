//! DeBERTa's tables of relative positions: one for all layers, which each layer projects once and for all.

use super::{Sizes, Tensors};
use crate::model::Linear;
use crate::ops::product::Weights;
use crate::ops::relative::Relative;
use crate::ops::{Matrix, Real, layer_norm, linear};

const EMBEDDINGS: &str = "encoder.rel_embeddings";
const NORM: &str = "encoder.LayerNorm";

/// The table; (2B, H). `None` where the attention does not know positions.
pub(super) fn table<T: Real>(
    tensors: &mut Tensors<'_>,
    sizes: &Sizes,
    eps: T,
) -> Option<Matrix<T>> {
    let disentangled = sizes.disentangled?;
    let rows = 2 * disentangled.buckets.span;
    let mut table = tensors.table(EMBEDDINGS, Some(rows), sizes.hidden);
    if disentangled.normed {
        let norm = tensors.layer_norm(NORM, sizes.hidden, eps);
        // What does not fit is a problem already.
        if norm.weight.len() == table.cols() && norm.bias.len() == table.cols() {
            table = layer_norm::forward(&norm, table).0;
        }
    }
    Some(table)
}

/// The table as a layer sees it, through the maps of its queries and keys or through maps of its own.
pub(super) fn read<T: Real>(
    tensors: &mut Tensors<'_>,
    path: &str,
    sizes: &Sizes,
    qkv: &Linear<T>,
    table: &Matrix<T>,
) -> Option<Relative<T>> {
    let disentangled = sizes.disentangled?;
    let mut projected = |part: usize, name: &str| {
        let map = if disentangled.share_att_key {
            part_of(qkv, part)
        } else {
            tensors.linear(
                &format!("{path}attention.self.{name}"),
                sizes.hidden,
                sizes.hidden,
            )
        };
        // What does not fit is a problem already.
        if map.weight.inputs() == table.cols() && map.weight.outputs() == map.bias.len() {
            linear::forward(&map, table)
        } else {
            Matrix::zeros(0, 0)
        }
    };
    let key = disentangled.c2p.then(|| projected(1, "pos_key_proj"));
    let query = disentangled.p2c.then(|| projected(0, "pos_query_proj"));
    (key.is_some() || query.is_some()).then_some(Relative {
        key,
        query,
        buckets: disentangled.buckets,
    })
}

/// Queries (0) or keys (1) of the joint map. Something empty where it is no joint map, which is a problem already.
fn part_of<T: Real>(qkv: &Linear<T>, part: usize) -> Linear<T> {
    let (rows, cols) = (qkv.weight.outputs() / 3, qkv.weight.inputs());
    let weight = qkv.weight.matrix();
    let own = part * rows * cols..(part + 1) * rows * cols;
    let bias = qkv.bias.get(part * rows..(part + 1) * rows);
    Linear {
        weight: Weights::of(&Matrix::from_vec(rows, cols, weight.data()[own].to_vec())),
        bias: bias.unwrap_or_default().to_vec(),
    }
}
