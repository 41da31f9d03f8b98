//! The scores of one sequence, split from a walk over packed ones, and whether they add up.

use crate::model::{Layout, Walk};
use crate::ops::Real;
use crate::ops::attention::Edges;
use crate::ops::contribution::Contribution;

use super::TOP_EDGES;
use super::edges::{EdgeScore, FoundEdges, strongest, strongest_of};

/// Scores of one sequence of S tokens under one target; METHOD section 2.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution<T> {
    /// The target's value on the input.
    pub value: f64,
    /// The target's value on the reference.
    pub reference_value: f64,
    /// At the word embeddings; (S).
    pub words: Vec<Contribution>,
    /// At the input of each layer, then at the final hidden states; (L+1, S).
    pub cuts: Vec<Vec<Contribution>>,
    /// Through the heads, by query token; (L, A, S).
    pub heads: Vec<Vec<Vec<f64>>>,
    /// Past each layer's attention; (L, S).
    pub residual: Vec<Vec<Contribution>>,
    /// Through each layer's feed-forward block; (L, S).
    pub mlp: Vec<Vec<Contribution>>,
    /// Past each layer's feed-forward block; (L, S).
    pub mlp_residual: Vec<Vec<Contribution>>,
    /// The strongest edges, strongest first.
    pub top_edges: Vec<EdgeScore>,
    /// All edges where asked for; (L, A).
    pub edges: Option<Vec<Vec<Edges<T>>>>,
}

/// Sum over tokens.
#[must_use]
pub fn sum(tokens: &[Contribution]) -> f64 {
    tokens.iter().map(|c| c.score()).sum()
}

/// Σ|score| over tokens.
#[must_use]
pub fn absolute(tokens: &[Contribution]) -> f64 {
    tokens.iter().map(|c| c.score().abs()).sum()
}

/// What one cut adds up to.
#[derive(Clone, Debug, PartialEq)]
pub struct CutSum {
    /// `words`, a layer's number from 1, `output`, `heads 3`, `mlp 3`.
    pub cut: String,
    /// Sum of all scores.
    pub sum: f64,
    /// Sum − Δt.
    pub error: f64,
    /// |error| / max(1, Σ|score|).
    pub relative: f64,
}

impl<T: Real> Attribution<T> {
    /// The sequence `b` of a walk; takes its edges out of the walk.
    pub(crate) fn split(
        walk: &mut Walk<FoundEdges<T>>,
        layout: &Layout,
        b: usize,
        heads: usize,
        (value, reference_value): (f64, f64),
        top: usize,
    ) -> Self {
        let tokens = layout.tokens(b);
        let part = |all: &[Contribution]| all[tokens.clone()].to_vec();
        let mut cuts: Vec<_> = walk.layers.iter().map(|layer| part(&layer.cut)).collect();
        cuts.push(part(&walk.output));
        let by_head = |all: &[f64]| {
            (0..heads)
                .map(|a| tokens.clone().map(|i| all[i * heads + a]).collect())
                .collect()
        };
        let mut candidates = Vec::new();
        let mut edges = Some(Vec::new());
        for layer in &mut walk.layers {
            let mut of_layer = Vec::with_capacity(heads);
            for found in &mut layer.edges[b * heads..(b + 1) * heads] {
                let (mut top, all) = found.finish();
                candidates.append(&mut top);
                of_layer.extend(all);
            }
            edges = edges.filter(|_| of_layer.len() == heads);
            if let Some(edges) = &mut edges {
                edges.push(of_layer);
            }
        }
        Self {
            value,
            reference_value,
            words: part(&walk.words),
            cuts,
            heads: walk
                .layers
                .iter()
                .map(|layer| by_head(&layer.heads))
                .collect(),
            residual: walk
                .layers
                .iter()
                .map(|layer| part(&layer.residual))
                .collect(),
            mlp: walk.layers.iter().map(|layer| part(&layer.mlp)).collect(),
            mlp_residual: walk
                .layers
                .iter()
                .map(|layer| part(&layer.mlp_residual))
                .collect(),
            top_edges: strongest(candidates, top),
            edges,
        }
    }

    /// Δt: what every cut adds up to.
    #[must_use]
    pub fn delta(&self) -> f64 {
        self.value - self.reference_value
    }

    /// The score through each head; (L, A).
    #[must_use]
    pub fn head_scores(&self) -> Vec<Vec<f64>> {
        self.heads
            .iter()
            .map(|layer| layer.iter().map(|head| head.iter().sum()).collect())
            .collect()
    }

    /// Every cut's sum and error: words, the layers' inputs and the output, then each layer's heads + residual and
    /// MLP + its residual.
    #[must_use]
    pub fn sums(&self) -> Vec<CutSum> {
        let delta = self.delta();
        let cut = |cut: String, sum: f64, absolute: f64| {
            let error = sum - delta;
            CutSum {
                cut,
                sum,
                error,
                relative: error.abs() / absolute.max(1.0),
            }
        };
        let mut sums = vec![cut(
            "words".to_owned(),
            sum(&self.words),
            absolute(&self.words),
        )];
        for (l, tokens) in self.cuts.iter().enumerate() {
            let name = if l + 1 == self.cuts.len() {
                "output".to_owned()
            } else {
                (l + 1).to_string()
            };
            sums.push(cut(name, sum(tokens), absolute(tokens)));
        }
        for l in 0..self.heads.len() {
            let through = self.heads[l].iter().flatten();
            sums.push(cut(
                format!("heads {}", l + 1),
                through.clone().sum::<f64>() + sum(&self.residual[l]),
                through.map(|c| c.abs()).sum::<f64>() + absolute(&self.residual[l]),
            ));
            sums.push(cut(
                format!("mlp {}", l + 1),
                sum(&self.mlp[l]) + sum(&self.mlp_residual[l]),
                absolute(&self.mlp[l]) + absolute(&self.mlp_residual[l]),
            ));
        }
        sums
    }

    /// Whether every number of it is finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        // A NaN or an infinity anywhere in a cut shows in its sum.
        self.value.is_finite()
            && self.reference_value.is_finite()
            && self.sums().iter().all(|cut| cut.sum.is_finite())
    }

    /// Adds another reference's scores; [`divide`](Self::divide) then makes the mean of all (DeepSHAP).
    pub(crate) fn add(&mut self, mut other: Self) {
        self.reference_value += other.reference_value;
        for (a, b) in self.contributions().zip(other.contributions()) {
            a.positive += b.positive;
            a.negative += b.negative;
        }
        let heads = other.heads.iter().flatten().flatten();
        for (a, b) in self.heads.iter_mut().flatten().flatten().zip(heads) {
            *a += b;
        }
        for (a, b) in edge_numbers(&mut self.edges).zip(edge_numbers(&mut other.edges)) {
            *a += *b;
        }
    }

    /// Divides the sum over `references` by their number; the strongest edges are chosen anew.
    pub(crate) fn divide(&mut self, references: usize) {
        let n = references as f64;
        self.reference_value /= n;
        self.contributions().for_each(|c| {
            c.positive /= n;
            c.negative /= n;
        });
        let heads = self.heads.iter_mut().flatten().flatten();
        heads.for_each(|c| *c /= n);
        edge_numbers(&mut self.edges).for_each(|e| *e = *e / T::of(n));
        let edges = self.edges.as_deref().unwrap_or_default();
        self.top_edges = strongest_of(edges, TOP_EDGES);
    }

    /// Every token's contributions at every cut and block.
    pub(crate) fn contributions(&mut self) -> impl Iterator<Item = &mut Contribution> {
        let rows = self
            .cuts
            .iter_mut()
            .chain(&mut self.residual)
            .chain(&mut self.mlp);
        self.words
            .iter_mut()
            .chain(rows.chain(&mut self.mlp_residual).flatten())
    }
}

fn edge_numbers<T: Real>(edges: &mut Option<Vec<Vec<Edges<T>>>>) -> impl Iterator<Item = &mut T> {
    edges
        .iter_mut()
        .flatten()
        .flatten()
        .flat_map(|e| e.pattern.data_mut().iter_mut().chain(e.content.data_mut()))
}
