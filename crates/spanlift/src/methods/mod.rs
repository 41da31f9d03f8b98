//! The other methods: over the same passes, targets and references as DeepLIFT, all giving the same kind of scores.
//!
//! | method | what a score is | scores | adds up to Δt |
//! | --- | --- | --- | --- |
//! | DeepLIFT, Gradient × Input | m·Δx of one walk under a [preset](crate::attribute::rules::PRESETS) | everything | exactly (by the rules that are [complete](crate::attribute::rules::Preset::complete)); to first order |
//! | [`lrp`] | m·x of one walk under LRP's preset | everything but edges | where there are no biases, but for the softmax |
//! | [`integrated`] | Σ m·Δx along a path | everything but edges | as the points grow many |
//! | [`occlusion`] | what the target loses without the token | words | where the model is linear |
//! | [`attention`] | where the target's tokens look: raw, or rolled out | words, cuts | no |
//! | [`random`] | nothing: the floor | words | no |
//!
//! What does not add up is never rescaled: its error stands beside it.

pub mod attention;
pub mod integrated;
pub mod lrp;
pub mod occlusion;
pub mod random;

use std::collections::BTreeMap;
use std::ops::Range;

use spanlift_explanation::Scope;

use crate::attribute::rules::{Against, GRADIENT, Preset};
use crate::attribute::{Attribution, Target};
use crate::model::Encoder;
use crate::ops::contribution::Contribution;
use crate::ops::{Matrix, Real};
use attention::Flow;
use integrated::{Path, Steps};
use occlusion::Unit;

/// How the scores are made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Method {
    /// One walk for each reference, under the rules of [`Options::preset`](crate::Options::preset).
    #[default]
    Walk,
    /// Integrated Gradients.
    IntegratedGradients(Path),
    /// Occlusion.
    Occlusion(Unit),
    /// Attention itself.
    Attention(Flow),
    /// Random scores, from a seed.
    Random(u64),
}

/// What a method cost: one sequence through the network, forward or back, is one pass. Finding the answer in a passage of
/// several windows is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passes {
    /// Forward.
    pub forward: usize,
    /// Back.
    pub backward: usize,
}

/// What a method found of one question.
#[derive(Clone, Debug)]
pub(crate) struct Found<T> {
    pub(crate) attribution: Attribution<T>,
    pub(crate) passes: Passes,
    /// What the method chose by itself; it stands beside [`Method::settings`].
    pub(crate) chosen: BTreeMap<String, String>,
}

/// One encoded question, as the methods see it.
pub(crate) struct Sequence<'a, T> {
    pub(crate) encoder: &'a Encoder<T>,
    pub(crate) segments: &'a [u32],
    pub(crate) ids: &'a [u32],
    /// Word embeddings; (S, E).
    pub(crate) words: Matrix<T>,
    /// Word embeddings of each reference; (S, E).
    pub(crate) references: &'a [Matrix<T>],
    pub(crate) target: Target,
    /// The target's value on the input and, for each reference, there.
    pub(crate) value: f64,
    pub(crate) reference_values: Vec<f64>,
    /// The words that its tokens make, in order.
    pub(crate) word_tokens: &'a [Range<usize>],
}

impl Method {
    /// Its name in an Explanation.
    #[must_use]
    pub fn name(self, preset: Preset) -> &'static str {
        match self {
            Self::Walk => preset.method,
            Self::IntegratedGradients(_) => "integrated-gradients",
            Self::Occlusion(_) => "occlusion",
            Self::Attention(Flow::Raw) => "attention",
            Self::Attention(Flow::Rollout) => "rollout",
            Self::Random(_) => "random",
        }
    }

    /// Which form of it.
    pub(crate) fn rule(self, preset: Preset) -> &'static str {
        match self {
            Self::Walk => preset.name,
            Self::IntegratedGradients(path) => path.nodes.name(),
            Self::Occlusion(unit) => unit.name(),
            Self::Attention(Flow::Raw) => "raw",
            Self::Attention(Flow::Rollout) => "half-residual",
            Self::Random(_) => "uniform",
        }
    }

    /// What it was told beside that.
    pub(crate) fn settings(self, preset: Preset) -> BTreeMap<String, String> {
        let settings = match self {
            Self::Walk if preset.against == Against::Zero => vec![setting("against", "zero")],
            Self::Walk | Self::Attention(_) => Vec::new(),
            Self::IntegratedGradients(path) => match path.steps {
                Steps::Fixed(n) => vec![setting("points", n)],
                Steps::Auto { bound } => vec![setting("auto-bound", format!("{bound:e}"))],
            },
            Self::Occlusion(unit) => {
                let unit_is = setting("unit", unit.name());
                match unit {
                    Unit::Window(size) => vec![unit_is, setting("tokens", size)],
                    Unit::Token | Unit::Word => vec![unit_is],
                }
            }
            Self::Random(seed) => vec![setting("seed", seed)],
        };
        settings.into_iter().collect()
    }

    /// The rule of each operation, where it walks through them.
    pub(crate) fn rules(self, preset: Preset) -> BTreeMap<String, String> {
        let rules = match self {
            Self::Walk => preset.rules,
            Self::IntegratedGradients(_) => GRADIENT.rules,
            Self::Occlusion(_) | Self::Attention(_) | Self::Random(_) => return BTreeMap::new(),
        };
        let named = rules.names().into_iter();
        named
            .map(|(operation, rule)| (operation.to_owned(), rule.to_owned()))
            .collect()
    }

    /// Whether it makes every cut add up to Δt but for rounding.
    #[must_use]
    pub fn complete(self, preset: Preset) -> bool {
        self == Self::Walk && preset.complete
    }

    /// What it gives scores to.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Walk | Self::IntegratedGradients(_) => Scope::All,
            Self::Attention(_) => Scope::Cuts,
            Self::Occlusion(_) | Self::Random(_) => Scope::Words,
        }
    }

    /// Whether it compares the input with a reference.
    #[must_use]
    pub fn compares(self, preset: Preset) -> bool {
        match self {
            Self::Walk => preset.against == Against::Reference,
            Self::IntegratedGradients(_) | Self::Occlusion(_) => true,
            Self::Attention(_) | Self::Random(_) => false,
        }
    }
}

impl<T: Real> Sequence<'_, T> {
    /// The mean of the target's value over the references.
    fn reference_value(&self) -> f64 {
        self.reference_values.iter().sum::<f64>() / self.reference_values.len() as f64
    }

    /// Scores of the words, and of no cut.
    fn of_words(&self, scores: Vec<f64>, reference_value: f64) -> Attribution<T> {
        Attribution {
            value: self.value,
            reference_value,
            words: scores.into_iter().map(signed).collect(),
            cuts: Vec::new(),
            heads: Vec::new(),
            residual: Vec::new(),
            mlp: Vec::new(),
            mlp_residual: Vec::new(),
            top_edges: Vec::new(),
            edges: None,
        }
    }
}

/// A score that has no parts.
fn signed(score: f64) -> Contribution {
    // This way round a NaN stays one.
    let (positive, negative) = if score > 0.0 {
        (score, 0.0)
    } else {
        (0.0, score)
    };
    Contribution { positive, negative }
}

/// One entry of the settings.
fn setting(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}
