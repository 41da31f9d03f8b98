//! ctx = softmax(QKᵀ/√D)·V, for each sequence and head; METHOD rules 4 and 5.
//!
//! DeBERTa adds terms to the scores before the softmax and divides by more than √D: [`relative`].
//!
//! Multipliers, with m_O those of a head's ctx, P̄ = (P + P0)/2 and so on: m_V = P̄ᵀ·m_O and m_P = m_O·V̄ᵀ (the
//! Shapley value of two factors), m_P becomes m_s by the softmax rule, m_Q = m_s·K̄/√D, m_K = m_sᵀ·Q̄/√D.
//!
//! Edges, from key j to query i: content P̄_ij·⟨m_O,i, ΔV_j⟩, what the head carries, and pattern
//! (m_P,ij − ⟨ℓ_i, m_P,i⟩/Λ_i)·ΔP_ij, where it looks; METHOD section 2.
//!
//! Shapes: sequences packed one behind the other, N tokens in all; qkv (N, 3I), ctx (N, I), with I the attention's
//! units, D = I/A; P (A, S, S) for each sequence of S tokens.

use std::ops::Range;

use rayon::prelude::*;

use super::product::{View, ViewMut, multiply};
use super::relative::{self, Relative};
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
    /// Queries, keys and values; (N, 3I).
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

    /// In a matrix of H columns.
    fn own(self) -> Range<usize> {
        self.head * self.width..(self.head + 1) * self.width
    }
}

/// 1/√(D·(1 + t)), with t terms beside QKᵀ.
fn scale<T: Real>(width: usize, relative: Option<&Relative<T>>) -> T {
    let terms = 1 + relative.map_or(0, Relative::terms);
    T::of(1.0 / ((width * terms) as f64).sqrt())
}

/// ctx (N, I) and the heads of each sequence, which begin at the rows `starts` (the last entry is N).
pub fn forward<T: Real>(
    qkv: &Matrix<T>,
    starts: &[usize],
    heads: usize,
    relative: Option<&Relative<T>>,
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
            let scale = scale(width, relative);
            multiply(log_probs.view_mut(), false, scale, q, k.t());
            if let Some(relative) = relative {
                relative::forward(relative, columns.own(), [q, k], scale, &mut log_probs);
            }
            let mut probs = Matrix::zeros(s, s);
            for i in 0..s {
                softmax::forward(log_probs.row_mut(i), probs.row_mut(i));
            }
            multiply(ctx, false, T::ONE, probs.view(), v);
            Head { probs, log_probs }
        })
        .collect();
    (ctx, kept)
}

/// m_qkv (N, 3I) from m_ctx (N, I); `edges(sequence, head, edge scores)` receives each head's, from any thread, and
/// what it returns is returned, the heads of the first sequence first.
pub fn multiplier<T: Real, U: Send>(
    pairs: &Pairs<'_, T>,
    starts: &[usize],
    heads: usize,
    relative: Option<&Relative<T>>,
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
            let m_o = m_ctx.view().block(rows[0]..rows[1], columns.own());
            let (m_p, centres) = head(pairs, at, columns, rows, relative, m_o, blocks);
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
    relative: Option<&Relative<T>>,
    m_o: View<'_, T>,
    blocks: Vec<ViewMut<'_, T>>,
) -> (Matrix<T>, Vec<T>) {
    let s = rows[1] - rows[0];
    let [a, b] = pairs.product;
    let mean = |part| half_sum(columns.of(a.qkv, rows, part), columns.of(b.qkv, rows, part));
    let (q, k, v) = (mean(0), mean(1), mean(2));
    let p = half_sum(a.heads[at].probs.view(), b.heads[at].probs.view());
    let mut m_p = Matrix::zeros(s, s);
    multiply(m_p.view_mut(), false, T::ONE, m_o, v.view().t());
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
    let scale = scale(columns.width, relative);
    if let (Some(mut m_q), Some(mut m_k), Some(m_v)) = (blocks.next(), blocks.next(), blocks.next())
    {
        let (on_q, on_k) = (m_q.again(), m_k.again());
        multiply(on_q, false, scale, m_s.view(), k.view());
        multiply(on_k, false, scale, m_s.view().t(), q.view());
        if let Some(relative) = relative {
            relative::multiplier(relative, columns.own(), &m_s, scale, [m_q, m_k]);
        }
        multiply(m_v, false, T::ONE, p.view().t(), m_o);
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
    multiply(content.view_mut(), false, T::ONE, m_o, change.view().t());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, a: f64, size: f64) -> Vec<f64> {
        (0..n).map(|k| size * (a + 2.3 * k as f64).sin()).collect()
    }

    /// Two sequences, of 5 and of 3 tokens, two heads of 3 columns.
    const STARTS: [usize; 3] = [0, 5, 8];
    const HEADS: usize = 2;
    const WIDTH: usize = 3;
    const HIDDEN: usize = HEADS * WIDTH;

    fn rows<T: Real>(a: f64, cols: usize, size: f64) -> Matrix<T> {
        let numbers = wave(8 * cols, a, size).into_iter().map(T::of).collect();
        Matrix::from_vec(8, cols, numbers)
    }

    /// qkv of input and reference, and m_ctx. The second sequence's second token is its reference's.
    fn case<T: Real>() -> [Matrix<T>; 3] {
        let (x, mut x0) = (rows(1.0, 3 * HIDDEN, 1.5), rows(7.7, 3 * HIDDEN, 1.2));
        x0.row_mut(6).copy_from_slice(x.row(6));
        [x, x0, rows(3.0, HIDDEN, 1.0)]
    }

    /// Everything of one head of one sequence, from the definitions.
    #[derive(Default)]
    struct Plain {
        /// (S, D), and P (S, S).
        ctx: Vec<Vec<f64>>,
        probs: Vec<Vec<f64>>,
    }

    /// Part 0, 1, 2 for q, k, v: row `i` of the sequence, column `d` of the head.
    fn part(qkv: &Matrix<f64>, b: usize, h: usize, part: usize, i: usize, d: usize) -> f64 {
        qkv.row(STARTS[b] + i)[part * HIDDEN + h * WIDTH + d]
    }

    fn plain_forward(qkv: &Matrix<f64>, b: usize, h: usize) -> Plain {
        let s = STARTS[b + 1] - STARTS[b];
        let mut plain = Plain::default();
        for i in 0..s {
            let mut e = vec![0.0; s];
            for j in 0..s {
                for d in 0..WIDTH {
                    e[j] += part(qkv, b, h, 0, i, d) * part(qkv, b, h, 1, j, d);
                }
                e[j] = (e[j] / (WIDTH as f64).sqrt()).exp();
            }
            let z: f64 = e.iter().sum();
            let p: Vec<f64> = e.iter().map(|e| e / z).collect();
            let mut ctx = vec![0.0; WIDTH];
            for j in 0..s {
                for d in 0..WIDTH {
                    ctx[d] += p[j] * part(qkv, b, h, 2, j, d);
                }
            }
            plain.probs.push(p);
            plain.ctx.push(ctx);
        }
        plain
    }

    /// Change, product and softmax: which qkv each is taken between.
    type Ends<'a, T> = [[&'a Matrix<T>; 2]; 3];

    /// m_qkv (N, 3H) and the edges of each head, (pattern, content), under the rules of METHOD.
    fn plain_multiplier(
        [change, product, softmax]: Ends<'_, f64>,
        m_ctx: &Matrix<f64>,
    ) -> (Matrix<f64>, Vec<[Vec<f64>; 2]>) {
        let mut m_qkv = Matrix::zeros(m_ctx.rows(), 3 * HIDDEN);
        let mut edges = Vec::new();
        for b in 0..2 {
            let s = STARTS[b + 1] - STARTS[b];
            for h in 0..HEADS {
                let mean = |p, i, d| {
                    let [x, x0] = product.map(|x| part(x, b, h, p, i, d));
                    0.5 * (x + x0)
                };
                let probs = |ends: [&Matrix<f64>; 2]| ends.map(|x| plain_forward(x, b, h).probs);
                let ([p, p0], [a, a0], [r, r0]) = (probs(change), probs(product), probs(softmax));
                let column = |part: usize, d: usize| part * HIDDEN + h * WIDTH + d;
                let (mut pattern, mut content) = (Vec::new(), Vec::new());
                for i in 0..s {
                    let m_o = &m_ctx.row(STARTS[b] + i)[h * WIDTH..(h + 1) * WIDTH];
                    let mut m_p = vec![0.0; s];
                    let mut l = vec![0.0; s];
                    for j in 0..s {
                        m_p[j] = (0..WIDTH).map(|d| m_o[d] * mean(2, j, d)).sum();
                        l[j] = if r[i][j] == r0[i][j] {
                            r[i][j]
                        } else {
                            (r[i][j] - r0[i][j]) / (r[i][j].ln() - r0[i][j].ln())
                        };
                    }
                    let along: f64 = (0..s).map(|j| l[j] * m_p[j]).sum();
                    let centre = along / l.iter().sum::<f64>();
                    for j in 0..s {
                        let m_s = l[j] * (m_p[j] - centre) / (WIDTH as f64).sqrt();
                        let p_mean = 0.5 * (a[i][j] + a0[i][j]);
                        let mut carried = 0.0;
                        for d in 0..WIDTH {
                            m_qkv.row_mut(STARTS[b] + i)[column(0, d)] += m_s * mean(1, j, d);
                            m_qkv.row_mut(STARTS[b] + j)[column(1, d)] += m_s * mean(0, i, d);
                            m_qkv.row_mut(STARTS[b] + j)[column(2, d)] += p_mean * m_o[d];
                            let [v, v0] = change.map(|x| part(x, b, h, 2, j, d));
                            carried += m_o[d] * (v - v0);
                        }
                        pattern.push((m_p[j] - centre) * (p[i][j] - p0[i][j]));
                        content.push(p_mean * carried);
                    }
                }
                edges.push([pattern, content]);
            }
        }
        (m_qkv, edges)
    }

    fn kept<T: Real>(qkv: &Matrix<T>) -> (Matrix<T>, Vec<Head<T>>) {
        forward(qkv, &STARTS, HEADS, None)
    }

    fn ours<T: Real>(ends: Ends<'_, T>, m_ctx: &Matrix<T>) -> (Matrix<T>, Vec<Edges<T>>) {
        let heads = ends.map(|pair| pair.map(|qkv| kept(qkv).1));
        let pair = |at: usize| {
            [0, 1].map(|end| Pass {
                qkv: ends[at][end],
                heads: &heads[at][end],
            })
        };
        let pairs = Pairs {
            change: pair(0),
            product: pair(1),
            softmax: pair(2),
        };
        let (m_qkv, found) = multiplier(&pairs, &STARTS, HEADS, None, m_ctx, |b, h, edges| {
            ((b, h), edges())
        });
        let places: Vec<_> = found.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [(0, 0), (0, 1), (1, 0), (1, 1)]);
        (m_qkv, found.into_iter().map(|(_, edges)| edges).collect())
    }

    fn near<T: Real>(what: &str, got: &[T], want: &[f64], bound: f64) {
        assert_eq!(got.len(), want.len(), "{what}");
        for (k, (got, want)) in got.iter().zip(want).enumerate() {
            assert!(
                (got.f64() - want).abs() < bound,
                "{what}[{k}]: {got} {want}"
            );
        }
    }

    fn equals_three_loops<T: Real>(bound: f64) {
        let ([x, x0, m_ctx], [x64, x064, m_ctx64]) = (case::<T>(), case::<f64>());
        let (ctx, heads) = kept(&x);
        for b in 0..2 {
            for h in 0..HEADS {
                let want = plain_forward(&x64, b, h);
                let head = &heads[b * HEADS + h];
                for i in 0..STARTS[b + 1] - STARTS[b] {
                    let got = &ctx.row(STARTS[b] + i)[h * WIDTH..(h + 1) * WIDTH];
                    near("ctx", got, &want.ctx[i], bound);
                    near("P", head.probs.row(i), &want.probs[i], bound);
                    let logs: Vec<f64> = want.probs[i].iter().map(|p| p.ln()).collect();
                    near("ln P", head.log_probs.row(i), &logs, bound);
                }
            }
        }
        // Each rule at both ends, or at the input alone.
        let (both, both64, one, one64) = ([&x, &x0], [&x64, &x064], [&x; 2], [&x64; 2]);
        for (ends, ends64) in [
            ([both; 3], [both64; 3]),
            ([both, one, both], [both64, one64, both64]),
            ([both, both, one], [both64, both64, one64]),
        ] {
            let (m_qkv, edges) = ours(ends, &m_ctx);
            let (want, want_edges) = plain_multiplier(ends64, &m_ctx64);
            near("m_qkv", m_qkv.data(), want.data(), bound);
            for (edges, [pattern, content]) in edges.iter().zip(&want_edges) {
                near("pattern", edges.pattern.data(), pattern, bound);
                near("content", edges.content.data(), content, bound);
            }
        }
    }

    #[test]
    fn equals_three_loops_over_two_sequences_and_two_heads() {
        equals_three_loops::<f64>(1e-13);
        equals_three_loops::<f32>(5e-6);
    }

    /// m_qkv·Δqkv = m_ctx·Δctx within each sequence, and the edges of a query are its head's share.
    #[test]
    fn shares_out_the_whole_change() {
        let [x, x0, m_ctx] = case::<f64>();
        let ((ctx, _), (ctx0, _)) = (kept(&x), kept(&x0));
        let (m_qkv, edges) = ours([[&x, &x0]; 3], &m_ctx);
        let dot = |m: &[f64], x: &[f64], x0: &[f64]| -> f64 {
            m.iter()
                .zip(x)
                .zip(x0)
                .map(|((m, x), x0)| m * (x - x0))
                .sum()
        };
        for b in 0..2 {
            let (mut through, mut whole) = (0.0, 0.0);
            for i in STARTS[b]..STARTS[b + 1] {
                through += dot(m_qkv.row(i), x.row(i), x0.row(i));
                whole += dot(m_ctx.row(i), ctx.row(i), ctx0.row(i));
                for h in 0..HEADS {
                    let columns = h * WIDTH..(h + 1) * WIDTH;
                    let share = dot(
                        &m_ctx.row(i)[columns.clone()],
                        &ctx.row(i)[columns.clone()],
                        &ctx0.row(i)[columns],
                    );
                    let edges = &edges[b * HEADS + h];
                    let at = i - STARTS[b];
                    let of_edges: f64 = edges
                        .pattern
                        .row(at)
                        .iter()
                        .chain(edges.content.row(at))
                        .sum();
                    assert!((of_edges - share).abs() < 1e-13, "{of_edges} {share}");
                }
            }
            assert!((through - whole).abs() < 1e-13, "{through} {whole}");
            assert!(whole.abs() > 1e-2);
        }
    }

    /// With all pairs at the input, central differences of m_ctx·ctx.
    #[test]
    fn is_the_gradient_where_both_ends_are_the_input() {
        let [x, _, m_ctx] = case::<f64>();
        let (got, _) = ours([[&x; 2]; 3], &m_ctx);
        let value = |k: usize, by: f64| -> f64 {
            let mut x = x.clone();
            x.data_mut()[k] += by;
            let of = |(b, h): (usize, usize)| -> f64 {
                let ctx = plain_forward(&x, b, h).ctx;
                let row = |i: usize| &m_ctx.row(STARTS[b] + i)[h * WIDTH..(h + 1) * WIDTH];
                let terms = ctx
                    .iter()
                    .enumerate()
                    .flat_map(|(i, c)| c.iter().zip(row(i)));
                terms.map(|(c, m)| c * m).sum()
            };
            [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().map(of).sum()
        };
        for (k, got) in got.data().iter().enumerate() {
            let want = (value(k, 1e-5) - value(k, -1e-5)) / 2e-5;
            assert!((got - want).abs() < 1e-8, "{k}: {got} {want}");
        }
    }

    /// Two tokens, one head of one column. Query 0: q = 1, k = (ln 3, 0) against (0, 0), so P = (¾, ¼) against (½, ½);
    /// query 1: q = 0, P = (½, ½) in both. v = (4, 2) against (2, 0); m_ctx = (2, −1).
    #[test]
    fn a_small_case_by_hand() {
        let log3 = 3.0_f64.ln();
        let log2 = 2.0_f64.ln();
        let x = Matrix::from_vec(2, 3, vec![1.0, log3, 4.0, 0.0, 0.0, 2.0]);
        let x0 = Matrix::from_vec(2, 3, vec![1.0, 0.0, 2.0, 0.0, 0.0, 0.0]);
        let m_ctx = Matrix::from_vec(2, 1, vec![2.0, -1.0]);
        let starts = [0, 2];
        let ((ctx, heads), (_, heads0)) = (
            forward(&x, &starts, 1, None),
            forward(&x0, &starts, 1, None),
        );
        near("P", heads[0].probs.data(), &[0.75, 0.25, 0.5, 0.5], 1e-15);
        near("ctx", ctx.data(), &[3.5, 3.0], 1e-15);
        let [a, b] = [(&x, &heads), (&x0, &heads0)].map(|(qkv, heads)| Pass { qkv, heads });
        let pairs = Pairs {
            change: [a, b],
            product: [a, b],
            softmax: [a, b],
        };
        let (m_qkv, edges) = multiplier(&pairs, &starts, 1, None, &m_ctx, |_, _, edges| edges());
        // m_P = (6, 2) and ℓ = ¼(1/ln(3/2), 1/ln 2), so m_P − centre = (4 ln(3/2), −4 ln 2)/ln 3; ΔP = (¼, −¼).
        // Query 1 looks the same in both.
        let pattern = [(1.5_f64).ln() / log3, log2 / log3, 0.0, 0.0];
        near("pattern", edges[0].pattern.data(), &pattern, 1e-14);
        // P̄·m_ctx·ΔV: (5/8, 3/8)·2·2, then (½, ½)·(−1)·2.
        near(
            "content",
            edges[0].content.data(),
            &[2.5, 1.5, -1.0, -1.0],
            1e-14,
        );
        // m_s = (1, −1)/ln 3 and (−½, ½); K̄ = (½ ln 3, 0), Q̄ = (1, 0); m_V = P̄ᵀ·m_ctx.
        let want = [0.5, 1.0 / log3, 0.75, -0.25 * log3, -1.0 / log3, 0.25];
        near("m_qkv", m_qkv.data(), &want, 1e-14);
    }

    /// The same added to every value, of input and reference, moves no pattern and no content.
    #[test]
    fn a_value_bias_moves_no_edge() {
        let [x, x0, m_ctx] = case::<f64>();
        let pushed = |x: &Matrix<f64>| {
            let mut x = x.clone();
            for i in 0..x.rows() {
                for (k, v) in x.row_mut(i)[2 * HIDDEN..].iter_mut().enumerate() {
                    *v += 5.0 + k as f64;
                }
            }
            x
        };
        let (_, before) = ours([[&x, &x0]; 3], &m_ctx);
        let (_, after) = ours([[&pushed(&x), &pushed(&x0)]; 3], &m_ctx);
        for (a, b) in after.iter().zip(&before) {
            near("pattern", a.pattern.data(), b.pattern.data(), 1e-13);
            near("content", a.content.data(), b.content.data(), 1e-13);
        }
    }
}
