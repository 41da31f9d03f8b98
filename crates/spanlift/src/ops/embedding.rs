//! x = words + position + segment, the sum that the encoder starts from; METHOD rule 2.
//!
//! Positions and segments are the same in input and reference, so their Δ is 0: all of Δx is the words'.
//!
//! MobileBERT (Sun et al. 2020, section 3.1) puts each word between its neighbours first: t_i = (w_{i+1}, w_i, w_{i−1}),
//! nothing beyond the ends of a sequence. Multiplier: each word gathers its three places; METHOD rule 1.
//!
//! Shapes: words (S, E), trigrams (S, 3E), x (S, E) or, of trigrams, (S, H); one row of each table a token.

use super::rows::each_row;
use super::{Matrix, Real};
use crate::model::Embeddings;

/// The rows of the word embedding table; (S, E).
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

/// Adds to each row of x its position and its segment: token i of its sequence stands at position `positions[i]` in
/// segment `segments[i]`. What the encoder has no table for adds nothing.
///
/// # Panics
///
/// Where a position or a segment is no row of its table.
pub fn forward<T: Real>(
    table: &Embeddings<T>,
    positions: &[usize],
    segments: &[u32],
    x: &mut Matrix<T>,
) {
    let of = |row: Option<&[T]>, k: usize| row.map_or(T::ZERO, |row| row[k]);
    each_row(x, |i, x| {
        let position = table.position_embeddings.as_ref();
        let position = position.map(|table| table.row(positions[i]));
        let segment = table.token_type_embeddings.as_ref();
        let segment = segment.map(|table| table.row(segments[i] as usize));
        for (k, x) in x.iter_mut().enumerate() {
            *x += of(position, k) + of(segment, k);
        }
    });
}

/// Where the three parts of row `i` come from: the next word, the word itself, the one before; `None` beyond an end.
fn neighbours(i: usize, starts: &[usize]) -> [Option<usize>; 3] {
    let sequence = starts.partition_point(|&start| start <= i);
    let (first, end) = (starts[sequence - 1], starts[sequence]);
    [
        (i + 1 < end).then_some(i + 1),
        Some(i),
        (i > first).then(|| i - 1),
    ]
}

/// (N, 3E) from words (N, E); sequences begin at the rows `starts`, the last entry is N.
pub fn trigrams<T: Real>(words: &Matrix<T>, starts: &[usize]) -> Matrix<T> {
    let width = words.cols();
    let mut trigrams = Matrix::zeros(words.rows(), 3 * width);
    each_row(&mut trigrams, |i, trigram| {
        let parts = trigram.chunks_exact_mut(width);
        for (part, from) in parts.zip(neighbours(i, starts)) {
            if let Some(from) = from {
                part.copy_from_slice(words.row(from));
            }
        }
    });
    trigrams
}

/// m of the words (N, E) from m of the trigrams (N, 3E).
pub fn trigrams_multiplier<T: Real>(m: &Matrix<T>, starts: &[usize]) -> Matrix<T> {
    let width = m.cols() / 3;
    let mut m_words = Matrix::zeros(m.rows(), width);
    each_row(&mut m_words, |i, word| {
        // What follows in a trigram stands before it here: word i is the next one of word i − 1.
        let [next, own, before] = neighbours(i, starts);
        for (part, row) in [(0, before), (1, own), (2, next)] {
            if let Some(row) = row {
                let m = &m.row(row)[part * width..(part + 1) * width];
                word.iter_mut().zip(m).for_each(|(word, &m)| *word += m);
            }
        }
    });
    m_words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Norm;

    fn table() -> Embeddings<f64> {
        Embeddings {
            word_embeddings: Matrix::from_vec(3, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            embedding_transformation: None,
            position_embeddings: Some(Matrix::from_vec(2, 2, vec![10.0, 20.0, 30.0, 40.0])),
            token_type_embeddings: Some(Matrix::from_vec(2, 2, vec![0.25, 0.5, -0.25, -0.5])),
            embed_proj: None,
            norm: Norm::NoNorm {
                weight: vec![1.0; 2],
                bias: vec![0.0; 2],
            },
            embeddings_project: None,
        }
    }

    #[test]
    fn a_small_case_by_hand() {
        let mut table = table();
        // Two sequences, of two tokens and of one: positions begin again.
        let words = words(&table, &[2, 0, 2]);
        assert_eq!(words.data(), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
        let mut x = words.clone();
        forward(&table, &[0, 1, 0], &[0, 1, 1], &mut x);
        // 5 + 10 + ¼, 6 + 20 + ½; 1 + 30 − ¼, 2 + 40 − ½; 5 + 10 − ¼, 6 + 20 − ½.
        assert_eq!(x.data(), [15.25, 26.5, 30.75, 41.5, 14.75, 25.5]);

        table.token_type_embeddings = None;
        let mut x = words.clone();
        forward(&table, &[0, 1, 0], &[0, 1, 1], &mut x);
        assert_eq!(x.data(), [15.0, 26.0, 31.0, 42.0, 15.0, 26.0]);
        table.position_embeddings = None;
        let mut x = words.clone();
        forward(&table, &[0, 1, 0], &[0, 1, 1], &mut x);
        assert_eq!(x, words);
    }

    #[test]
    fn trigrams_stay_inside_their_sequence() {
        let words = Matrix::from_vec(4, 1, vec![1.0, 2.0, 3.0, 4.0]);
        let starts = [0, 3, 4];
        let want = [
            [2.0, 1.0, 0.0],
            [3.0, 2.0, 1.0],
            [0.0, 3.0, 2.0],
            [0.0, 4.0, 0.0],
        ];
        assert_eq!(trigrams(&words, &starts).data(), want.concat());
        // ⟨m, trigrams(w)⟩ = ⟨multiplier(m), w⟩ for any w: by the matrix of the map, m's column sums.
        let m = Matrix::from_vec(4, 3, (1..=12).map(f64::from).collect());
        // Word 0: own place of row 0, last of row 1; word 1: first of 0, own of 1, last of 2; …
        let want = [2.0 + 6.0, 1.0 + 5.0 + 9.0, 4.0 + 8.0, 11.0];
        assert_eq!(trigrams_multiplier(&m, &starts).data(), want);
    }
}
