//! ctx = softmax(QKᵀ/√D)·V, for each sequence and head; METHOD rules 4 and 5.
//!
//! Multipliers, with m_O those of a head's ctx, P̄ = (P + P0)/2 and so on: m_V = P̄ᵀ·m_O and m_P = m_O·V̄ᵀ (the
//! Shapley value of two factors), m_P becomes m_s by the softmax rule, m_Q = m_s·K̄/√D, m_K = m_sᵀ·Q̄/√D.
//!
//! Edges, from key j to query i: content P̄_ij·⟨m_O,i, ΔV_j⟩, what the head carries, and pattern
//! (m_P,ij − ⟨ℓ_i, m_P,i⟩/Λ_i)·ΔP_ij, where it looks; METHOD section 2.
//!
//! Shapes: sequences packed one behind the other, N tokens in all; qkv (N, 3H), ctx (N, H); P (A, S, S) for each
//! sequence of S tokens.

use rayon::prelude::*;

use super::product::{Threads, View, ViewMut, multiply};
use super::rows::vectorised;
use super::softmax;
use super::{Matrix, Real};

/// Attention of one head over one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Head<T> {
    /// P; (S, S), a row a query.
    pub probs: Matrix<T>,
    /// ln P; (S, S). Kept, because P may be 0 where ln P is not −∞.
    pub log_probs: Matrix<T>,
}

/// Rule of the two products QKᵀ and PV, and of the softmax between them: which pair of passes each is taken at.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a, T> {
    /// Input and reference of the change: Δ is taken between these.
    pub change: [Pass<'a, T>; 2],
    /// The two ends of the mean that stands for Q̄, K̄, V̄ and P̄.
    pub product: [Pass<'a, T>; 2],
    /// The two ends of the log-mean.
    pub softmax: [Pass<'a, T>; 2],
}

/// What one forward pass kept of the attention of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a, T> {
    /// Queries, keys and values; (N, 3H).
    pub qkv: &'a Matrix<T>,
    /// The heads of the first sequence, then those of the next.
    pub heads: &'a [Head<T>],
}

/// Edge scores of one head over one sequence; (S, S) each, a row a query, a column a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Edges<T> {
    /// Where the head looks.
    pub pattern: Matrix<T>,
    /// What it carries.
    pub content: Matrix<T>,
}

/// One head's columns in qkv: those of Q, of K and of V.
#[derive(Clone, Copy)]
struct Columns {
    head: usize,
    hidden: usize,
    width: usize,
}

impl Columns {
    /// `part`: 0 for Q, 1 for K, 2 for V.
    fn of<'a, T: Real>(self, qkv: &'a Matrix<T>, rows: [usize; 2], part: usize) -> View<'a, T> {
        let from = part * self.hidden + self.head * self.width;
        qkv.view().block(rows[0]..rows[1], from..from + self.width)
    }
}

fn scale<T: Real>(width: usize) -> T {
    T::of(1.0 / (width as f64).sqrt())
}

/// ctx (N, H) and the heads of each sequence, which begin at the rows `starts` (the last entry is N).
pub fn forward<T: Real>(
    qkv: &Matrix<T>,
    starts: &[usize],
    heads: usize,
) -> (Matrix<T>, Vec<Head<T>>) {
    let hidden = qkv.cols() / 3;
    let width = hidden / heads;
    let mut ctx = Matrix::zeros(qkv.rows(), hidden);
    let kept = ctx
        .view_mut()
        .blocks(starts, heads)
        .into_par_iter()
        .enumerate()
        .map(|(at, ctx)| {
            let rows = [starts[at / heads], starts[at / heads + 1]];
            let columns = Columns {
                head: at % heads,
                hidden,
                width,
            };
            let s = rows[1] - rows[0];
            let mut log_probs = Matrix::zeros(s, s);
            let (q, k, v) = (
                columns.of(qkv, rows, 0),
                columns.of(qkv, rows, 1),
                columns.of(qkv, rows, 2),
            );
            multiply(
                log_probs.view_mut(),
                false,
                scale(width),
                q,
                k.t(),
                Threads::One,
            );
            let mut probs = Matrix::zeros(s, s);
            for i in 0..s {
                softmax::forward(log_probs.row_mut(i), probs.row_mut(i));
            }
            multiply(ctx, false, T::ONE, probs.view(), v, Threads::One);
            Head { probs, log_probs }
        })
        .collect();
    (ctx, kept)
}

/// m_qkv (N, 3H) from m_ctx (N, H); `edges(sequence, head, edge scores)` receives each head's, from any thread, and
/// what it returns is returned, the heads of the first sequence first.
pub fn multiplier<T: Real, U: Send>(
    pairs: &Pairs<'_, T>,
    starts: &[usize],
    heads: usize,
    m_ctx: &Matrix<T>,
    edges: impl Fn(usize, usize, &dyn Fn() -> Edges<T>) -> U + Sync,
) -> (Matrix<T>, Vec<U>) {
    let hidden = m_ctx.cols();
    let width = hidden / heads;
    let mut m_qkv = Matrix::zeros(m_ctx.rows(), 3 * hidden);
    // The blocks of a sequence's row: Q, K and V of every head. Dealt out to the heads.
    let sequences = starts.len() - 1;
    let mut dealt: Vec<Vec<ViewMut<'_, T>>> = (0..sequences * heads)
        .map(|_| Vec::with_capacity(3))
        .collect();
    for (at, block) in m_qkv
        .view_mut()
        .blocks(starts, 3 * heads)
        .into_iter()
        .enumerate()
    {
        dealt[at / (3 * heads) * heads + at % heads].push(block);
    }
    let found = dealt
        .into_par_iter()
        .enumerate()
        .map(|(at, blocks)| {
            let rows = [starts[at / heads], starts[at / heads + 1]];
            let columns = Columns {
                head: at % heads,
                hidden,
                width,
            };
            let m_o = m_ctx.view().block(
                rows[0]..rows[1],
                at % heads * width..(at % heads + 1) * width,
            );
            let (m_p, centres) = head(pairs, at, columns, rows, m_o, blocks);
            edges(at / heads, at % heads, &|| {
                edge_scores(pairs, at, columns, rows, m_o, &m_p, &centres)
            })
        })
        .collect();
    (m_qkv, found)
}

/// Writes one head's m_Q, m_K, m_V; gives m_P and each query's centre ⟨ℓ, m_P⟩/Λ.
fn head<T: Real>(
    pairs: &Pairs<'_, T>,
    at: usize,
    columns: Columns,
    rows: [usize; 2],
    m_o: View<'_, T>,
    blocks: Vec<ViewMut<'_, T>>,
) -> (Matrix<T>, Vec<T>) {
    let s = rows[1] - rows[0];
    let [a, b] = pairs.product;
    let mean = |part| half_sum(columns.of(a.qkv, rows, part), columns.of(b.qkv, rows, part));
    let (q, k, v) = (mean(0), mean(1), mean(2));
    let p = half_sum(a.heads[at].probs.view(), b.heads[at].probs.view());
    let mut m_p = Matrix::zeros(s, s);
    multiply(
        m_p.view_mut(),
        false,
        T::ONE,
        m_o,
        v.view().t(),
        Threads::One,
    );
    let mut m_s = m_p.clone();
    let mut scratch = vec![T::ZERO; s];
    let [a, b] = pairs.softmax.map(|pass| &pass.heads[at]);
    let centres = (0..s)
        .map(|i| {
            let (p, p0) = (
                (a.probs.row(i), a.log_probs.row(i)),
                (b.probs.row(i), b.log_probs.row(i)),
            );
            softmax::multiplier(p.0, p.1, p0.0, p0.1, m_s.row_mut(i), &mut scratch)
        })
        .collect();
    let mut blocks = blocks.into_iter();
    let scale = scale(columns.width);
    if let (Some(m_q), Some(m_k), Some(m_v)) = (blocks.next(), blocks.next(), blocks.next()) {
        multiply(m_q, false, scale, m_s.view(), k.view(), Threads::One);
        multiply(m_k, false, scale, m_s.view().t(), q.view(), Threads::One);
        multiply(m_v, false, T::ONE, p.view().t(), m_o, Threads::One);
    }
    (m_p, centres)
}

fn edge_scores<T: Real>(
    pairs: &Pairs<'_, T>,
    at: usize,
    columns: Columns,
    rows: [usize; 2],
    m_o: View<'_, T>,
    m_p: &Matrix<T>,
    centres: &[T],
) -> Edges<T> {
    let s = rows[1] - rows[0];
    let [x, x0] = pairs.change;
    let (v, v0) = (columns.of(x.qkv, rows, 2), columns.of(x0.qkv, rows, 2));
    let mut change = Matrix::zeros(s, columns.width);
    for i in 0..s {
        for (d, (&v, &v0)) in change
            .row_mut(i)
            .iter_mut()
            .zip(v.row(i).iter().zip(v0.row(i)))
        {
            *d = v - v0;
        }
    }
    let mut content = Matrix::zeros(s, s);
    multiply(
        content.view_mut(),
        false,
        T::ONE,
        m_o,
        change.view().t(),
        Threads::One,
    );
    let mut pattern = m_p.clone();
    let ([a, b], [p, p0]) = (pairs.product, pairs.change);
    for i in 0..s {
        edge_row(
            a.heads[at].probs.row(i),
            b.heads[at].probs.row(i),
            p.heads[at].probs.row(i),
            p0.heads[at].probs.row(i),
            centres[i],
            pattern.row_mut(i),
            content.row_mut(i),
        );
    }
    Edges { pattern, content }
}

vectorised! {
    fn edge_row<'a, T: Real>(
        a: &'a [T], b: &'a [T], p: &'a [T], p0: &'a [T], centre: T, pattern: &'a mut [T], content: &'a mut [T],
    ) -> () {
        let n = pattern.len();
        let (a, b, p, p0, content) = (&a[..n], &b[..n], &p[..n], &p0[..n], &mut content[..n]);
        for j in 0..n {
            pattern[j] = (pattern[j] - centre) * (p[j] - p0[j]);
            content[j] *= T::of(0.5) * (a[j] + b[j]);
        }
    }
}

/// (a + b)/2.
fn half_sum<T: Real>(a: View<'_, T>, b: View<'_, T>) -> Matrix<T> {
    let mut mean = Matrix::zeros(a.rows(), a.cols());
    for i in 0..a.rows() {
        for (m, (&a, &b)) in mean
            .row_mut(i)
            .iter_mut()
            .zip(a.row(i).iter().zip(b.row(i)))
        {
            *m = T::of(0.5) * (a + b);
        }
    }
    mean
}
