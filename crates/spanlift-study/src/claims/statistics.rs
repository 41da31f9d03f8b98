//! The statistics of the claims: each a number of one question.

use crate::profile::{CutProfile, Measure, Profile};
use crate::roles::Role;

/// What a claim says of one question.
#[derive(Clone, Copy)]
pub(super) struct Statistic {
    pub(super) claim: char,
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    /// Not a number where the question cannot say.
    pub(super) value: fn(&Profile, Measure) -> f64,
}

pub(super) const STATISTICS: [Statistic; 11] = [
    Statistic {
        claim: 'a',
        name: "separators-early",
        meaning: "share of the separators, early less middle and late",
        value: |p, m| share(p, m, &SEPARATORS, &[0]) - share(p, m, &SEPARATORS, &[1, 2]),
    },
    Statistic {
        claim: 'a',
        name: "separators-focus",
        meaning: "share of the separators early, less their share of the tokens",
        value: |p, m| share(p, m, &SEPARATORS, &[0]) - tokens(p, &SEPARATORS),
    },
    Statistic {
        claim: 'a',
        name: "punctuation-focus",
        meaning: "share of punctuation early and in the middle, less its share of the tokens",
        value: |p, m| share(p, m, &[Role::Punctuation], &[0, 1]) - tokens(p, &[Role::Punctuation]),
    },
    Statistic {
        claim: 'a',
        name: "punctuation-after",
        meaning: "cuts from the peak of the separators to that of punctuation",
        value: |p, m| peak(p, m, &[Role::Punctuation]) - peak(p, m, &SEPARATORS),
    },
    Statistic {
        claim: 'b',
        name: "keywords-early",
        meaning: "share of the question's keywords, early less middle",
        value: |p, m| keywords(p, m, 0) - keywords(p, m, 1),
    },
    Statistic {
        claim: 'b',
        name: "keywords-late",
        meaning: "share of the question's keywords, late less middle",
        value: |p, m| keywords(p, m, 2) - keywords(p, m, 1),
    },
    Statistic {
        claim: 'c',
        name: "spread-narrows",
        meaning: "logarithm of the effective number of tokens, early less late",
        value: |p, m| spread(p, m, 0) - spread(p, m, 2),
    },
    Statistic {
        claim: 'c',
        name: "answer-grows",
        meaning: "share of the answer, late less early",
        value: |p, m| share(p, m, &[Role::Answer], &[2]) - share(p, m, &[Role::Answer], &[0]),
    },
    Statistic {
        claim: 'c',
        name: "answer-focus",
        meaning: "share of the answer late, less its share of the tokens",
        value: |p, m| share(p, m, &[Role::Answer], &[2]) - tokens(p, &[Role::Answer]),
    },
    Statistic {
        claim: 'd',
        name: "order",
        meaning: "Kendall's tau of the order of the peaks with that of human reading",
        value: order,
    },
    Statistic {
        claim: 'd',
        name: "full-order",
        meaning: "share of the questions whose peaks follow strictly in that order, less the 1/24 of chance",
        value: full_order,
    },
];

const SEPARATORS: [Role; 2] = [Role::QuestionSep, Role::FinalSep];

/// The order of human reading.
const ORDER: [Role; 4] = [
    Role::QuestionKeyword,
    Role::Match,
    Role::Sentence,
    Role::Answer,
];

/// The third of a cut, from 0.
fn third(cut: usize, layers: usize) -> usize {
    3 * cut / layers
}

/// The mean of a number over the cuts of some thirds, each third counting alike; those cuts that have none are left out.
pub(crate) fn over(
    profile: &Profile,
    thirds: &[usize],
    value: impl Fn(&CutProfile) -> Option<f64>,
) -> f64 {
    let layers = profile.attention.len();
    let of_third = |of: &usize| {
        let cuts = profile.cuts.iter().take(layers).enumerate();
        let cuts = cuts.filter(|(cut, _)| third(*cut, layers) == *of);
        mean(cuts.filter_map(|(_, cut)| value(cut)))
    };
    mean(thirds.iter().map(of_third))
}

/// Not a number where there is none.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// Not a number where the question has no token of these roles.
fn tokens(profile: &Profile, roles: &[Role]) -> f64 {
    let share: f64 = roles
        .iter()
        .map(|role| f64::from(profile.tokens[role.index()]))
        .sum();
    if share > 0.0 { share } else { f64::NAN }
}

fn share_of(cut: &CutProfile, measure: Measure, roles: &[Role]) -> Option<f64> {
    roles.iter().map(|role| cut.share(measure, *role)).sum()
}

fn share(profile: &Profile, measure: Measure, roles: &[Role], thirds: &[usize]) -> f64 {
    if tokens(profile, roles).is_nan() {
        return f64::NAN;
    }
    over(profile, thirds, |cut| share_of(cut, measure, roles))
}

fn keywords(profile: &Profile, measure: Measure, third: usize) -> f64 {
    share(profile, measure, &[Role::QuestionKeyword], &[third])
}

fn spread(profile: &Profile, measure: Measure, third: usize) -> f64 {
    if tokens(profile, &[Role::Answer]).is_nan() {
        return f64::NAN;
    }
    over(profile, &[third], |cut| {
        Some(f64::from(cut.spread[measure.index()]?).ln())
    })
}

/// The first of the cuts 1 to L where the share is largest; not a number where the roles have no token or never a share.
fn peak(profile: &Profile, measure: Measure, roles: &[Role]) -> f64 {
    let mut peak = (0.0, f64::NAN);
    for (cut, of) in profile
        .cuts
        .iter()
        .take(profile.attention.len())
        .enumerate()
    {
        let share = share_of(of, measure, roles).unwrap_or(0.0);
        if share > peak.0 {
            peak = (share, cut as f64);
        }
    }
    peak.1
}

/// The peaks in the order of human reading; none where a role is missing.
fn peaks(profile: &Profile, measure: Measure) -> Option<[f64; 4]> {
    let peaks = ORDER.map(|role| peak(profile, measure, &[role]));
    peaks.iter().all(|peak| peak.is_finite()).then_some(peaks)
}

/// τ_b between the order of human reading and that of the peaks: 0 where all peak at once, which is no order; not a number where a
/// role is missing.
pub(crate) fn order(profile: &Profile, measure: Measure) -> f64 {
    peaks(profile, measure).map_or(f64::NAN, |peaks| {
        if peaks.iter().all(|peak| *peak == peaks[0]) {
            0.0
        } else {
            kendall(&[0.0, 1.0, 2.0, 3.0], &peaks)
        }
    })
}

/// Of the 24 orders of four peaks one is that of human reading, and where peaks may fall together it is rarer still.
fn full_order(profile: &Profile, measure: Measure) -> f64 {
    peaks(profile, measure).map_or(f64::NAN, |peaks| {
        let strict = peaks.windows(2).all(|pair| pair[0] < pair[1]);
        f64::from(strict) - 1.0 / 24.0
    })
}

/// Kendall's τ_b: (concordant − discordant pairs) / √(pairs untied in a · pairs untied in b).
fn kendall(a: &[f64], b: &[f64]) -> f64 {
    let (mut concordant, mut untied_a, mut untied_b) = (0.0, 0.0, 0.0);
    for i in 0..a.len() {
        for j in 0..i {
            let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
            let (of_a, of_b) = (sign(a[i] - a[j]), sign(b[i] - b[j]));
            concordant += of_a * of_b;
            untied_a += of_a.abs();
            untied_b += of_b.abs();
        }
    }
    concordant / (untied_a * untied_b).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs counted by hand.
    #[test]
    fn kendall_takes_ties_as_tau_b_does() {
        let order = [0.0, 1.0, 2.0, 3.0];
        for (peaks, expected) in [
            ([0.0, 1.0, 2.0, 3.0], 1.0),
            ([3.0, 2.0, 1.0, 0.0], -1.0),
            // Five pairs in order, one tied: τ_a would be 5/6.
            ([0.0, 1.0, 1.0, 3.0], 5.0 / 30.0_f64.sqrt()),
            ([2.0, 0.0, 2.0, 3.0], 3.0 / 30.0_f64.sqrt()),
        ] {
            let got = kendall(&order, &peaks);
            assert!((got - expected).abs() < 1e-12, "{peaks:?}: {got}");
        }
    }

    #[test]
    fn thirds_share_out_the_cuts() {
        let of =
            |layers: usize| -> Vec<usize> { (0..layers).map(|cut| third(cut, layers)).collect() };
        assert_eq!(of(3), [0, 1, 2]);
        assert_eq!(of(4), [0, 0, 1, 2]);
        assert_eq!(of(5), [0, 0, 1, 1, 2]);
        assert_eq!(of(12), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    }
}
