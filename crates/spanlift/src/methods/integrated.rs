//! Integrated Gradients (Sundararajan, Taly & Yan 2017), at the words and at every cut; METHOD section 3.
//!
//! Along the straight path x(α) = x0 + α·Δx in the word embeddings, with nodes α_k and weights w_k, Σ w_k = 1, and m(α) the
//! gradient at x(α): the words take Σ_k w_k·m(α_k)·Δx, and a cut h takes Σ_k m(α_k)·Δ_k h, where Δ_k h is what h changes over the
//! node's own part of the path. The parts meet halfway between neighbours: Δ_k h = (h_{k+1} − h_{k−1})/2, and the first and the last
//! reach to the ends, so that Σ_k Δ_k h = Δh whatever the nodes. At the words the error falls as that of the quadrature, at
//! the cuts with the square of the number of points.
//!
//! A token's positive and negative parts are sums over the path of those at each step.
//!
//! Cost, for each reference: n + 2 forward passes for n nodes (a few more where the activations of all do not fit), and two walks a
//! node, one for each half of Δ_k h; beside these a pass over the input and one over each reference, which give the target's values.

use std::f64::consts::PI;

use super::{Found, Passes, Sequence, setting};
use crate::attribute::rules::GRADIENT;
use crate::attribute::{Attribution, KeepEdges, attribute};
use crate::model::{Layout, forward};
use crate::ops::contribution::Contribution;
use crate::ops::{Matrix, Real};

/// Where the path's points lie, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// Which nodes.
    pub nodes: Nodes,
    /// How many.
    pub steps: Steps,
}

impl Default for Path {
    /// 50 points by Gauss and Legendre.
    fn default() -> Self {
        Self {
            nodes: Nodes::GaussLegendre,
            steps: Steps::Fixed(50),
        }
    }
}

/// Nodes and weights of the quadrature on 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// The roots of the Legendre polynomial.
    GaussLegendre,
    /// The middles of n equal parts.
    Riemann,
}

/// How many points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Steps {
    /// So many, at least 1.
    Fixed(usize),
    /// [`FIRST`], and twice as many until every cut's |error| ≤ bound · max(1, Σ|score|), or [`LAST`].
    Auto {
        /// The bound.
        bound: f64,
    },
}

/// Points that `auto` begins with.
pub const FIRST: usize = 16;
/// Points that it ends with, whatever the error.
pub const LAST: usize = 1024;
/// Its bound unless one is given.
pub const BOUND: f64 = 1e-3;

impl Nodes {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GaussLegendre => "gauss-legendre",
            Self::Riemann => "riemann",
        }
    }

    /// (α, w) of each of n nodes, in order.
    #[must_use]
    pub fn of(self, n: usize) -> Vec<(f64, f64)> {
        match self {
            Self::Riemann => {
                let step = 1.0 / n as f64;
                (0..n).map(|k| ((k as f64 + 0.5) * step, step)).collect()
            }
            Self::GaussLegendre => (0..n).map(|k| gauss_legendre(n, k)).collect(),
        }
    }
}

/// Node k of n: a root of P_n by Newton's method from the guess cos(π·(k + ¾)/(n + ½)) (Abramowitz & Stegun 22.16.6), its weight
/// 2/((1 − x²)·P_n′(x)²) (25.4.29); both moved from −1…1 to 0…1.
fn gauss_legendre(n: usize, k: usize) -> (f64, f64) {
    let legendre = |x: f64| {
        let (mut p, mut before) = (1.0, 0.0);
        for j in 0..n {
            let j = j as f64;
            (p, before) = (((2.0 * j + 1.0) * x * p - j * before) / (j + 1.0), p);
        }
        (p, n as f64 * (x * p - before) / (x * x - 1.0))
    };
    let mut x = -(PI * (k as f64 + 0.75) / (n as f64 + 0.5)).cos();
    for _ in 0..100 {
        let (p, slope) = legendre(x);
        let step = p / slope;
        x -= step;
        if step.abs() < 1e-15 {
            break;
        }
    }
    let slope = legendre(x).1;
    (0.5 * (1.0 + x), 1.0 / ((1.0 - x * x) * slope * slope))
}

/// Scores of the words and of every cut: the mean over the references. `points` of the path, ends included, fit in memory at a time.
pub(crate) fn scores<T: Real>(sequence: &Sequence<'_, T>, path: Path, points: usize) -> Found<T> {
    // Those that found the target's value on the input and on each reference.
    let mut passes = Passes {
        forward: 1 + sequence.references.len(),
        backward: 0,
    };
    let (mut n, bound) = match path.steps {
        Steps::Fixed(n) => (n.max(1), None),
        Steps::Auto { bound } => (FIRST, Some(bound)),
    };
    let attribution = loop {
        let found = with_points(sequence, &path.nodes.of(n), points, &mut passes);
        let worst = found
            .sums()
            .iter()
            .map(|cut| cut.relative)
            .fold(0.0, f64::max);
        if n >= LAST || bound.is_none_or(|bound| worst <= bound) {
            break found;
        }
        n *= 2;
    };
    Found {
        attribution,
        passes,
        chosen: bound.map(|_| setting("points", n)).into_iter().collect(),
    }
}

fn with_points<T: Real>(
    sequence: &Sequence<'_, T>,
    nodes: &[(f64, f64)],
    points: usize,
    passes: &mut Passes,
) -> Attribution<T> {
    let mut mean: Option<Attribution<T>> = None;
    for r in 0..sequence.references.len() {
        let mut found = along(sequence, r, nodes, points, passes);
        found.value = sequence.value;
        found.reference_value = sequence.reference_values[r];
        match &mut mean {
            None => mean = Some(found),
            Some(mean) => mean.add(found),
        }
    }
    let references = sequence.references.len();
    let mut mean = mean.unwrap_or_else(|| unreachable!("at least one reference"));
    if references > 1 {
        mean.divide(references);
    }
    mean
}

/// One path.
fn along<T: Real>(
    sequence: &Sequence<'_, T>,
    r: usize,
    nodes: &[(f64, f64)],
    points: usize,
    passes: &mut Passes,
) -> Attribution<T> {
    let n = nodes.len();
    // Point 0 is the reference, point n + 1 the input.
    let alpha = |p: usize| match p {
        0 => 0.0,
        p if p > n => 1.0,
        p => nodes[p - 1].0,
    };
    let mut sum: Option<Attribution<T>> = None;
    let chunk = points.max(2);
    let mut first = 0;
    while first <= n {
        let last = (first + chunk - 1).min(n + 1);
        let words: Vec<Matrix<T>> = (first..=last)
            .map(|p| between(&sequence.references[r], &sequence.words, alpha(p)))
            .collect();
        let layout = Layout::new(words.iter().map(|_| sequence.segments));
        let mut data = Vec::new();
        words
            .iter()
            .for_each(|words| data.extend_from_slice(words.data()));
        let cols = sequence.words.cols();
        let trace = forward(
            sequence.encoder,
            &layout,
            Matrix::from_vec(layout.segments.len(), cols, data),
        );
        passes.forward += words.len();
        // Of each pair of neighbours the upper against the lower, and the lower against the upper.
        for up in [true, false] {
            // Neither end is a node.
            let at: Vec<usize> = if up {
                (first + 1..=last.min(n)).collect()
            } else {
                (first.max(1)..last).collect()
            };
            let Some(&begin) = at.first() else { continue };
            let here = begin - first..begin - first + at.len();
            let other = if up {
                here.start - 1..here.end - 1
            } else {
                here.start + 1..here.end + 1
            };
            let found = attribute(
                sequence.encoder,
                &Layout::new(at.iter().map(|_| sequence.segments)),
                trace.part(here),
                trace.part(other),
                &vec![sequence.target; at.len()],
                GRADIENT.rules,
                KeepEdges::None,
            );
            passes.backward += at.len();
            for (p, found) in at.into_iter().zip(found) {
                let outermost = if up { p == 1 } else { p == n };
                let sign = if up { 1.0 } else { -1.0 };
                let cuts = sign * if outermost { 1.0 } else { 0.5 };
                let words = sign * nodes[p - 1].1 / (alpha(p + 1) - alpha(p - 1));
                match &mut sum {
                    Some(sum) => add(sum, &found, cuts, words),
                    None => {
                        let zeros = add_to_zeros(&found, cuts, words);
                        sum = Some(zeros);
                    }
                }
            }
        }
        trace.recycle();
        first = last;
    }
    sum.unwrap_or_else(|| unreachable!("at least one node"))
}

/// x0 + α·(x − x0).
fn between<T: Real>(x0: &Matrix<T>, x: &Matrix<T>, alpha: f64) -> Matrix<T> {
    let point = |(x0, x): (&T, &T)| T::of(x0.f64() + alpha * (x.f64() - x0.f64()));
    let data = x0.data().iter().zip(x.data()).map(point).collect();
    Matrix::from_vec(x.rows(), x.cols(), data)
}

fn add_to_zeros<T: Real>(found: &Attribution<T>, cuts: f64, words: f64) -> Attribution<T> {
    let mut zeros = found.clone();
    for c in zeros.contributions() {
        *c = Contribution::default();
    }
    zeros
        .heads
        .iter_mut()
        .flatten()
        .flatten()
        .for_each(|score| *score = 0.0);
    add(&mut zeros, found, cuts, words);
    zeros
}

/// Adds a walk's scores times a weight: those at the words times another than those at the cuts. A negative weight turns
/// positive parts into negative ones.
fn add<T: Real>(sum: &mut Attribution<T>, found: &Attribution<T>, cuts: f64, words: f64) {
    let one = |sum: &mut Contribution, found: &Contribution, weight: f64| {
        let (up, down) = if weight < 0.0 {
            (found.negative, found.positive)
        } else {
            (found.positive, found.negative)
        };
        sum.positive += weight * up;
        sum.negative += weight * down;
    };
    for (sum, found) in sum.words.iter_mut().zip(&found.words) {
        one(sum, found, words);
    }
    let pairs = [
        (&mut sum.cuts, &found.cuts),
        (&mut sum.residual, &found.residual),
        (&mut sum.mlp, &found.mlp),
        (&mut sum.mlp_residual, &found.mlp_residual),
    ];
    for (sum, found) in pairs {
        for (sum, found) in sum.iter_mut().flatten().zip(found.iter().flatten()) {
            one(sum, found, cuts);
        }
    }
    let heads = found.heads.iter().flatten().flatten();
    for (sum, found) in sum.heads.iter_mut().flatten().flatten().zip(heads) {
        *sum += cuts * found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Span, Target};
    use crate::checkpoint::{self, Checkpoint};
    use crate::ops::embedding;

    /// However few points of the path are held at a time, and whatever of it is run again.
    #[test]
    fn a_path_in_pieces_is_the_same_path() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/two-layers");
        let checkpoint: Checkpoint<f64> =
            checkpoint::load(checkpoint::Source::Folder(std::path::Path::new(folder))).unwrap();
        let encoder = &checkpoint.encoder;
        let words = |ids: &[u32]| embedding::words(&encoder.embeddings, ids);
        let ids = [2, 12, 29, 5, 31, 3, 5, 41, 29, 3];
        let references = [words(&[2, 4, 4, 4, 4, 3, 4, 4, 4, 3])];
        let sequence = Sequence {
            encoder,
            segments: &[0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
            ids: &ids,
            words: words(&ids),
            references: &references,
            target: Target::Span(Span { start: 7, end: 8 }),
            value: 0.0,
            reference_values: vec![0.0],
            word_tokens: &[],
        };
        for n in [1, 2, 7] {
            let steps = Steps::Fixed(n);
            let nodes = Nodes::GaussLegendre;
            let all = |points: usize| {
                let mut found = scores(&sequence, Path { nodes, steps }, points);
                let heads = found.attribution.heads.concat().concat();
                let parts = found.attribution.contributions();
                let mut numbers: Vec<f64> = parts.flat_map(|c| [c.positive, c.negative]).collect();
                numbers.extend(heads);
                (numbers, found.passes)
            };
            let (want, passes) = all(1000);
            // The passes over input and reference are counted, though not made here.
            assert_eq!((passes.forward, passes.backward), (n + 4, 2 * n));
            assert!(want.iter().any(|x| x.abs() > 0.1));
            for points in 1..n + 2 {
                let (got, passes) = all(points);
                assert!(passes.forward > n + 4 && passes.backward == 2 * n);
                for (got, want) in got.iter().zip(&want) {
                    assert!((got - want).abs() < 1e-12, "{n} {points}: {got} {want}");
                }
            }
        }
    }

    /// n points of Gauss and Legendre integrate every polynomial below degree 2n: ∫ α^d = 1/(d + 1).
    #[test]
    fn nodes_integrate_what_they_promise() {
        for n in [1, 2, 3, 10, 50, 300] {
            for nodes in [Nodes::GaussLegendre, Nodes::Riemann] {
                let points = nodes.of(n);
                assert_eq!(points.len(), n);
                assert!(points.is_sorted_by(|a, b| a.0 < b.0));
                assert!(points.iter().all(|(x, w)| 0.0 < *x && *x < 1.0 && *w > 0.0));
            }
            for d in [0, 1, n, 2 * n - 1] {
                let sum: f64 = Nodes::GaussLegendre
                    .of(n)
                    .iter()
                    .map(|(x, w)| w * x.powi(d as i32))
                    .sum();
                let want = 1.0 / (d as f64 + 1.0);
                assert!((sum - want).abs() < 1e-13, "{n} {d}: {sum} {want}");
            }
            let first: f64 = Nodes::Riemann.of(n).iter().map(|(x, w)| w * x).sum();
            assert!((first - 0.5).abs() < 1e-13);
        }
        // The three points that every table has: ½ and ½ ± ½·√(3/5), weights 4/9 and 5/18.
        let three = Nodes::GaussLegendre.of(3);
        let root = 0.5 * 0.6_f64.sqrt();
        let want = [
            (0.5 - root, 5.0 / 18.0),
            (0.5, 4.0 / 9.0),
            (0.5 + root, 5.0 / 18.0),
        ];
        for ((x, w), (x0, w0)) in three.into_iter().zip(want) {
            assert!((x - x0).abs() < 1e-15 && (w - w0).abs() < 1e-15);
        }
    }
}
