//! Maps of questions of any length, brought to the same bins.
//!
//! A map is the signed score of each token at one cut. Its bins: `[CLS]`, eight of the question, the question's `[SEP]`, sixteen of the passage, the final
//! `[SEP]`. Token t of the N of a part covers [t·B/N, (t + 1)·B/N) of the part's B bins, and its score is split over them in proportion, so that the sum
//! of each part stays what it was. At last the map is divided by Σ |score| over its tokens, before the split.

use spanlift_explanation::Part;

use crate::StudyError;

/// Bins of the question.
const QUESTION: usize = 8;

/// Bins of the passage.
const PASSAGE: usize = 16;

/// The bins of a map.
pub const BINS: usize = 1 + QUESTION + 1 + PASSAGE + 1;

/// The parts of a window in their order: first bin, and how many bins.
const PARTS: [(usize, usize); 5] = [
    (0, 1),
    (1, QUESTION),
    (1 + QUESTION, 1),
    (2 + QUESTION, PASSAGE),
    (2 + QUESTION + PASSAGE, 1),
];

/// The bins' names, in order: `cls`, `question 1`, …, `final-sep`.
#[must_use]
pub fn bin_names() -> Vec<String> {
    let numbered = |part: &'static str, count| (1..=count).map(move |i| format!("{part} {i}"));
    std::iter::once("cls".to_owned())
        .chain(numbered("question", QUESTION))
        .chain(["question-sep".to_owned()])
        .chain(numbered("passage", PASSAGE))
        .chain(["final-sep".to_owned()])
        .collect()
}

/// A map in [`BINS`] bins: shares of Σ |score|; all 0 where every score is.
///
/// Special tokens before the question count as `[CLS]`, those between it and the passage as its `[SEP]`, those behind the passage as the final one. Without a question
/// the first token is `[CLS]`; without a passage the first special token behind the question is its `[SEP]`.
///
/// # Errors
///
/// [`StudyError::Maps`] where there is not one score for each token, a score is not finite, or a token of the question stands behind one of the passage.
pub fn resample(scores: &[f32], parts: &[Part]) -> Result<Vec<f32>, StudyError> {
    let refused = |what: &str, expected: String, got: String| StudyError::Maps {
        what: what.to_owned(),
        expected,
        got,
    };
    if scores.len() != parts.len() {
        return Err(refused(
            "scores of a map",
            format!("{}, one for each token", parts.len()),
            scores.len().to_string(),
        ));
    }
    if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
        return Err(refused(
            "score of a map",
            "a finite number".to_owned(),
            score.to_string(),
        ));
    }
    let ends = ends(parts).ok_or_else(|| {
        refused(
            "tokens of a map",
            "the question before the passage".to_owned(),
            "a token of the question behind one of the passage".to_owned(),
        )
    })?;
    let whole: f64 = scores.iter().map(|score| f64::from(score.abs())).sum();
    let mut bins = vec![0.0; BINS];
    let mut start = 0;
    for ((first, count), end) in PARTS.into_iter().zip(ends) {
        split(&scores[start..end], &mut bins[first..first + count]);
        start = end;
    }
    let share = |bin: f64| if whole > 0.0 { bin / whole } else { 0.0 };
    Ok(bins.into_iter().map(|bin| share(bin) as f32).collect())
}

/// Where each of the five parts ends; none where the question is not before the passage.
fn ends(parts: &[Part]) -> Option<[usize; 5]> {
    let first = |part| parts.iter().position(|&p| p == part);
    let behind = |part| parts.iter().rposition(|&p| p == part).map(|at| at + 1);
    let n = parts.len();
    let cls = first(Part::Question)
        .or(first(Part::Passage).map(|at| at.min(1)))
        .unwrap_or(n.min(1));
    let question = behind(Part::Question).unwrap_or(cls);
    let sep = first(Part::Passage).unwrap_or((question + 1).min(n));
    let passage = behind(Part::Passage).unwrap_or(sep);
    (cls <= question && question <= sep).then_some([cls, question, sep, passage, n])
}

/// Splits the tokens' scores over the bins.
fn split(scores: &[f32], bins: &mut [f64]) {
    let (tokens, count) = (scores.len(), bins.len());
    for (token, &score) in scores.iter().enumerate() {
        // In units of 1 / (tokens · bins) both borders are whole: the parts of a token sum to 1 but for rounding.
        let (from, to) = (token * count, (token + 1) * count);
        for (bin, sum) in bins.iter_mut().enumerate().take(to.div_ceil(tokens)) {
            let overlap = to
                .min((bin + 1) * tokens)
                .saturating_sub(from.max(bin * tokens));
            *sum += f64::from(score) * overlap as f64 / count as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Vec<Part> {
        let part = |letter| match letter {
            'q' => Part::Question,
            'p' => Part::Passage,
            _ => Part::Special,
        };
        text.chars().map(part).collect()
    }

    fn near(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-6,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn names_are_those_of_the_bins() {
        let names = bin_names();
        assert_eq!(names.len(), BINS);
        assert_eq!(BINS, 27);
        let some = [0, 1, 8, 9, 10, 25, 26].map(|bin| &names[bin][..]);
        assert_eq!(
            some,
            [
                "cls",
                "question 1",
                "question 8",
                "question-sep",
                "passage 1",
                "passage 16",
                "final-sep"
            ]
        );
    }

    #[test]
    fn by_hand() {
        // Four tokens of the question over eight bins: each into two halves. Twelve of the passage over sixteen: token 0 covers bins
        // [0, 4/3): three quarters of it in bin 0 and one in bin 1, where token 1, [4/3, 8/3), has two quarters of its own.
        let tokens = parts("sqqqqspppppppppppps");
        let mut scores = vec![0.0; tokens.len()];
        (scores[0], scores[1], scores[4], scores[5]) = (1.0, -2.0, 4.0, -1.0);
        (scores[6], scores[7], scores[18]) = (8.0, 4.0, 0.5);
        let whole = 20.5;
        let mut expected = [0.0; BINS];
        (expected[0], expected[9], expected[26]) = (1.0, -1.0, 0.5);
        (expected[1], expected[2], expected[7], expected[8]) = (-1.0, -1.0, 2.0, 2.0);
        (expected[10], expected[11], expected[12]) = (6.0, 2.0 + 2.0, 2.0);
        let found = resample(&scores, &tokens).unwrap();
        near(&found, &expected.map(|x| x / whole));
    }

    #[test]
    fn more_tokens_than_bins_are_joined() {
        // Ten tokens over eight bins: bin 0 is [0, 1.25) tokens: all of token 0 and a quarter of token 1.
        let tokens = parts("sqqqqqqqqqqsps");
        let mut scores = vec![0.0; tokens.len()];
        (scores[1], scores[2]) = (1.0, -4.0);
        let found = resample(&scores, &tokens).unwrap();
        near(&found[1..4], &[0.0, -3.0 / 5.0, 0.0]);
    }

    #[test]
    fn other_layouts() {
        // Two separators between, as of RoBERTa; no question; no passage; nothing; zeros.
        let found = resample(&[1.0, 0.0, 1.0, 1.0, 0.0, 1.0], &parts("sqssps")).unwrap();
        near(&[found[0], found[9], found[26]], &[0.25, 0.5, 0.25]);
        let found = resample(&[1.0, 2.0, 0.0, 1.0], &parts("ssps")).unwrap();
        near(&[found[0], found[9], found[26]], &[0.25, 0.5, 0.25]);
        let found = resample(&[1.0, 0.0, 2.0, 1.0], &parts("sqss")).unwrap();
        near(&[found[0], found[9], found[26]], &[0.25, 0.5, 0.25]);
        near(&resample(&[], &[]).unwrap(), &[0.0; BINS]);
        near(&resample(&[0.0; 4], &parts("sqsp")).unwrap(), &[0.0; BINS]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message =
            |scores: &[f32], text| resample(scores, &parts(text)).unwrap_err().to_string();
        assert_eq!(
            message(&[1.0], "sq"),
            "scores of a map: expected 2, one for each token, got 1"
        );
        assert_eq!(
            message(&[1.0, f32::NAN], "sq"),
            "score of a map: expected a finite number, got NaN"
        );
        assert_eq!(
            message(&[1.0; 4], "spsq"),
            "tokens of a map: expected the question before the passage, got a token of the question behind one of the passage"
        );
    }

    proptest! {
        #[test]
        fn the_sum_of_each_part_stays(
            question in prop::collection::vec(-1e3f32..1e3, 1..60),
            passage in prop::collection::vec(-1e3f32..1e3, 1..400),
            special in prop::array::uniform3(-1e3f32..1e3),
        ) {
            let tokens = format!("s{}s{}s", "q".repeat(question.len()), "p".repeat(passage.len()));
            let scores = [&special[..1], &question, &special[1..2], &passage, &special[2..]].concat();
            let found = resample(&scores, &parts(&tokens)).unwrap();
            let whole: f64 = scores.iter().map(|s| f64::from(s.abs())).sum();
            let sum = |scores: &[f32]| scores.iter().map(|&s| f64::from(s)).sum::<f64>();
            let pairs = [
                (sum(&special[..1]), &found[..1]),
                (sum(&question), &found[1..9]),
                (sum(&special[1..2]), &found[9..10]),
                (sum(&passage), &found[10..26]),
                (sum(&special[2..]), &found[26..]),
            ];
            for (before, after) in pairs {
                // The result is `f32`: each of at most sixteen shares, none above 1, is off by 2⁻²⁵.
                prop_assert!((before / whole - sum(after)).abs() < 1e-6, "{before} {after:?}");
            }
        }
    }
}
