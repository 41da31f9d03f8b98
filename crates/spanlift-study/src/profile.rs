//! The layer profile of a question: how the scores lie over the roles, layer by layer.
//!
//! With s_i a token's score at a cut, a *share* of a role R is, by measure,
//!
//! ```text
//! positive  Σ_{i∈R} max(s_i, 0) / Σ_i max(s_i, 0)
//! negative  Σ_{i∈R} max(−s_i, 0) / Σ_i max(−s_i, 0)
//! absolute  Σ_{i∈R} |s_i| / Σ_i |s_i|
//! ```
//!
//! The scores are a token's net scores, those of the heatmaps; not the sums of its positive and its negative contributions over the hidden
//! axis, most of which cancel. The *spread* is the effective number of tokens, exp(−Σ p_i ln p_i) with p the distribution of the
//! measure over the tokens (Hill's number of order 1); the *shift* from a cut to the next is the Jensen–Shannon
//! distance of the distributions of |s| over the tokens: the square root of the divergence in bits, from 0 to 1. Raw attention
//! is put to the same: p_i is the share of a layer's attention that token i receives.

use rand::seq::SliceRandom;
use spanlift::lot;
use spanlift_explanation::{Explanation, Part};
use spanlift_store::Record;

use crate::facts::Facts;
use crate::maps::resample;
use crate::roles::{ByRole, Role, roles};

/// Which part of the scores is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// What speaks for the target.
    Positive,
    /// What speaks against it.
    Negative,
    /// Both, by size.
    Absolute,
}

/// One cut of a question: how its scores lie over the roles. What has no denominator, all scores being 0, is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CutProfile {
    /// Shares by role, for each of [`Measure::ALL`].
    pub shares: [Option<ByRole<f32>>; 3],
    /// Effective number of tokens, for each of [`Measure::ALL`].
    pub spread: [Option<f32>; 3],
    /// The role of the token with the highest score; none where no score is positive.
    pub leader: Option<Role>,
}

/// The layer profile of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What is known of it.
    pub facts: Facts,
    /// Which passage it asks about, by number; questions of one passage depend on each other.
    pub passage: usize,
    /// The share of the tokens that have each role.
    pub tokens: ByRole<f32>,
    /// The cuts: inputs of layers 1 to L, then the output; (L+1).
    pub cuts: Vec<CutProfile>,
    /// The attention that tokens receive in each layer, under [`Measure::Absolute`] alone; (L).
    pub attention: Vec<CutProfile>,
    /// From each cut to the next; (L). None where a map is 0 throughout.
    pub shift: Vec<Option<f32>>,
    /// From each layer's attention to the next; (L−1).
    pub attention_shift: Vec<Option<f32>>,
    /// Each head's score as a share of Σ|score| over all heads; (L, A), row by row. None where all are 0.
    pub heads: Option<Vec<f32>>,
    /// Its maps in fixed bins ([`resample`]); (L+1, bins). None where a score is no number.
    pub maps: Option<Vec<Vec<f32>>>,
}

impl Measure {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Positive, Self::Negative, Self::Absolute];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Absolute => "absolute",
        }
    }

    /// Its place in [`Measure::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// What is not a number stays none, where `max` would make it 0.
    fn of(self, score: f32) -> f64 {
        let score = f64::from(score);
        match self {
            _ if score.is_nan() => score,
            Self::Positive => score.max(0.0),
            Self::Negative => (-score).max(0.0),
            Self::Absolute => score.abs(),
        }
    }
}

impl Profile {
    /// Of one row of a run. `passage` is the number of its passage.
    #[must_use]
    pub fn of(record: &Record, passage: usize) -> Self {
        let explanation = &record.explanation;
        let roles = roles(explanation);
        let maps: Vec<&[f32]> = explanation.layers.iter().map(|l| &*l.score).collect();
        let attention: Vec<&[f32]> = record.attention.iter().map(|l| &**l).collect();
        let parts: Vec<Part> = explanation.tokens.iter().map(|token| token.part).collect();
        let mut tokens = [0.0; Role::ALL.len()];
        for role in &roles {
            tokens[role.index()] += 1.0 / roles.len() as f32;
        }
        Self {
            facts: Facts::of(record),
            passage,
            tokens,
            cuts: maps.iter().map(|map| CutProfile::of(map, &roles)).collect(),
            attention: attention
                .iter()
                .map(|map| CutProfile::of_attention(map, &roles))
                .collect(),
            shift: shifts(&maps),
            attention_shift: shifts(&attention),
            heads: heads(explanation),
            maps: maps.iter().map(|map| resample(map, &parts).ok()).collect(),
        }
    }

    /// The first cut whose strongest token is the answer's, from 0; none where there is no answer, or never.
    #[must_use]
    pub fn leads(&self) -> Option<usize> {
        self.cuts
            .iter()
            .position(|cut| cut.leader == Some(Role::Answer))
    }

    /// Likewise of raw attention.
    #[must_use]
    pub fn attention_leads(&self) -> Option<usize> {
        self.attention
            .iter()
            .position(|cut| cut.leader == Some(Role::Answer))
    }

    /// Positive and negative shares of each cut, 0 where there are none: what questions are clustered by; (L+1, 2, roles).
    #[must_use]
    pub fn layer_features(&self) -> Vec<f32> {
        features(self.cuts.iter().map(|cut| cut.shares))
    }

    /// Features as [`Profile::layer_features`] has them, with the roles dealt anew among the tokens `draws` times: what roles without a
    /// meaning would give. `seed` is what they are dealt by.
    #[must_use]
    pub fn shuffled_features(record: &Record, draws: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut dealt = roles(&record.explanation);
        let mut rng = lot::generator(seed, record.id.bytes());
        let maps = record.explanation.layers.iter();
        let maps: Vec<&[f32]> = maps.map(|layer| &*layer.score).collect();
        let draw = |_| {
            dealt.shuffle(&mut rng);
            features(maps.iter().map(|map| shares_of(map, &dealt)))
        };
        (0..draws).map(draw).collect()
    }

    /// The names of [`Profile::layer_features`] for a model of so many layers.
    #[must_use]
    pub fn layer_feature_names(layers: usize) -> Vec<String> {
        let mut names = Vec::new();
        for cut in cut_names(layers) {
            for measure in [Measure::Positive, Measure::Negative] {
                let of_role = |role: &Role| format!("{} {cut} {}", measure.name(), role.name());
                names.extend(Role::ALL.iter().map(of_role));
            }
        }
        names
    }
}

/// The names of the cuts of a model of so many layers: `1` to `L`, then `output`.
pub fn cut_names(layers: usize) -> impl Iterator<Item = String> {
    let layers = (1..=layers).map(|layer| layer.to_string());
    layers.chain(["output".to_owned()])
}

impl CutProfile {
    fn of(map: &[f32], roles: &[Role]) -> Self {
        let strongest = (0..map.len()).max_by(|&a, &b| map[a].total_cmp(&map[b]).then(b.cmp(&a)));
        let strongest = strongest.filter(|&i| map[i] > 0.0);
        Self {
            shares: shares_of(map, roles),
            spread: Measure::ALL.map(|measure| spread(&distribution(map, measure)?)),
            leader: strongest.and_then(|i| roles.get(i).copied()),
        }
    }

    fn of_attention(map: &[f32], roles: &[Role]) -> Self {
        let mut cut = Self::of(map, roles);
        for measure in [Measure::Positive, Measure::Negative] {
            cut.shares[measure.index()] = None;
            cut.spread[measure.index()] = None;
        }
        cut
    }

    /// The share of a role; none where there is nothing to share.
    #[must_use]
    pub fn share(&self, measure: Measure, role: Role) -> Option<f64> {
        let shares = self.shares[measure.index()].as_ref()?;
        Some(f64::from(shares[role.index()]))
    }
}

/// The measure of each token as a share of all; none where all are 0, or one is no number.
fn distribution(map: &[f32], measure: Measure) -> Option<Vec<f64>> {
    let sum: f64 = map.iter().map(|&score| measure.of(score)).sum();
    (sum > 0.0 && sum.is_finite())
        .then(|| map.iter().map(|&score| measure.of(score) / sum).collect())
}

fn shares_of(map: &[f32], roles: &[Role]) -> [Option<ByRole<f32>>; 3] {
    Measure::ALL.map(|measure| {
        let mut shares = [0.0_f64; Role::ALL.len()];
        for (p, role) in distribution(map, measure)?.into_iter().zip(roles) {
            shares[role.index()] += p;
        }
        Some(shares.map(|share| share as f32))
    })
}

fn features(cuts: impl Iterator<Item = [Option<ByRole<f32>>; 3]>) -> Vec<f32> {
    let nothing = [0.0; Role::ALL.len()];
    let both = |shares: [Option<ByRole<f32>>; 3]| {
        [Measure::Positive, Measure::Negative].map(|m| shares[m.index()].unwrap_or(nothing))
    };
    cuts.flat_map(both).flatten().collect()
}

/// exp of the entropy.
fn spread(distribution: &[f64]) -> Option<f32> {
    let entropy: f64 = distribution
        .iter()
        .filter(|p| **p > 0.0)
        .map(|p| -p * p.ln())
        .sum();
    Some(entropy.exp() as f32)
}

fn shifts(maps: &[&[f32]]) -> Vec<Option<f32>> {
    let pair = |pair: &[&[f32]]| {
        let from = distribution(pair[0], Measure::Absolute)?;
        let to = distribution(pair[1], Measure::Absolute)?;
        Some(jensen_shannon(&from, &to) as f32)
    };
    maps.windows(2).map(pair).collect()
}

/// The Jensen–Shannon distance of two distributions over the same tokens: √(½ KL(p‖m) + ½ KL(q‖m)) in bits, m their mean.
pub(crate) fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let part = |a: f64, mean: f64| if a > 0.0 { a * (a / mean).log2() } else { 0.0 };
    let divergence: f64 = p
        .iter()
        .zip(q)
        .map(|(&p, &q)| {
            let mean = f64::midpoint(p, q);
            f64::midpoint(part(p, mean), part(q, mean))
        })
        .sum();
    // Rounding may leave equal distributions a hair below 0.
    divergence.max(0.0).sqrt()
}

fn heads(explanation: &Explanation) -> Option<Vec<f32>> {
    let scores = || explanation.heads.score.iter().flatten();
    let sum: f64 = scores().map(|&score| f64::from(score).abs()).sum();
    (sum > 0.0 && sum.is_finite()).then(|| {
        scores()
            .map(|&score| (f64::from(score) / sum) as f32)
            .collect()
    })
}
