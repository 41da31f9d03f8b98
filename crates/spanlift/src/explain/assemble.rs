//! From an attribution to an [`Explanation`].

use std::collections::BTreeMap;

use spanlift_explanation::{
    Completeness, Edge, Explanation, FORMAT, HeadScores, LayerScores, Method, ModelInfo, VERSION,
};

use super::choice::Choice;
use super::{Item, Options};
use crate::attribute::{Attribution, EdgeScore, sum};
use crate::checkpoint::Checkpoint;
use crate::encode::Encoding;
use crate::model::Config;
use crate::ops::Real;
use crate::ops::contribution::Contribution;

/// The result of one item.
pub(super) fn assemble<T: Real>(
    checkpoint: &Checkpoint<T>,
    item: Item<'_>,
    encoding: &Encoding,
    choice: Choice,
    attribution: &Attribution<T>,
    chosen: BTreeMap<String, String>,
    options: &Options,
) -> Explanation {
    let config = &checkpoint.encoder.config;
    let delta = attribution.delta();
    let narrow = |tokens: &[Contribution], f: fn(&Contribution) -> f64| -> Vec<f32> {
        tokens.iter().map(|c| f(c) as f32).collect()
    };
    let sums = attribution.sums();
    let layers = attribution
        .cuts
        .iter()
        .zip(&sums[1..])
        .map(|(tokens, cut)| LayerScores {
            name: cut.cut.clone(),
            score: narrow(tokens, |c| c.score()),
            positive: narrow(tokens, |c| c.positive),
            negative: narrow(tokens, |c| c.negative),
            sum: cut.sum,
            error: cut.error,
        });
    // Behind the words and the L + 1 cuts: heads and MLP of each layer in turn.
    let blocks = &sums[attribution.cuts.len() + 1..];
    let by_token = attribution.heads.iter().map(|layer| {
        layer
            .iter()
            .map(|head| head.iter().map(|&c| c as f32).collect())
            .collect()
    });
    let narrow_rows = |rows: Vec<Vec<f64>>| {
        rows.into_iter()
            .map(|r| r.into_iter().map(|c| c as f32).collect())
            .collect()
    };
    let worst = sums.iter().max_by(|a, b| a.relative.total_cmp(&b.relative));
    let mut method = options.method();
    method.settings.extend(chosen);
    let span = choice.target.span();
    Explanation {
        format: FORMAT.to_owned(),
        version: VERSION,
        model: model_info(config),
        method,
        question: item.question.to_owned(),
        passage: item.passage.to_owned(),
        window: encoding.window.clone(),
        candidates: choice.candidates,
        answer: choice.answer,
        tokens: encoding.tokens.clone(),
        target: spanlift_explanation::Target {
            kind: choice.target.kind(),
            start_token: span.start,
            end_token: span.end,
            versus: choice.versus,
            value: attribution.value,
            reference_value: attribution.reference_value,
            delta,
        },
        layers: layers.collect(),
        word_score: narrow(&attribution.words, |c| c.score()),
        word_sum: sums[0].sum,
        word_error: sums[0].error,
        heads: HeadScores {
            score: narrow_rows(attribution.head_scores()),
            by_token: by_token.collect(),
            residual: attribution
                .residual
                .iter()
                .map(|tokens| sum(tokens))
                .collect(),
            error: blocks.iter().step_by(2).map(|cut| cut.error).collect(),
        },
        mlp: attribution.mlp.iter().map(|tokens| sum(tokens)).collect(),
        mlp_residual: attribution
            .mlp_residual
            .iter()
            .map(|tokens| sum(tokens))
            .collect(),
        mlp_error: blocks
            .iter()
            .skip(1)
            .step_by(2)
            .map(|cut| cut.error)
            .collect(),
        top_edges: attribution.top_edges.iter().map(edge).collect(),
        completeness: Completeness {
            bound: T::BOUND,
            worst: worst.map_or(0.0, |cut| cut.relative),
            cut: worst.map_or_else(String::new, |cut| cut.cut.clone()),
            holds: worst.is_some_and(|cut| cut.relative <= T::BOUND),
        },
    }
}

/// The model, as every explanation of it says.
pub(super) fn model_info(config: &Config) -> ModelInfo {
    ModelInfo {
        name: config.name.clone(),
        family: config.family.name().to_owned(),
        layers: config.layers,
        heads: config.heads,
        hidden: config.hidden,
    }
}

impl Options {
    /// The method, as every explanation under these options says.
    #[must_use]
    pub fn method(&self) -> Method {
        let (method, preset) = (self.method, self.preset);
        let (reference, references) = if method.compares(preset) {
            (self.reference.name(), self.reference.count())
        } else {
            ("none".into(), 0)
        };
        Method {
            name: method.name(preset).to_owned(),
            rule: method.rule(preset).to_owned(),
            reference: reference.into_owned(),
            references,
            rules: method.rules(preset),
            settings: method.settings(preset),
            complete: method.complete(preset),
            scope: method.scope(),
        }
    }
}

fn edge(edge: &EdgeScore) -> Edge {
    Edge {
        layer: edge.layer + 1,
        head: edge.head + 1,
        query: edge.query,
        key: edge.key,
        pattern: edge.pattern as f32,
        content: edge.content as f32,
    }
}
