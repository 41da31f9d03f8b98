//! One question under several methods: how faithful each one's scores are, and how far they agree.
//!
//! The words of question and passage are ranked by their scores at the word embeddings, the highest first. With t(·) the target,
//! x the input, x∖k the input without the first k per cent of the words (at least one) and x∩k with these alone:
//!
//! | metric | at | number | better |
//! | --- | --- | --- | --- |
//! | `comprehensiveness` | 1, 5, 10, 20, 50 % | t(x) − t(x∖k) (DeYoung et al. 2020, ERASER, equation 1, on the target) | high |
//! | `comprehensiveness-p` | | the same of the span's probability | high |
//! | `sufficiency`, `sufficiency-p` | | t(x) − t(x∩k) (equation 2) | low |
//! | `deletion` | 10, 20, … 100 % | t(x) − t(x∖k): the curve (Petsiuk et al. 2018) | high |
//! | `insertion` | | t(x∩k) − t(x∩0) | high |
//! | `deletion-area`, `insertion-area` | | the curve's mean height from 0 to 100 %, by trapezia | high |
//! | `completeness` | | \|Σ scores of the words − Δt\| / \|Δt\| | low |
//! | `pearson`, `spearman` | | correlation of the words' scores with those of another method | |
//! | `overlap` | | share of the ten first words that are among another method's | |
//! | `seconds`, `forward`, `backward` | | what it cost: one sequence through the network is one pass | low |
//!
//! Words are taken away in two ways, since the choice matters: masked, all of them; or deleted, but for those of the answer,
//! which are then left out of the ranking too.

use std::ops::Range;

use spanlift::ops::Real;
use spanlift::removal::{Removal, Worth};
use spanlift::{ExplainError, Explained, Explainer, Item, Options, Scored};
use spanlift_explanation::{Part, words};

/// Per cent of the words that comprehensiveness and sufficiency take.
pub const ERASED: [usize; 5] = [1, 5, 10, 20, 50];
/// Per cent of the words at the points of a curve.
pub const CURVE: [usize; 10] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
/// Words that `overlap` looks at.
pub const FIRST: usize = 10;

/// One number that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Of which method, by its place.
    pub method: usize,
    /// What it is.
    pub metric: &'static str,
    /// Against which other method, by its place.
    pub other: Option<usize>,
    /// How words were taken away.
    pub removal: Option<Removal>,
    /// Per cent of the words.
    pub at: Option<usize>,
    /// The number.
    pub value: f64,
}

/// What is compared of one question: the words that are ranked, and each method's scores of them.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    /// The tokens of each word.
    pub(crate) words: Vec<Range<usize>>,
    /// Of each method; in the words' order.
    pub(crate) scores: Vec<Vec<f64>>,
}

impl Ranked {
    pub(crate) fn of<'a, T: Real>(found: impl Iterator<Item = &'a Explained<T>>) -> Self {
        let mut ranked = Self {
            words: Vec::new(),
            scores: Vec::new(),
        };
        for explained in found {
            let explanation = &explained.explanation;
            let mut words = words(explanation);
            words.retain(|word| word.part != Part::Special);
            let score =
                |word: &spanlift_explanation::Word| f64::from(word.score(&explanation.word_score));
            ranked.scores.push(words.iter().map(score).collect());
            ranked.words = words.into_iter().map(|word| word.tokens).collect();
        }
        ranked
    }
}

/// The places of the highest scores first; of equal ones the first word.
pub(crate) fn ranking(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

/// Measures one question.
///
/// # Errors
///
/// Where it cannot be explained, or words cannot be taken away.
pub fn measure<T: Real>(
    explainer: &Explainer<T>,
    item: Item<'_>,
    methods: &[Scored],
    options: &Options,
) -> Result<(Vec<Explained<T>>, Vec<Measurement>), ExplainError> {
    let found = explainer.compare(item, methods, options, &mut |_, _| ())?;
    let ranked = Ranked::of(found.iter().map(|(explained, _)| explained));
    let mut all = Vec::new();
    for (method, (explained, time)) in found.iter().enumerate() {
        let mut add = |metric, removal, at, value| {
            all.push(Measurement {
                method,
                metric,
                other: None,
                removal,
                at,
                value,
            });
        };
        let explanation = &explained.explanation;
        let delta = explanation.target.delta;
        add(
            "completeness",
            None,
            None,
            explanation.word_error.abs() / delta.abs(),
        );
        add("seconds", None, None, time.as_secs_f64());
        add("forward", None, None, explained.passes.forward as f64);
        add("backward", None, None, explained.passes.backward as f64);
        for removal in Removal::ALL {
            curves(
                explainer,
                explained,
                removal,
                &ranked.words,
                &ranked.scores[method],
                &mut add,
            )?;
        }
    }
    for method in 0..methods.len() {
        for other in (0..methods.len()).filter(|other| *other != method) {
            let (a, b) = (&ranked.scores[method], &ranked.scores[other]);
            for (metric, value) in [
                ("pearson", super::agreement::pearson(a, b)),
                ("spearman", super::agreement::spearman(a, b)),
                ("overlap", super::agreement::overlap(a, b, FIRST)),
            ] {
                let other = Some(other);
                all.push(Measurement {
                    method,
                    metric,
                    other,
                    removal: None,
                    at: None,
                    value,
                });
            }
        }
    }
    Ok((
        found.into_iter().map(|(explained, _)| explained).collect(),
        all,
    ))
}

fn curves<T: Real>(
    explainer: &Explainer<T>,
    explained: &Explained<T>,
    removal: Removal,
    words: &[Range<usize>],
    scores: &[f64],
    add: &mut impl FnMut(&'static str, Option<Removal>, Option<usize>, f64),
) -> Result<(), ExplainError> {
    let answer = explained.target.span();
    let tokens = explained.encoding.ids.len();
    let mut order = ranking(scores);
    if removal == Removal::Delete {
        order.retain(|&word| words[word].end <= answer.start || answer.end < words[word].start);
    }
    let mut shares: Vec<usize> = [0].into_iter().chain(ERASED).chain(CURVE).collect();
    shares.sort_unstable();
    shares.dedup();
    // The first words of each share taken away, then kept alone.
    let set = |share: usize, taken: bool| {
        let mut kept = vec![true; tokens];
        if !taken {
            words.iter().for_each(|word| kept[word.clone()].fill(false));
        }
        let count = if share == 0 {
            0
        } else {
            (order.len() * share).div_ceil(100)
        };
        for &word in &order[..count] {
            kept[words[word].clone()].fill(!taken);
        }
        kept
    };
    let sets: Vec<Vec<bool>> = [true, false]
        .into_iter()
        .flat_map(|taken| shares.iter().map(move |&share| (share, taken)))
        .map(|(share, taken)| set(share, taken))
        .collect();
    let worths = explainer.worth(explained, removal, &sets)?;
    let (without, alone) = worths.split_at(shares.len());
    let at = |worths: &[Worth], share: usize| {
        let place = shares.iter().position(|known| *known == share);
        place.map_or(
            Worth {
                target: f64::NAN,
                probability: f64::NAN,
            },
            |place| worths[place],
        )
    };
    let (whole, nothing) = (at(without, 0), at(alone, 0));
    for share in ERASED {
        let (without, alone) = (at(without, share), at(alone, share));
        let mut add = |metric, value| add(metric, Some(removal), Some(share), value);
        add("comprehensiveness", whole.target - without.target);
        add(
            "comprehensiveness-p",
            whole.probability - without.probability,
        );
        add("sufficiency", whole.target - alone.target);
        add("sufficiency-p", whole.probability - alone.probability);
    }
    let deletion = CURVE.map(|share| whole.target - at(without, share).target);
    let insertion = CURVE.map(|share| at(alone, share).target - nothing.target);
    for ((share, deletion), insertion) in CURVE.into_iter().zip(deletion).zip(insertion) {
        add("deletion", Some(removal), Some(share), deletion);
        add("insertion", Some(removal), Some(share), insertion);
    }
    add("deletion-area", Some(removal), None, area(&deletion));
    add("insertion-area", Some(removal), None, area(&insertion));
    Ok(())
}

/// The mean height of a curve that begins at 0 and goes through these points, equally far from each other: by trapezia.
pub(crate) fn area(points: &[f64]) -> f64 {
    let (sum, last) = (
        points.iter().sum::<f64>(),
        points.last().copied().unwrap_or(0.0),
    );
    (sum - last / 2.0) / points.len() as f64
}
