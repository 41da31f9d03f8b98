//! The strongest edges of a walk: those with the largest |pattern + content|.

use std::cmp::Ordering;

use crate::model::Place;
use crate::ops::attention::{EdgeSink, Edges};
use crate::ops::rows::{lane_max, vectorised};
use crate::ops::{Matrix, Real};

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

/// What a walk keeps of one head's edges: a pool of up to 2n, cut down to the n strongest whenever it is full, so that
/// nearly every row of edges costs one look at its strongest.
#[derive(Clone, Debug)]
pub(crate) struct FoundEdges<T> {
    place: Place,
    n: usize,
    pool: Vec<EdgeScore>,
    /// An edge that is not stronger is not one of the n strongest.
    floor: T,
    wanted: bool,
    all: Option<Edges<T>>,
}

impl<T: Real> FoundEdges<T> {
    /// None yet, of a sequence of `s` tokens; `n` are kept.
    pub(crate) fn new(place: Place, s: usize, keep: KeepEdges, n: usize) -> Self {
        Self {
            place,
            n,
            pool: Vec::new(),
            floor: T::of(-1.0),
            wanted: keep != KeepEdges::None,
            all: (keep == KeepEdges::All).then(|| Edges::new(s)),
        }
    }

    /// The n strongest, and all where these were kept.
    pub(crate) fn finish(&mut self) -> (Vec<EdgeScore>, Option<Edges<T>>) {
        let pool = std::mem::take(&mut self.pool);
        (strongest(pool, self.n), self.all.take())
    }

    fn row(&mut self, query: usize, pattern: &[T], content: &[T]) {
        for (key, (&p, &c)) in pattern.iter().zip(content).enumerate() {
            if (p + c).abs() > self.floor {
                self.pool.push(EdgeScore {
                    layer: self.place.layer,
                    head: self.place.head,
                    query,
                    key,
                    pattern: p.f64(),
                    content: c.f64(),
                });
                if self.pool.len() == 2 * self.n {
                    self.pool = strongest(std::mem::take(&mut self.pool), self.n);
                    // Rounded down a little, so that the comparison in T never loses an edge.
                    if let Some(last) = self.pool.last() {
                        self.floor = T::of(last.strength() * (1.0 - 1e-6));
                    }
                }
            }
        }
    }
}

impl<T: Real> EdgeSink<T> for FoundEdges<T> {
    fn wanted(&self) -> bool {
        self.wanted
    }

    fn take(&mut self, queries: &[usize], pattern: &Matrix<T>, content: &Matrix<T>) {
        for (at, &query) in queries.iter().enumerate() {
            let (pattern, content) = (pattern.row(at), content.row(at));
            if self.n > 0 && peak(pattern, content) > self.floor {
                self.row(query, pattern, content);
            }
        }
        if let Some(all) = &mut self.all {
            all.take(queries, pattern, content);
        }
    }
}

vectorised! {
    /// The largest |pattern + content|.
    fn peak<'a, T: Real>(pattern: &'a [T], content: &'a [T]) -> T {
        lane_max([pattern, content], T::ZERO, |[pattern, content]| (pattern + content).abs())
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
    let mut all = Vec::new();
    for (layer, heads) in edges.iter().enumerate() {
        for (head, edges) in heads.iter().enumerate() {
            all.append(&mut strongest_in(edges, layer, head, n));
        }
    }
    strongest(all, n)
}

/// The `n` strongest of one head.
fn strongest_in<T: Real>(edges: &Edges<T>, layer: usize, head: usize, n: usize) -> Vec<EdgeScore> {
    let place = Place {
        layer,
        sequence: 0,
        head,
    };
    let mut found = FoundEdges::new(place, edges.pattern.rows(), KeepEdges::Strongest, n);
    let queries: Vec<usize> = (0..edges.pattern.rows()).collect();
    found.take(&queries, &edges.pattern, &edges.content);
    found.finish().0
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Some queries at a time keep their places, and an edge that is stronger by a digit of f32 takes the other's.
    #[test]
    fn queries_keep_their_places_and_the_floor_loses_no_edge() {
        let place = Place {
            layer: 0,
            sequence: 0,
            head: 0,
        };
        let mut found = FoundEdges::new(place, 9, KeepEdges::Strongest, 1);
        let stronger = 1.0_f32 + 4.0 * f32::EPSILON;
        let mut take = |queries: &[usize], pattern: &[f32]| {
            let pattern = Matrix::from_vec(queries.len(), 2, pattern.to_vec());
            let content = Matrix::zeros(queries.len(), 2);
            found.take(queries, &pattern, &content);
        };
        take(&[2, 3], &[0.5, 0.25, 0.125, 1.0]);
        take(&[5, 7], &[0.0, 0.5, -stronger, 0.5]);
        let (edges, all) = found.finish();
        assert!(all.is_none());
        let places: Vec<_> = edges.iter().map(|e| (e.query, e.key, e.pattern)).collect();
        assert_eq!(places, [(7, 0, -f64::from(stronger))]);
    }
}
