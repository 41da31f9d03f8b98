//! The strongest edges of a walk: those with the largest |pattern + content|.

use std::cmp::Ordering;

use crate::model::Place;
use crate::ops::Real;
use crate::ops::attention::Edges;

/// How much of the edges a walk keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepEdges {
    /// The strongest of them alone.
    Strongest,
    /// All: L·A·S·S pairs of numbers.
    All,
    /// None: the walk does not compute them.
    None,
}

/// One edge, from a key token to a query token through a head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeScore {
    /// Layer, from 0.
    pub layer: usize,
    /// Head, from 0.
    pub head: usize,
    /// The token that looks.
    pub query: usize,
    /// The token that is looked at.
    pub key: usize,
    /// Where the head looks.
    pub pattern: f64,
    /// What it carries.
    pub content: f64,
}

impl EdgeScore {
    fn strength(&self) -> f64 {
        (self.pattern + self.content).abs()
    }

    /// Strongest first; equals by their place.
    fn order(&self, other: &Self) -> Ordering {
        let place = |e: &Self| (e.layer, e.head, e.query, e.key);
        other
            .strength()
            .total_cmp(&self.strength())
            .then_with(|| place(self).cmp(&place(other)))
    }
}

/// What a walk keeps of one head's edges.
#[derive(Clone, Debug)]
pub(crate) struct FoundEdges<T> {
    pub(crate) top: Vec<EdgeScore>,
    pub(crate) all: Option<Edges<T>>,
}

impl<T: Real> FoundEdges<T> {
    pub(crate) fn of(
        place: Place,
        keep: KeepEdges,
        top: usize,
        scores: &dyn Fn() -> Edges<T>,
    ) -> Self {
        match keep {
            KeepEdges::None => Self {
                top: Vec::new(),
                all: None,
            },
            KeepEdges::Strongest => Self {
                top: strongest_in(&scores(), place.layer, place.head, top),
                all: None,
            },
            KeepEdges::All => {
                let edges = scores();
                Self {
                    top: strongest_in(&edges, place.layer, place.head, top),
                    all: Some(edges),
                }
            }
        }
    }
}

/// The `n` strongest, strongest first.
pub(crate) fn strongest(mut edges: Vec<EdgeScore>, n: usize) -> Vec<EdgeScore> {
    edges.sort_by(EdgeScore::order);
    edges.truncate(n);
    edges
}

/// The `n` strongest of all edges (L, A).
pub(crate) fn strongest_of<T: Real>(edges: &[Vec<Edges<T>>], n: usize) -> Vec<EdgeScore> {
    let heads = edges
        .iter()
        .enumerate()
        .flat_map(|(l, layer)| layer.iter().enumerate().map(move |h| (l, h)));
    strongest(
        heads
            .flat_map(|(l, (a, edges))| strongest_in(edges, l, a, n))
            .collect(),
        n,
    )
}

/// The `n` strongest of one head: a pool of up to 2n, cut down to the n strongest whenever it is full, so that
/// nearly every edge costs one comparison.
fn strongest_in<T: Real>(edges: &Edges<T>, layer: usize, head: usize, n: usize) -> Vec<EdgeScore> {
    if n == 0 {
        return Vec::new();
    }
    let mut pool: Vec<EdgeScore> = Vec::with_capacity(2 * n);
    let mut floor = T::of(-1.0);
    for query in 0..edges.pattern.rows() {
        for (key, (&p, &c)) in edges
            .pattern
            .row(query)
            .iter()
            .zip(edges.content.row(query))
            .enumerate()
        {
            if (p + c).abs() > floor {
                pool.push(EdgeScore {
                    layer,
                    head,
                    query,
                    key,
                    pattern: p.f64(),
                    content: c.f64(),
                });
                if pool.len() == 2 * n {
                    pool = strongest(pool, n);
                    // Rounded down a little, so that the comparison in T never loses an edge.
                    floor = pool
                        .last()
                        .map_or(floor, |last| T::of(last.strength() * (1.0 - 1e-6)));
                }
            }
        }
    }
    strongest(pool, n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Matrix;

    #[test]
    fn finds_the_strongest_of_many() {
        let s = 40;
        let wave = |a: f64| {
            Matrix::from_vec(
                s,
                s,
                (0..s * s).map(|k| (a * k as f64).sin() as f32).collect(),
            )
        };
        let edges = Edges {
            pattern: wave(0.37),
            content: wave(1.91),
        };
        let got = strongest_in(&edges, 2, 5, 30);
        let mut want: Vec<(f64, usize)> = (0..s * s)
            .map(|k| {
                (
                    f64::from(edges.pattern.data()[k]) + f64::from(edges.content.data()[k]),
                    k,
                )
            })
            .collect();
        want.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then(a.1.cmp(&b.1)));
        assert_eq!(got.len(), 30);
        for (got, want) in got.iter().zip(want) {
            assert_eq!(
                (got.query * s + got.key, got.layer, got.head),
                (want.1, 2, 5)
            );
        }
        assert_eq!(strongest_in(&edges, 0, 0, 5000).len(), s * s);
        assert!(strongest_in(&edges, 0, 0, 0).is_empty());
    }
}
