//! ctx = softmax(QKᵀ/√D)·V, for each sequence and head; METHOD rules 4 and 5.
//!
//! DeBERTa adds terms to the scores before the softmax and divides by more than √D: [`relative`](super::relative).
//!
//! Multipliers, with m_O those of a head's ctx, P̄ = (P + P0)/2 and so on: m_V = P̄ᵀ·m_O and m_P = m_O·V̄ᵀ (the
//! Shapley value of two factors), m_P becomes m_s by the softmax rule, m_Q = m_s·K̄/√D, m_K = m_sᵀ·Q̄/√D.
//!
//! Edges, from key j to query i: content P̄_ij·⟨m_O,i, ΔV_j⟩, what the head carries, and pattern
//! (m_P,ij − ⟨ℓ_i, m_P,i⟩/Λ_i)·ΔP_ij, where it looks; METHOD section 2.
//!
//! Shapes: sequences packed one behind the other, N tokens in all; qkv (N, 3I), ctx (N, I), with I the attention's
//! units, D = I/A; P (A, S, S) for each sequence of S tokens. A head goes through its queries some at a time, so that
//! what is (S, S) stays in the cache, and of each pass one such matrix alone is kept.

use std::ops::Range;

use rayon::prelude::*;

use super::dropout::Probs;
use super::product::{Panels, View, ViewMut};
use super::relative::{Relative, Terms};
use super::rows::{picked, vectorised};
use super::softmax::{self, Row};
use super::{Matrix, Real};

/// Queries that a head takes at a time, a multiple of every tile's rows: few, so that their scores stay in the cache.
const QUERIES: usize = 48;
/// The same in the walk: more, as m_K and m_V are read and written once for each time.
const QUERIES_BACK: usize = 96;

/// Attention of one head over one sequence, or of n of its queries: what P and ln P are made of again.
#[derive(Clone, Debug, PartialEq)]
pub struct Head<T> {
    /// s − max s, of each query's scores; (n, S), a row a query.
    pub shifted: Matrix<T>,
    /// Z = Σ exp(s − max s), of each query; (n).
    pub z: Vec<T>,
}

impl<T: Real> Head<T> {
    /// P; (n, S), a row a query.
    #[must_use]
    pub fn probs(&self) -> Matrix<T> {
        let mut probs = Matrix::zeros(self.shifted.rows(), self.shifted.cols());
        for (i, &z) in self.z.iter().enumerate() {
            softmax::again(self.shifted.row(i), z, probs.row_mut(i));
        }
        probs
    }
}

/// What one forward pass kept of the attention of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a, T> {
    /// Queries, keys and values; (N, 3I).
    pub qkv: View<'a, T>,
    /// The heads of the first sequence, then those of the next.
    pub heads: &'a [Head<T>],
}

/// Which of the two passes, input and reference, are the two ends of a mean.
pub type Ends = [usize; 2];

/// How a multiplier passes the softmax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// By the log-mean of two ends.
    LogMean(Ends),
    /// By the mean Jacobian over so many points of the path from the reference's scores to the input's.
    Path(usize),
    /// Not at all: P held fixed, and no edge has a pattern.
    Fixed,
}

/// Rule of the two products QKᵀ and PV, and of the softmax between them.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a, T> {
    /// Input and reference: Δ is taken between these.
    pub passes: [Pass<'a, T>; 2],
    /// The ends of the mean that stands for Q̄, K̄, V̄ and P̄.
    pub product: Ends,
    /// Through the softmax.
    pub softmax: Through,
    /// What was dropped of P, in both passes alike; only where they are one and the same.
    pub dropped: Option<Probs>,
}

/// Edge scores of one head over one sequence; (S, S) each, a row a query, a column a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Edges<T> {
    /// Where the head looks.
    pub pattern: Matrix<T>,
    /// What it carries.
    pub content: Matrix<T>,
}

impl<T: Real> Edges<T> {
    /// Of S tokens, none of them there yet.
    #[must_use]
    pub fn new(s: usize) -> Self {
        Self {
            pattern: Matrix::zeros(s, s),
            content: Matrix::zeros(s, s),
        }
    }
}

/// What becomes of a head's edge scores.
pub trait EdgeSink<T>: Send {
    /// Whether they are to be computed.
    fn wanted(&self) -> bool;
    /// Takes those of these queries, which rise; (n, S) each. Queries that are left out have none.
    fn take(&mut self, queries: &[usize], pattern: &Matrix<T>, content: &Matrix<T>);
    /// Sees m of these queries' scores before the softmax (n, S), the queries Q (n, D) and the keys K (S, D).
    fn scores(&mut self, queries: &[usize], m_s: &Matrix<T>, q: View<'_, T>, k: View<'_, T>) {
        let _ = (queries, m_s, q, k);
    }
}

/// All of them.
impl<T: Real> EdgeSink<T> for Edges<T> {
    fn wanted(&self) -> bool {
        true
    }

    fn take(&mut self, queries: &[usize], pattern: &Matrix<T>, content: &Matrix<T>) {
        for (row, &query) in queries.iter().enumerate() {
            self.pattern
                .row_mut(query)
                .copy_from_slice(pattern.row(row));
            self.content
                .row_mut(query)
                .copy_from_slice(content.row(row));
        }
    }
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
    fn of<T: Real>(self, qkv: View<'_, T>, rows: [usize; 2], part: usize) -> View<'_, T> {
        let from = part * self.hidden + self.head * self.width;
        qkv.block(rows[0]..rows[1], from..from + self.width)
    }

    /// In a matrix of H columns.
    fn own(self) -> Range<usize> {
        self.head * self.width..(self.head + 1) * self.width
    }
}

/// 1/√(D·(1 + t)), with t terms beside QKᵀ.
pub(crate) fn scale<T: Real>(width: usize, relative: Option<&Relative<T>>) -> T {
    let terms = 1 + relative.map_or(0, Relative::terms);
    T::of(1.0 / ((width * terms) as f64).sqrt())
}

/// The queries of each sequence that are wanted, where these are not all: their places, which rise.
pub type Wanted<'a> = Option<&'a [Vec<usize>]>;

/// Those of one sequence of `s` tokens.
fn queries(wanted: Wanted<'_>, sequence: usize, s: usize) -> Vec<usize> {
    match wanted {
        Some(wanted) => wanted[sequence].clone(),
        None => (0..s).collect(),
    }
}

/// Where the queries of each sequence begin, one behind the other, and their number.
fn query_starts(wanted: Wanted<'_>, starts: &[usize]) -> Vec<usize> {
    let Some(wanted) = wanted else {
        return starts.to_vec();
    };
    let mut cuts = vec![0];
    for queries in wanted {
        cuts.push(cuts[cuts.len() - 1] + queries.len());
    }
    cuts
}

/// So many queries, some at a time.
fn parts(n: usize, some: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n)
        .step_by(some)
        .map(move |first| first..n.min(first + some))
}

/// ctx (N, I) and the heads of each sequence, which begin at the rows `starts` (the last entry is N). Of the wanted
/// queries alone where not all are wanted, then with so many rows. `dropped` of P comes to nothing; what is kept is P before that.
pub fn forward<T: Real>(
    qkv: View<'_, T>,
    starts: &[usize],
    heads: usize,
    relative: Option<&Relative<T>>,
    wanted: Wanted<'_>,
    dropped: Option<Probs>,
) -> (Matrix<T>, Vec<Head<T>>) {
    let hidden = qkv.cols() / 3;
    let cuts = query_starts(wanted, starts);
    let mut ctx = Matrix::reused(cuts[cuts.len() - 1], hidden);
    let one = |(at, ctx): (usize, ViewMut<'_, T>)| {
        let rows = [starts[at / heads], starts[at / heads + 1]];
        let columns = Columns {
            head: at % heads,
            hidden,
            width: hidden / heads,
        };
        let queries = queries(wanted, at / heads, rows[1] - rows[0]);
        let dropped = dropped.map(|dropped| (dropped, at));
        forward_head(qkv, columns, rows, relative, &queries, dropped, ctx)
    };
    let blocks = ctx.view_mut().blocks(&cuts, heads);
    let kept = blocks
        .into_par_iter()
        .with_max_len(1)
        .enumerate()
        .map(one)
        .collect();
    (ctx, kept)
}

fn forward_head<T: Real>(
    qkv: View<'_, T>,
    columns: Columns,
    rows: [usize; 2],
    relative: Option<&Relative<T>>,
    queries: &[usize],
    dropped: Option<(Probs, usize)>,
    mut ctx: ViewMut<'_, T>,
) -> Head<T> {
    let s = rows[1] - rows[0];
    let [q, k, v] = [0, 1, 2].map(|part| columns.of(qkv, rows, part));
    let scale = scale(columns.width, relative);
    let terms = relative.map(|relative| Terms::new(relative, columns.own(), scale, s));
    let terms = terms.as_ref().map(|terms| terms.scores(k));
    let (keys, values) = (Panels::of(k.t()), Panels::of(v));
    let n = queries.len();
    let mut shifted = Matrix::reused(n, s);
    let mut z = Vec::with_capacity(n);
    // Of some queries, written over and over in the cache. `shifted` is kept, so that it lies in memory that no cache has: it is
    // written in one sweep, row by row, and not tile by tile.
    let some = QUERIES.min(n);
    let (mut scores, mut probs) = (Matrix::reused(some, s), Matrix::reused(some, s));
    for part in parts(n, QUERIES) {
        let queries = &queries[part.clone()];
        let q = picked(q, queries);
        keys.multiply(
            scores.view_mut().part(0..part.len()),
            false,
            scale,
            q.view(),
        );
        if let Some(terms) = &terms {
            terms.add(queries, q.view(), &mut scores.data_mut()[..part.len() * s]);
        }
        for (at, i) in part.clone().enumerate() {
            z.push(softmax::forward(
                scores.row(at),
                shifted.row_mut(i),
                probs.row_mut(at),
            ));
            if let Some((dropped, head)) = dropped {
                dropped.apply(head, queries[at], probs.row_mut(at));
            }
        }
        let probs = probs.view().block(0..part.len(), 0..s);
        values.multiply(ctx.part(part), false, T::ONE, probs);
        q.recycle();
    }
    scores.recycle();
    probs.recycle();
    keys.recycle();
    values.recycle();
    Head { shifted, z }
}

/// m_qkv (N, 3I) from m_ctx (N, I), or of the wanted queries alone, all others' being 0; `edges(sequence, head)` gives what
/// takes that head's edges, on any thread, and all these are returned, the heads of the first sequence first.
pub fn multiplier<T: Real, E: EdgeSink<T>>(
    pairs: &Pairs<'_, T>,
    starts: &[usize],
    heads: usize,
    relative: Option<&Relative<T>>,
    m_ctx: &Matrix<T>,
    wanted: Wanted<'_>,
    edges: impl Fn(usize, usize) -> E + Sync,
) -> (Matrix<T>, Vec<E>) {
    let hidden = m_ctx.cols();
    let mut m_qkv = Matrix::reused(starts[starts.len() - 1], 3 * hidden);
    // The blocks of a sequence's rows: Q, K and V of every head. Dealt out to the heads.
    let sequences = starts.len() - 1;
    let mut dealt: Vec<Vec<ViewMut<'_, T>>> = (0..sequences * heads)
        .map(|_| Vec::with_capacity(3))
        .collect();
    let blocks = m_qkv.view_mut().blocks(starts, 3 * heads);
    for (at, block) in blocks.into_iter().enumerate() {
        dealt[at / (3 * heads) * heads + at % heads].push(block);
    }
    let cuts = query_starts(wanted, starts);
    let one = |(at, blocks): (usize, Vec<ViewMut<'_, T>>)| {
        let rows = [starts[at / heads], starts[at / heads + 1]];
        let columns = Columns {
            head: at % heads,
            hidden,
            width: hidden / heads,
        };
        let cut = cuts[at / heads]..cuts[at / heads + 1];
        let m_o = m_ctx.view().block(cut, columns.own());
        let queries = queries(wanted, at / heads, rows[1] - rows[0]);
        let mut edges = edges(at / heads, at % heads);
        multiplier_head(
            pairs, at, columns, rows, relative, &queries, m_o, blocks, &mut edges,
        );
        edges
    };
    let found = dealt
        .into_par_iter()
        .with_max_len(1)
        .enumerate()
        .map(one)
        .collect();
    (m_qkv, found)
}

/// Writes one head's m_Q, m_K, m_V.
fn multiplier_head<T: Real>(
    pairs: &Pairs<'_, T>,
    at: usize,
    columns: Columns,
    rows: [usize; 2],
    relative: Option<&Relative<T>>,
    queries: &[usize],
    m_o: View<'_, T>,
    blocks: Vec<ViewMut<'_, T>>,
    edges: &mut impl EdgeSink<T>,
) {
    let Ok([mut m_q, mut m_k, mut m_v]) = <[_; 3]>::try_from(blocks) else {
        unreachable!("three blocks a head");
    };
    let (s, width) = (rows[1] - rows[0], columns.width);
    let of = |pass: usize, part| columns.of(pairs.passes[pass].qkv, rows, part);
    let mean = |part| {
        let [a, b] = pairs.product.map(|pass| of(pass, part));
        combined(a, b, |a, b, mean| half_sum(a, b, mean))
    };
    let (q, k, v) = (mean(0), mean(1), mean(2));
    let (keys, values) = (Panels::of(k.view()), Panels::of(v.view().t()));
    let changes = edges.wanted().then(|| {
        let change = combined(of(0, 2), of(1, 2), |v, v0, d| difference(v, v0, d));
        let panels = Panels::of(change.view().t());
        change.recycle();
        panels
    });
    let scale = scale(width, relative);
    let terms = relative.map(|relative| Terms::new(relative, columns.own(), scale, s));
    let mut terms = terms.as_ref().map(Terms::sums);

    if queries.len() < s {
        (0..s).for_each(|i| m_q.row_mut(i).fill(T::ZERO));
    }
    if queries.is_empty() {
        (0..s).for_each(|j| m_k.row_mut(j).fill(T::ZERO));
        (0..s).for_each(|j| m_v.row_mut(j).fill(T::ZERO));
    }
    let mut scratch = vec![T::ZERO; s];
    let mut probs = [vec![T::ZERO; s], vec![T::ZERO; s]];
    for part in parts(queries.len(), QUERIES_BACK) {
        let (first, n) = (part.start, part.len());
        let queries = &queries[part.clone()];
        let m_o = m_o.block(part.clone(), 0..width);
        let mut m_s = Matrix::reused(n, s);
        values.multiply(m_s.view_mut(), false, T::ONE, m_o); // m_P until the softmax rule
        let mut pattern = changes.as_ref().map(|_| Matrix::reused(n, s));
        let mut mean_probs = Matrix::reused(n, s);
        for (row, i) in part.enumerate() {
            for (pass, probs) in probs.iter_mut().enumerate() {
                let head = &pairs.passes[pass].heads[at];
                softmax::again(head.shifted.row(i), head.z[i], probs);
            }
            let [a, b] = pairs.product.map(|pass| &probs[pass][..]);
            half_sum(a, b, mean_probs.row_mut(row));
            if let Some(dropped) = &pairs.dropped {
                dropped.apply(at, queries[row], mean_probs.row_mut(row));
                dropped.apply(at, queries[row], m_s.row_mut(row));
            }
            if let Some(pattern) = &mut pattern {
                pattern.row_mut(row).copy_from_slice(m_s.row(row));
            }
            let of_row = |pass: usize| {
                let head = &pairs.passes[pass].heads[at];
                Row {
                    p: &probs[pass],
                    shifted: head.shifted.row(i),
                    log_z: head.z[i].ln(),
                }
            };
            let centre = through_softmax(pairs.softmax, of_row, m_s.row_mut(row), &mut scratch);
            if let Some(pattern) = &mut pattern {
                let [p, p0] = &probs;
                match centre {
                    Some(centre) => {
                        pattern_row(p, p0, centre, pattern.row_mut(row));
                    }
                    None => pattern.row_mut(row).fill(T::ZERO),
                }
            }
        }
        let mut own_q = Matrix::reused(n, width);
        keys.multiply(own_q.view_mut(), false, scale, m_s.view());
        if let Some(terms) = &mut terms {
            terms.add(queries, m_s.data(), own_q.view_mut());
        }
        for (row, &query) in queries.iter().enumerate() {
            m_q.row_mut(query).copy_from_slice(own_q.row(row));
        }
        let q = picked(q.view(), queries);
        edges.scores(queries, &m_s, q.view(), k.view());
        let (queries_panels, m_o_panels) = (Panels::of(q.view()), Panels::of(m_o));
        queries_panels.multiply(m_k.again(), first > 0, scale, m_s.view().t());
        m_o_panels.multiply(m_v.again(), first > 0, T::ONE, mean_probs.view().t());
        if let (Some(changes), Some(pattern)) = (&changes, &pattern) {
            let content = &mut m_s;
            changes.multiply(content.view_mut(), false, T::ONE, m_o);
            for row in 0..n {
                times(content.row_mut(row), mean_probs.row(row));
            }
            edges.take(queries, pattern, content);
        }
        for matrix in [m_s, mean_probs, own_q, q] {
            matrix.recycle();
        }
        pattern.into_iter().for_each(Matrix::recycle);
        queries_panels.recycle();
        m_o_panels.recycle();
    }
    for matrix in [q, k, v] {
        matrix.recycle();
    }
    for panels in [Some(keys), Some(values), changes] {
        panels.into_iter().for_each(Panels::recycle);
    }
    if let Some(terms) = terms {
        terms.finish(m_k);
    }
}

/// m_P becomes m_s; gives the centre of the pattern, or none where nothing passes. `row` gives a pass's.
fn through_softmax<'a, T: Real>(
    rule: Through,
    row: impl Fn(usize) -> Row<'a, T>,
    m: &mut [T],
    scratch: &mut [T],
) -> Option<T> {
    match rule {
        Through::LogMean([a, b]) => Some(softmax::multiplier(row(a), row(b), m, scratch)),
        Through::Path(points) => Some(softmax::path_multiplier(row(0), row(1), points, m)),
        Through::Fixed => {
            m.fill(T::ZERO);
            None
        }
    }
}

vectorised! {
    /// m_P becomes the pattern.
    fn pattern_row<'a, T: Real>(p: &'a [T], p0: &'a [T], centre: T, m: &'a mut [T]) -> () {
        let n = m.len();
        let (p, p0) = (&p[..n], &p0[..n]);
        for j in 0..n {
            m[j] = (m[j] - centre) * (p[j] - p0[j]);
        }
    }
}

vectorised! {
    fn times<'a, T: Real>(x: &'a mut [T], by: &'a [T]) -> () {
        for (x, &by) in x.iter_mut().zip(by) {
            *x *= by;
        }
    }
}

vectorised! {
    fn half_sum<'a, T: Real>(a: &'a [T], b: &'a [T], mean: &'a mut [T]) -> () {
        let n = mean.len();
        let (a, b) = (&a[..n], &b[..n]);
        for j in 0..n {
            mean[j] = T::of(0.5) * (a[j] + b[j]);
        }
    }
}

vectorised! {
    fn difference<'a, T: Real>(a: &'a [T], b: &'a [T], difference: &'a mut [T]) -> () {
        let n = difference.len();
        let (a, b) = (&a[..n], &b[..n]);
        for j in 0..n {
            difference[j] = a[j] - b[j];
        }
    }
}

/// Row by row.
fn combined<T: Real>(
    a: View<'_, T>,
    b: View<'_, T>,
    f: impl Fn(&[T], &[T], &mut [T]),
) -> Matrix<T> {
    let mut result = Matrix::reused(a.rows(), a.cols());
    for i in 0..a.rows() {
        f(a.row(i), b.row(i), result.row_mut(i));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::super::dropout::{Dropout, Rates};
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
        ends: Ends<'_, f64>,
        m_ctx: &Matrix<f64>,
    ) -> (Matrix<f64>, Vec<[Vec<f64>; 2]>) {
        plain_multiplier_by(ends, &log_mean, m_ctx)
    }

    /// m_s and the centre of the pattern from a row of P, of P0, and m_P.
    type PlainSoftmax = dyn Fn(&[f64], &[f64], &[f64]) -> (Vec<f64>, Option<f64>);

    /// METHOD rule 5.
    fn log_mean(p: &[f64], p0: &[f64], m: &[f64]) -> (Vec<f64>, Option<f64>) {
        let of = |(&p, &p0): (&f64, &f64)| {
            if p == p0 {
                p
            } else {
                (p - p0) / (p.ln() - p0.ln())
            }
        };
        let l: Vec<f64> = p.iter().zip(p0).map(of).collect();
        let along: f64 = l.iter().zip(m).map(|(l, m)| l * m).sum();
        let centre = along / l.iter().sum::<f64>();
        let m_s = l.iter().zip(m).map(|(l, m)| l * (m - centre)).collect();
        (m_s, Some(centre))
    }

    /// The mean of 64 Jacobians, with ln p in place of the scores, which it is up to a shift.
    fn path(p: &[f64], p0: &[f64], m: &[f64]) -> (Vec<f64>, Option<f64>) {
        let n = p.len();
        let (mut mean, mut centre) = (vec![0.0; n], 0.0);
        for k in 0..64 {
            let alpha = (f64::from(k) + 0.5) / 64.0;
            let at = |j: usize| ((1.0 - alpha) * p0[j].ln() + alpha * p[j].ln()).exp();
            let z: f64 = (0..n).map(at).sum();
            for j in 0..n {
                for i in 0..n {
                    let delta = f64::from(u8::from(i == j));
                    mean[j] += at(j) / z * (delta - at(i) / z) * m[i] / 64.0;
                }
                centre += at(j) / z * m[j] / 64.0;
            }
        }
        (mean, Some(centre))
    }

    /// Nothing.
    fn fixed(p: &[f64], _: &[f64], _: &[f64]) -> (Vec<f64>, Option<f64>) {
        (vec![0.0; p.len()], None)
    }

    fn plain_multiplier_by(
        [change, product, softmax]: Ends<'_, f64>,
        through: &PlainSoftmax,
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
                    let m_p: Vec<f64> = (0..s)
                        .map(|j| (0..WIDTH).map(|d| m_o[d] * mean(2, j, d)).sum())
                        .collect();
                    let (m_s, centre) = through(&r[i], &r0[i], &m_p);
                    for j in 0..s {
                        let m_s = m_s[j] / (WIDTH as f64).sqrt();
                        let p_mean = 0.5 * (a[i][j] + a0[i][j]);
                        let mut carried = 0.0;
                        for d in 0..WIDTH {
                            m_qkv.row_mut(STARTS[b] + i)[column(0, d)] += m_s * mean(1, j, d);
                            m_qkv.row_mut(STARTS[b] + j)[column(1, d)] += m_s * mean(0, i, d);
                            m_qkv.row_mut(STARTS[b] + j)[column(2, d)] += p_mean * m_o[d];
                            let [v, v0] = change.map(|x| part(x, b, h, 2, j, d));
                            carried += m_o[d] * (v - v0);
                        }
                        let looks = centre.map(|centre| (m_p[j] - centre) * (p[i][j] - p0[i][j]));
                        pattern.push(looks.unwrap_or(0.0));
                        content.push(p_mean * carried);
                    }
                }
                edges.push([pattern, content]);
            }
        }
        (m_qkv, edges)
    }

    fn kept<T: Real>(qkv: &Matrix<T>) -> (Matrix<T>, Vec<Head<T>>) {
        forward(qkv.view(), &STARTS, HEADS, None, None, None)
    }

    fn ours<T: Real>(ends: Ends<'_, T>, m_ctx: &Matrix<T>) -> (Matrix<T>, Vec<Edges<T>>) {
        let of = ends[2].map(|qkv| usize::from(!std::ptr::eq(qkv, ends[0][0])));
        ours_by(ends, Through::LogMean(of), m_ctx)
    }

    fn ours_by<T: Real>(
        ends: Ends<'_, T>,
        softmax: Through,
        m_ctx: &Matrix<T>,
    ) -> (Matrix<T>, Vec<Edges<T>>) {
        let heads = ends[0].map(|qkv| kept(qkv).1);
        let passes = [0, 1].map(|end| Pass {
            qkv: ends[0][end].view(),
            heads: &heads[end],
        });
        let of =
            |pair: [&Matrix<T>; 2]| pair.map(|qkv| usize::from(!std::ptr::eq(qkv, ends[0][0])));
        let pairs = Pairs {
            passes,
            product: of(ends[1]),
            softmax,
            dropped: None,
        };
        multiplier(&pairs, &STARTS, HEADS, None, m_ctx, None, |b, _| {
            Edges::new(STARTS[b + 1] - STARTS[b])
        })
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
                    near("P", head.probs().row(i), &want.probs[i], bound);
                    let log_z = head.z[i].ln();
                    let logs: Vec<T> = head.shifted.row(i).iter().map(|&s| s - log_z).collect();
                    let want: Vec<f64> = want.probs[i].iter().map(|p| p.ln()).collect();
                    near("ln P", &logs, &want, bound);
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

    /// Of two sequences, the second longer than what a head takes at a time.
    #[test]
    fn dropped_probabilities_carry_nothing() {
        let starts = [0, 20, 140];
        let wave = |cols, a| Matrix::from_vec(140, cols, wave(140 * cols, a, 1.0));
        let (qkv, m_ctx) = (wave(3 * HIDDEN, 0.4), wave(HIDDEN, 3.0));
        let rates = Rates {
            hidden: 0.0,
            attention: 0.3,
        };
        let dropped = Dropout::new(rates, 4, 2).probs(9);
        let of = |qkv: &Matrix<f64>| forward(qkv.view(), &starts, HEADS, None, None, dropped);
        let (ctx, heads) = of(&qkv);
        for (at, head) in heads.iter().enumerate() {
            let (from, h) = (starts[at / HEADS], at % HEADS);
            let probs = head.probs();
            for i in 0..probs.rows() {
                let mut left = probs.row(i).to_vec();
                dropped.unwrap().apply(at, i, &mut left);
                for d in 0..WIDTH {
                    let v = |j: usize| qkv.row(from + j)[2 * HIDDEN + h * WIDTH + d];
                    let want: f64 = left.iter().enumerate().map(|(j, p)| p * v(j)).sum();
                    let got = ctx.row(from + i)[h * WIDTH + d];
                    assert!((got - want).abs() < 1e-13, "{at} {i}: {got} {want}");
                }
            }
        }
        // The gradient, by four points.
        let pass = Pass {
            qkv: qkv.view(),
            heads: &heads,
        };
        let pairs = Pairs {
            passes: [pass; 2],
            product: [0, 0],
            softmax: Through::LogMean([0, 0]),
            dropped,
        };
        let (m_qkv, _) = multiplier(&pairs, &starts, HEADS, None, &m_ctx, None, |b, _| {
            Edges::new(starts[b + 1] - starts[b])
        });
        let dot = |a: &Matrix<f64>, b: &Matrix<f64>| -> f64 {
            a.data().iter().zip(b.data()).map(|(a, b)| a * b).sum()
        };
        let way = wave(3 * HIDDEN, 5.0);
        let moved = |by: f64| {
            let mut moved = qkv.clone();
            let each = moved.data_mut().iter_mut().zip(way.data());
            each.for_each(|(x, d)| *x += by * d);
            dot(&m_ctx, &of(&moved).0)
        };
        let h = 1e-3;
        let want = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h);
        let got = dot(&m_qkv, &way);
        assert!(
            (got - want).abs() < 1e-8 * want.abs().max(1.0),
            "{got} {want}"
        );
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
            forward(x.view(), &starts, 1, None, None, None),
            forward(x0.view(), &starts, 1, None, None, None),
        );
        near("P", heads[0].probs().data(), &[0.75, 0.25, 0.5, 0.5], 1e-15);
        near("ctx", ctx.data(), &[3.5, 3.0], 1e-15);
        let passes = [(&x, &heads), (&x0, &heads0)].map(|(qkv, heads)| Pass {
            qkv: qkv.view(),
            heads,
        });
        let pairs = Pairs {
            passes,
            product: [0, 1],
            softmax: Through::LogMean([0, 1]),
            dropped: None,
        };
        let (m_qkv, edges) =
            multiplier(&pairs, &starts, 1, None, &m_ctx, None, |_, _| Edges::new(2));
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

    /// Of some queries alone: the rows of these as before, and back what they alone send.
    #[test]
    fn some_queries_are_as_among_all() {
        let [x, x0, m_ctx] = case::<f64>();
        let wanted = vec![vec![1, 4], vec![]];
        let rows = [1, 4];
        let of = |qkv: &Matrix<f64>| forward(qkv.view(), &STARTS, HEADS, None, Some(&wanted), None);
        let ((ctx, heads), (_, heads0)) = (of(&x), of(&x0));
        let (whole, whole_heads) = kept(&x);
        assert_eq!(
            (ctx.rows(), ctx.row(0), ctx.row(1)),
            (2, whole.row(1), whole.row(4))
        );
        for h in 0..HEADS {
            assert_eq!(heads[h].shifted.row(1), whole_heads[h].shifted.row(4));
            let (probs, whole_probs) = (heads[h].probs(), whole_heads[h].probs());
            assert_eq!((probs.rows(), probs.row(0)), (2, whole_probs.row(1)));
            assert_eq!(
                (heads[HEADS + h].z.len(), heads[h].z[0]),
                (0, whole_heads[h].z[1])
            );
        }
        // All queries, where only these are asked for anything.
        let mut alone = Matrix::zeros(8, HIDDEN);
        for i in rows {
            alone.row_mut(i).copy_from_slice(m_ctx.row(i));
        }
        let (want, want_edges) = ours([[&x, &x0]; 3], &alone);
        let passes = [(&x, &heads), (&x0, &heads0)].map(|(qkv, heads)| Pass {
            qkv: qkv.view(),
            heads,
        });
        let pairs = Pairs {
            passes,
            product: [0, 1],
            softmax: Through::LogMean([0, 1]),
            dropped: None,
        };
        let m_ctx = picked(m_ctx.view(), &rows);
        let sink = |b: usize, _| Edges::new(STARTS[b + 1] - STARTS[b]);
        let (got, edges) = multiplier(&pairs, &STARTS, HEADS, None, &m_ctx, Some(&wanted), sink);
        near("m_qkv", got.data(), want.data(), 1e-15);
        for (edges, want) in edges.iter().zip(&want_edges) {
            near("pattern", edges.pattern.data(), want.pattern.data(), 1e-15);
            near("content", edges.content.data(), want.content.data(), 1e-15);
        }
    }

    fn other_ways_equal_three_loops<T: Real>(bound: f64) {
        let ([x, x0, m_ctx], [x64, x064, m_ctx64]) = (case::<T>(), case::<f64>());
        let (both, both64, one, one64) = ([&x, &x0], [&x64, &x064], [&x; 2], [&x64; 2]);
        type Case<'a, T> = (Through, &'a PlainSoftmax, Ends<'a, T>, Ends<'a, f64>);
        let cases: [Case<'_, T>; 2] = [
            (Through::Path(64), &path, [both; 3], [both64; 3]),
            (
                Through::Fixed,
                &fixed,
                [both, one, both],
                [both64, one64, both64],
            ),
        ];
        for (through, plain, ends, ends64) in cases {
            let (m_qkv, edges) = ours_by(ends, through, &m_ctx);
            let (want, want_edges) = plain_multiplier_by(ends64, plain, &m_ctx64);
            near("m_qkv", m_qkv.data(), want.data(), bound);
            for (edges, [pattern, content]) in edges.iter().zip(&want_edges) {
                near("pattern", edges.pattern.data(), pattern, bound);
                near("content", edges.content.data(), content, bound);
            }
        }
    }

    #[test]
    fn other_ways_through_the_softmax_equal_three_loops() {
        other_ways_equal_three_loops::<f64>(1e-13);
        other_ways_equal_three_loops::<f32>(3e-6);
    }

    /// With attention held fixed at the input's P, what is lost of m·Δctx is m·ΔP·V0, and nothing else.
    #[test]
    fn fixed_attention_loses_where_the_heads_look() {
        let [x, x0, m_ctx] = case::<f64>();
        let (m_qkv, _) = ours_by([[&x, &x0], [&x; 2], [&x, &x0]], Through::Fixed, &m_ctx);
        let sum = |m: &Matrix<f64>, a: &Matrix<f64>, b: &Matrix<f64>| -> f64 {
            let change = a.data().iter().zip(b.data()).map(|(a, b)| a - b);
            m.data().iter().zip(change).map(|(m, d)| m * d).sum()
        };
        let whole = sum(&m_ctx, &kept(&x).0, &kept(&x0).0);
        let mut lost = 0.0;
        for b in 0..2 {
            for h in 0..HEADS {
                let [p, p0] = [&x, &x0].map(|x| plain_forward(x, b, h).probs);
                for i in 0..p.len() {
                    for j in 0..p.len() {
                        for d in 0..WIDTH {
                            let m = m_ctx.row(STARTS[b] + i)[h * WIDTH + d];
                            lost += m * (p[i][j] - p0[i][j]) * part(&x0, b, h, 2, j, d);
                        }
                    }
                }
            }
        }
        let through = sum(&m_qkv, &x, &x0);
        assert!(
            (whole - through - lost).abs() < 1e-12 && lost.abs() > 0.1,
            "{whole} {through} {lost}"
        );
    }

    /// More queries than a head takes at a time, with attention to relative positions: as the sum of some queries at a
    /// time, each of which fits.
    #[test]
    fn blocks_of_queries_add_up() {
        let (s, count) = (2 * QUERIES_BACK + 5, 5);
        let matrix = |a: f64, rows: usize, cols: usize| {
            Matrix::<f64>::from_vec(rows, cols, wave(rows * cols, a, 1.1))
        };
        let relative = Relative {
            key: Some(matrix(4.0, 12, HIDDEN)),
            query: Some(matrix(5.0, 12, HIDDEN)),
            buckets: crate::ops::relative::Buckets {
                span: 6,
                logarithmic: Some(12),
            },
        };
        let (x, x0) = (matrix(1.0, s, 3 * HIDDEN), matrix(7.7, s, 3 * HIDDEN));
        let m_ctx = matrix(3.0, s, HIDDEN);
        let starts = [0, s];
        let run = |wanted: Wanted<'_>, m_ctx: &Matrix<f64>| {
            let of =
                |x: &Matrix<f64>| forward(x.view(), &starts, HEADS, Some(&relative), wanted, None);
            let ((ctx, heads), (_, heads0)) = (of(&x), of(&x0));
            let passes = [(&x, &heads), (&x0, &heads0)].map(|(qkv, heads)| Pass {
                qkv: qkv.view(),
                heads,
            });
            let pairs = Pairs {
                passes,
                product: [0, 1],
                softmax: Through::LogMean([0, 1]),
                dropped: None,
            };
            let sink = |_, _| Edges::new(s);
            let (relative, starts) = (Some(&relative), &starts);
            let found = multiplier(&pairs, starts, HEADS, relative, m_ctx, wanted, sink);
            (ctx, found)
        };
        let (ctx, (m_qkv, edges)) = run(None, &m_ctx);
        let mut sum = Matrix::<f64>::zeros(s, 3 * HIDDEN);
        for first in 0..count {
            let some: Vec<usize> = (first..s).step_by(count).collect();
            assert!(some.len() < QUERIES);
            let wanted = [some.clone()];
            let (own_ctx, (own, own_edges)) = run(Some(&wanted), &picked(m_ctx.view(), &some));
            crate::ops::sum::forward(&mut sum, &own);
            for (at, &i) in some.iter().enumerate() {
                assert_eq!(own_ctx.row(at), ctx.row(i));
                for (own, all) in own_edges.iter().zip(&edges) {
                    assert_eq!(own.pattern.row(i), all.pattern.row(i));
                    assert_eq!(own.content.row(i), all.content.row(i));
                }
            }
        }
        near("m_qkv", sum.data(), m_qkv.data(), 1e-12);
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
