//! A row: one question, its gold answers, its explanation.

use spanlift::attribute::KeepEdges;
use spanlift::ops::attention::Edges;
use spanlift::ops::{Matrix, Real};
use spanlift::{Explained, Options};
use spanlift_explanation::{
    Answer, Completeness, Explanation, FORMAT, HeadScores, Method, ModelInfo, Target, TargetKind,
    VERSION, Window,
};
use spanlift_squad::{GoldAnswer, Question, QuestionKind, score};

use crate::plan::{Asked, Keep};

/// One question, its gold answers, its explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The question's id in its data set.
    pub id: String,
    /// The article's title; empty where the data set has none.
    pub title: String,
    /// The gold answers, in file order.
    pub gold: Vec<GoldAnswer>,
    /// The data set says that the passage does not answer the question.
    pub is_impossible: bool,
    /// 1 where the explained answer matches a gold one by the official metric, otherwise 0.
    pub exact: f64,
    /// The official metric's overlap of words, from 0 to 1.
    pub f1: f64,
    /// The share of each layer's attention that a token receives: the mean over heads and queries; (L, S), rows sum to 1.
    pub attention: Vec<Vec<f32>>,
    /// The strongest edges of each head, where the run keeps them.
    pub head_edges: Option<HeadEdges>,
    /// Why the model answers as it does. `heads.by_token` is empty where the run left it out ([`Keep::head_tokens`]).
    pub explanation: Explanation,
}

/// The K edges of each head with the largest |pattern + content|, largest first; (L, A, K) each, K less where a head has
/// fewer edges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadEdges {
    /// The token that looks.
    pub query: Vec<Vec<Vec<usize>>>,
    /// The token that is looked at.
    pub key: Vec<Vec<Vec<usize>>>,
    /// Contribution of where the head looks.
    pub pattern: Vec<Vec<Vec<f32>>>,
    /// Contribution of what it carries from there.
    pub content: Vec<Vec<Vec<f32>>>,
}

impl Record {
    /// The type of the question.
    #[must_use]
    pub fn kind(&self) -> QuestionKind {
        QuestionKind::of(&self.explanation.question)
    }

    /// From what was found out.
    pub(crate) fn new<T: Real>(question: &Question, explained: Explained<T>, keep: Keep) -> Self {
        let mut explanation = explained.explanation;
        let gold = question.answers.iter().map(|gold| gold.text.as_str());
        let score = score(&explanation.answer.text, gold);
        if !keep.head_tokens {
            explanation.heads.by_token = Vec::new();
        }
        let edges = explained.edges.as_deref();
        Self {
            id: question.id.clone(),
            title: question.title.to_string(),
            gold: question.answers.clone(),
            is_impossible: question.is_impossible,
            exact: score.exact,
            f1: score.f1,
            attention: explained.attention.iter().map(|l| received(l)).collect(),
            head_edges: edges
                .zip(keep.edges)
                .map(|(edges, k)| HeadEdges::of(edges, k)),
            explanation,
        }
    }

    /// One that is about to be read.
    pub(crate) fn blank(model: &ModelInfo, method: &Method, kind: TargetKind) -> Self {
        Self {
            id: String::new(),
            title: String::new(),
            gold: Vec::new(),
            is_impossible: false,
            exact: 0.0,
            f1: 0.0,
            attention: Vec::new(),
            head_edges: None,
            explanation: Explanation {
                format: FORMAT.to_owned(),
                version: VERSION,
                model: model.clone(),
                method: method.clone(),
                question: String::new(),
                passage: String::new(),
                window: Window {
                    index: 0,
                    count: 0,
                    start: 0,
                    end: 0,
                },
                answer: Answer {
                    text: String::new(),
                    start: None,
                    end: None,
                    start_token: 0,
                    end_token: 0,
                    score: 0.0,
                    null_score: 0.0,
                    has_answer: false,
                    probability: 0.0,
                    given: false,
                },
                candidates: Vec::new(),
                tokens: Vec::new(),
                target: Target {
                    kind,
                    start_token: 0,
                    end_token: 0,
                    versus: None,
                    value: 0.0,
                    reference_value: 0.0,
                    delta: 0.0,
                },
                layers: Vec::new(),
                word_score: Vec::new(),
                word_sum: 0.0,
                word_error: 0.0,
                heads: HeadScores {
                    score: Vec::new(),
                    by_token: Vec::new(),
                    residual: Vec::new(),
                    error: Vec::new(),
                },
                mlp: Vec::new(),
                mlp_residual: Vec::new(),
                mlp_error: Vec::new(),
                top_edges: Vec::new(),
                completeness: Completeness {
                    bound: 0.0,
                    worst: 0.0,
                    cut: String::new(),
                    holds: false,
                },
            },
        }
    }
}

impl Asked<'_> {
    /// What the engine is asked for so that a [`Record`] can be made of it.
    pub(crate) fn of_engine(self) -> Options {
        let mut options = self.options.clone();
        options.attention = true;
        options.edges = if self.keep.edges.is_some() {
            KeepEdges::All
        } else {
            KeepEdges::Strongest
        };
        options
    }
}

/// The share of the attention that each token receives: the mean over a layer's heads and queries, in f64; (S).
fn received<T: Real>(heads: &[Matrix<T>]) -> Vec<f32> {
    let tokens = heads.first().map_or(0, Matrix::cols);
    let mut sums = vec![0.0; tokens];
    let rows = heads
        .iter()
        .flat_map(|head| (0..head.rows()).map(|i| head.row(i)));
    for row in rows {
        for (sum, &p) in sums.iter_mut().zip(row) {
            *sum += p.f64();
        }
    }
    let count = (heads.len() * tokens).max(1) as f64;
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}

impl HeadEdges {
    fn of<T: Real>(layers: &[Vec<Edges<T>>], k: usize) -> Self {
        let mut all = Self::default();
        for heads in layers {
            let mut layer: [Vec<Vec<usize>>; 2] = Default::default();
            let mut scores: [Vec<Vec<f32>>; 2] = Default::default();
            for edges in heads {
                let (tokens, places) = (edges.pattern.cols(), strongest(edges, k));
                let number =
                    |of: &Matrix<T>| places.iter().map(|&at| of.data()[at].f32()).collect();
                scores[0].push(number(&edges.pattern));
                scores[1].push(number(&edges.content));
                layer[0].push(places.iter().map(|at| at / tokens).collect());
                layer[1].push(places.iter().map(|at| at % tokens).collect());
            }
            let [query, key] = layer;
            let [pattern, content] = scores;
            all.query.push(query);
            all.key.push(key);
            all.pattern.push(pattern);
            all.content.push(content);
        }
        all
    }
}

/// The places in (S, S) of the `k` strongest edges, strongest first; equals by their place.
fn strongest<T: Real>(edges: &Edges<T>, k: usize) -> Vec<usize> {
    let pairs = edges.pattern.data().iter().zip(edges.content.data());
    let mut order: Vec<(f64, usize)> = pairs
        .enumerate()
        .map(|(at, (p, c))| ((p.f64() + c.f64()).abs(), at))
        .collect();
    let by_strength = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if k < order.len() {
        order.select_nth_unstable_by(k, by_strength);
        order.truncate(k);
    }
    order.sort_by(by_strength);
    order.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(s: usize, a: f64) -> Matrix<f64> {
        Matrix::from_vec(s, s, (0..s * s).map(|k| (a * k as f64).sin()).collect())
    }

    #[test]
    fn the_strongest_edges_are_those_of_a_full_sort() {
        let edges = Edges {
            pattern: wave(9, 0.37),
            content: wave(9, 1.91),
        };
        let strength = |at: usize| (edges.pattern.data()[at] + edges.content.data()[at]).abs();
        let mut all: Vec<usize> = (0..81).collect();
        all.sort_by(|&a, &b| strength(b).total_cmp(&strength(a)));
        for k in [1, 7, 80, 81, 500] {
            assert_eq!(strongest(&edges, k), all[..k.min(81)], "{k}");
        }
        let found = HeadEdges::of(&[vec![edges.clone()]], 3);
        for rank in 0..3 {
            let at = found.query[0][0][rank] * 9 + found.key[0][0][rank];
            assert_eq!(at, all[rank]);
            assert_eq!(found.pattern[0][0][rank], edges.pattern.data()[at] as f32);
            assert_eq!(found.content[0][0][rank], edges.content.data()[at] as f32);
        }
        // Equals in the order of their places.
        let same = Edges {
            pattern: Matrix::from_vec(2, 2, vec![1.0, -1.0, 1.0, 2.0]),
            content: Matrix::zeros(2, 2),
        };
        assert_eq!(strongest(&same, 3), [3, 0, 1]);
    }

    #[test]
    fn received_attention_is_the_mean_over_heads_and_queries() {
        // Two heads over two tokens: columns 0.9 + 0.3 + 0.5 + 0.1 and the rest of four rows.
        let heads = [
            Matrix::from_vec(2, 2, vec![0.9, 0.1, 0.3, 0.7]),
            Matrix::from_vec(2, 2, vec![0.5, 0.5, 0.1, 0.9]),
        ];
        assert_eq!(received(&heads), [0.45, 0.55]);
    }
}
