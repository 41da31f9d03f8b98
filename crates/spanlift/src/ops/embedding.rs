//! x = words + position + segment, the sum that the encoder starts from; METHOD rule 2.
//!
//! Positions and segments are the same in input and reference, so their Δ is 0: all of Δx is the words'.
//!
//! Shapes: words, x (S, H); one row of each table a token.

use super::rows::each_row;
use super::{Matrix, Real};
use crate::model::Embeddings;

/// The rows of the word embedding table; (S, H).
///
/// # Panics
///
/// Where an id is no row of the table.
pub fn words<T: Real>(table: &Embeddings<T>, ids: &[u32]) -> Matrix<T> {
    let mut words = Matrix::zeros(ids.len(), table.word_embeddings.cols());
    each_row(&mut words, |i, word| {
        word.copy_from_slice(table.word_embeddings.row(ids[i] as usize))
    });
    words
}

/// x (S, H): token i of its sequence stands at position `positions[i]` in segment `segments[i]`.
///
/// # Panics
///
/// Where a position or a segment is no row of its table.
pub fn forward<T: Real>(
    table: &Embeddings<T>,
    words: &Matrix<T>,
    positions: &[usize],
    segments: &[u32],
) -> Matrix<T> {
    let mut x = words.clone();
    each_row(&mut x, |i, x| {
        let position = table.position_embeddings.row(positions[i]);
        let segment = table.token_type_embeddings.row(segments[i] as usize);
        for (k, x) in x.iter_mut().enumerate() {
            *x += position[k] + segment[k];
        }
    });
    x
}
