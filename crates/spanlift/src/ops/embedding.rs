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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LayerNorm;

    #[test]
    fn a_small_case_by_hand() {
        let table = Embeddings {
            word_embeddings: Matrix::from_vec(3, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            position_embeddings: Matrix::from_vec(2, 2, vec![10.0, 20.0, 30.0, 40.0]),
            token_type_embeddings: Matrix::from_vec(2, 2, vec![0.25, 0.5, -0.25, -0.5]),
            layer_norm: LayerNorm {
                weight: vec![1.0; 2],
                bias: vec![0.0; 2],
                eps: 1e-12,
            },
        };
        // Two sequences, of two tokens and of one: positions begin again.
        let words = words(&table, &[2, 0, 2]);
        assert_eq!(words.data(), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
        let x = forward(&table, &words, &[0, 1, 0], &[0, 1, 1]);
        // 5 + 10 + ¼, 6 + 20 + ½; 1 + 30 − ¼, 2 + 40 − ½; 5 + 10 − ¼, 6 + 20 − ½.
        assert_eq!(x.data(), [15.25, 26.5, 30.75, 41.5, 14.75, 25.5]);
    }
}
