//! DeBERTa's tables of relative positions: one for all layers, which each layer projects once and for all.

use super::{Sizes, Tensors};
use crate::model::{LayerNorm, Linear, Norm, PositionMaps, RelativeTable, part_of};
use crate::ops::relative::Relative;
use crate::ops::{Matrix, Real, linear};

const EMBEDDINGS: &str = "encoder.rel_embeddings";
const NORM: &str = "encoder.LayerNorm";

/// The table; (2B, H). `None` where the attention does not know positions.
pub(super) fn table<T: Real>(
    tensors: &mut Tensors<'_>,
    sizes: &Sizes,
    eps: T,
) -> Option<RelativeTable<T>> {
    let disentangled = sizes.disentangled?;
    let rows = 2 * disentangled.buckets.span;
    let weight = tensors.table(EMBEDDINGS, Some(rows), sizes.hidden);
    let norm = disentangled
        .normed
        .then(|| tensors.layer_norm(NORM, sizes.hidden, eps));
    // What does not fit is a problem already.
    let fits = |norm: &LayerNorm<T>| {
        norm.weight.len() == weight.cols() && norm.bias.len() == weight.cols()
    };
    let norm = norm.filter(fits).map(Norm::LayerNorm);
    Some(RelativeTable { weight, norm })
}

/// The normed table as a layer sees it, through the maps of its queries and keys or through maps of its own, which are given too.
pub(super) fn read<T: Real>(
    tensors: &mut Tensors<'_>,
    path: &str,
    sizes: &Sizes,
    qkv: &Linear<T>,
    table: &Matrix<T>,
) -> Option<(Relative<T>, Option<PositionMaps<T>>)> {
    let disentangled = sizes.disentangled?;
    let mut map = |wanted: bool, name: &str| {
        let name = format!("{path}attention.self.{name}");
        wanted.then(|| tensors.linear(&name, sizes.hidden, sizes.hidden))
    };
    let maps = (!disentangled.share_att_key).then(|| PositionMaps {
        key: map(disentangled.c2p, "pos_key_proj"),
        query: map(disentangled.p2c, "pos_query_proj"),
    });
    let projected = |part: usize, own: Option<&Option<Linear<T>>>| {
        let shared;
        let map = match own {
            Some(own) => own.as_ref()?,
            None => {
                shared = part_of(qkv, part);
                &shared
            }
        };
        // What does not fit is a problem already.
        let fits = map.weight.inputs() == table.cols() && map.weight.outputs() == map.bias.len();
        Some(if fits {
            linear::forward(map, table)
        } else {
            Matrix::zeros(0, 0)
        })
    };
    let key = disentangled
        .c2p
        .then(|| projected(1, maps.as_ref().map(|maps| &maps.key)));
    let query = disentangled
        .p2c
        .then(|| projected(0, maps.as_ref().map(|maps| &maps.query)));
    let (key, query) = (key.flatten(), query.flatten());
    let relative = (key.is_some() || query.is_some()).then_some(Relative {
        key,
        query,
        buckets: disentangled.buckets,
    })?;
    Some((relative, maps))
}
