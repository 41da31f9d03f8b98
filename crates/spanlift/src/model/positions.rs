//! DeBERTa's relative positions as a checkpoint has them: one table for all layers, which each layer projects by maps of its own or by those of
//! its queries and keys (`share_att_key`). What the attention needs of it is projected once: [`Relative`].
//!
//! Shapes: B rows of the table for distances of one sign, H hidden units.

use super::{Encoder, Linear, Norm, Projections};
use crate::ops::product::Weights;
use crate::ops::{Matrix, Real, linear, norm};

/// `encoder.rel_embeddings`, and the norm over it.
#[derive(Clone, Debug, PartialEq)]
pub struct RelativeTable<T> {
    /// (2B, H).
    pub weight: Matrix<T>,
    /// `encoder.LayerNorm`; none where `norm_rel_ebd` says so.
    pub norm: Option<Norm<T>>,
}

/// A layer's own maps of the table, where its queries' and keys' are not for it.
#[derive(Clone, Debug, PartialEq)]
pub struct PositionMaps<T> {
    /// `attention.self.pos_key_proj`; (H, H).
    pub key: Option<Linear<T>>,
    /// `attention.self.pos_query_proj`; (H, H).
    pub query: Option<Linear<T>>,
}

impl<T: Real> RelativeTable<T> {
    /// The table as layers see it; (2B, H).
    #[must_use]
    pub fn normed(&self) -> Matrix<T> {
        match &self.norm {
            Some(norm) => norm::forward(norm, self.weight.clone()).0,
            None => self.weight.clone(),
        }
    }
}

/// Queries (0), keys (1) or values (2) of a joint map. Something empty where it is none.
#[must_use]
pub(crate) fn part_of<T: Real>(qkv: &Linear<T>, part: usize) -> Linear<T> {
    let (rows, cols) = (qkv.weight.outputs() / 3, qkv.weight.inputs());
    let weight = qkv.weight.matrix();
    let own = part * rows * cols..(part + 1) * rows * cols;
    let bias = qkv.bias.get(part * rows..(part + 1) * rows);
    Linear {
        weight: Weights::of(&Matrix::from_vec(rows, cols, weight.data()[own].to_vec())),
        bias: bias.unwrap_or_default().to_vec(),
    }
}

impl<T: Real> Encoder<T> {
    /// Projects the table anew, after it or a map changed.
    pub(crate) fn project_positions(&mut self) {
        let Some(table) = &self.relative_table else {
            return;
        };
        let table = table.normed();
        for layer in &mut self.layers {
            let Some(relative) = &mut layer.relative else {
                continue;
            };
            let of = |part: usize, own: fn(&PositionMaps<T>) -> &Option<Linear<T>>| match (
                layer.position_maps.as_ref().map(own),
                &layer.projections,
            ) {
                (Some(Some(map)), _) => Some(linear::forward(map, &table)),
                (None, Projections::Joint(qkv)) => {
                    Some(linear::forward(&part_of(qkv, part), &table))
                }
                _ => None,
            };
            if let Some(key) = &mut relative.key {
                *key = of(1, |maps| &maps.key).unwrap_or_else(|| key.clone());
            }
            if let Some(query) = &mut relative.query {
                *query = of(0, |maps| &maps.query).unwrap_or_else(|| query.clone());
            }
        }
    }
}
