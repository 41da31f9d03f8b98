//! Answers: the best spans over all windows, the null score, and whether there is an answer; METHOD section 1.

use spanlift_explanation::{Answer, Candidate, Characters};

use crate::attribute::Span;
use crate::encode::Windows;
use crate::ops::{Matrix, Real};

/// The longest answer, in tokens.
pub const MAX_ANSWER_TOKENS: usize = 30;

/// How answers are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnswerOptions {
    /// How many of the best spans are kept; at least 1.
    pub n_best: usize,
    /// No answer where null score − best score is larger (at 0, as large or larger).
    pub null_threshold: f64,
    /// The longest input in tokens; the model's own limit where that is smaller.
    pub max_tokens: usize,
    /// Passage tokens from the start of one window to the start of the next.
    pub stride: usize,
}

impl Default for AnswerOptions {
    fn default() -> Self {
        Self {
            n_best: 20,
            null_threshold: 0.0,
            max_tokens: 384,
            stride: 128,
        }
    }
}

/// Start and end logits of one window's S tokens, in f64.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logits {
    pub(crate) start: Vec<f64>,
    pub(crate) end: Vec<f64>,
}

impl Logits {
    /// Rows `first..first + s` of the logits (N, 2).
    pub(crate) fn of<T: Real>(logits: &Matrix<T>, first: usize, s: usize) -> Self {
        let column = |c: usize| (first..first + s).map(|i| logits.row(i)[c].f64()).collect();
        Self {
            start: column(0),
            end: column(1),
        }
    }

    pub(crate) fn score(&self, span: Span) -> f64 {
        self.start[span.start] + self.end[span.end]
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.start.iter().chain(&self.end).all(|x| x.is_finite())
    }
}

/// A span of one window with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scored {
    pub(crate) window: usize,
    pub(crate) span: Span,
    pub(crate) score: f64,
}

/// What the model said of windows that follow each other: all of a passage, or some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) windows: &'a Windows,
    /// The first window.
    pub(crate) first: usize,
    /// One for each window from there.
    pub(crate) logits: &'a [Logits],
}

impl Reading<'_> {
    /// The windows, by their place among all.
    pub(crate) fn indices(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.logits.len()
    }

    /// The logits of a window, by its place among all.
    pub(crate) fn logits(&self, window: usize) -> &Logits {
        &self.logits[window - self.first]
    }

    /// A span of a window with its score.
    pub(crate) fn scored(&self, window: usize, span: Span) -> Scored {
        let score = self.logits(window).score(span);
        Scored {
            window,
            span,
            score,
        }
    }
}

/// What the model says over all windows of one passage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    /// The n best spans, best first, each place of the passage once; never empty.
    pub(crate) best: Vec<Scored>,
    /// The window with the smallest null score.
    pub(crate) null_window: usize,
    /// That null score.
    pub(crate) null_score: f64,
    /// Whether there is an answer.
    pub(crate) has_answer: bool,
    /// The largest of the n best and the null score, and the sum of exp(score − largest) over them.
    normaliser: (f64, f64),
}

impl Decision {
    /// Chooses over all windows that were read; `None` where there is none.
    pub(crate) fn over(reading: Reading<'_>, options: &AnswerOptions) -> Option<Self> {
        let mut best: Vec<(usize, Scored)> = Vec::new(); // with the first token's place in the document
        for window in reading.indices() {
            for scored in n_best_of_window(reading, window, options.n_best.max(1)) {
                let first = document_token(reading.windows, window, scored.span.start);
                best.push((first, scored));
            }
        }
        let place = |(start, s): &(usize, Scored)| (*start, s.span.end - s.span.start);
        best.sort_by(|a, b| {
            b.1.score
                .total_cmp(&a.1.score)
                .then_with(|| place(b).cmp(&place(a)))
        });
        // The same place seen through two windows counts once, with its better score.
        let mut seen = std::collections::HashSet::new();
        best.retain(|scored| seen.insert(place(scored)));
        best.truncate(options.n_best.max(1));
        let nulls = reading.indices().map(|window| {
            let null = reading.scored(window, Span::NULL);
            (window, null.score)
        });
        let (null_window, null_score) = nulls.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let difference = null_score - best.first()?.1.score;
        let threshold = options.null_threshold;
        let has_answer = !(difference > threshold || (threshold == 0.0 && difference == 0.0));
        let best: Vec<Scored> = best.into_iter().map(|(_, scored)| scored).collect();
        let scores = || best.iter().map(|s| s.score).chain([null_score]);
        let max = scores().fold(f64::NEG_INFINITY, f64::max);
        let total = scores().map(|score| (score - max).exp()).sum();
        Some(Self {
            best,
            null_window,
            null_score,
            has_answer,
            normaliser: (max, total),
        })
    }

    /// Softmax over the n best and the null score: the probability of one of them.
    pub(crate) fn probability(&self, score: f64) -> f64 {
        let (max, total) = self.normaliser;
        (score - max).exp() / total
    }

    /// The same for a score that is none of them, with it beside them.
    fn probability_beside(&self, score: f64) -> f64 {
        let (max, total) = self.normaliser;
        let top = max.max(score);
        let own = (score - top).exp();
        own / (total * (max - top).exp() + own)
    }

    /// The n best as an `Explanation` has them.
    pub(crate) fn candidates(&self, windows: &Windows, passage: &Characters<'_>) -> Vec<Candidate> {
        let candidate = |s: &Scored| {
            let (start, end) = characters(windows, s);
            Candidate {
                text: passage.slice(start, end).unwrap_or_default().to_owned(),
                start,
                end,
                window: s.window,
                start_token: s.span.start,
                end_token: s.span.end,
                score: s.score,
                probability: self.probability(s.score),
            }
        };
        self.best.iter().map(candidate).collect()
    }

    /// The window that is explained, and the answer's span in it.
    pub(crate) fn explained(&self) -> (usize, Span) {
        if self.has_answer {
            (self.best[0].window, self.best[0].span)
        } else {
            (self.null_window, Span::NULL)
        }
    }

    /// An answer as an `Explanation` has it: a place in one window, the null answer included. `own`: it is the model's own,
    /// not one that the caller chose.
    pub(crate) fn answer(
        &self,
        windows: &Windows,
        place: Scored,
        own: bool,
        passage: &Characters<'_>,
    ) -> Answer {
        let null = place.span == Span::NULL;
        let (start, end) = characters(windows, &place);
        let document = |s: &Scored| {
            let first = document_token(windows, s.window, s.span.start);
            (first, s.span.end - s.span.start)
        };
        let best = &self.best[0];
        let (score, probability) = if null {
            (best.score, self.probability(self.null_score))
        } else if own {
            (best.score, self.probability(best.score))
        } else if let Some(known) = self.best.iter().find(|s| document(s) == document(&place)) {
            (place.score, self.probability(known.score))
        } else {
            (place.score, self.probability_beside(place.score))
        };
        let text = if null {
            None
        } else {
            passage.slice(start, end)
        };
        Answer {
            text: text.unwrap_or_default().to_owned(),
            start: (!null).then_some(start),
            end: (!null).then_some(end),
            start_token: place.span.start,
            end_token: place.span.end,
            score,
            null_score: self.null_score,
            has_answer: !null,
            probability,
            given: !own,
        }
    }
}

/// The place of a passage token in the whole passage's tokens; of no matter where for `[CLS]`.
pub(crate) fn document_token(windows: &Windows, window: usize, token: usize) -> usize {
    windows.passage_first(window) + token.saturating_sub(windows.passage_start())
}

/// First character and one past the last of a span, in the passage; (0, 0) for the null span.
pub(crate) fn characters(windows: &Windows, place: &Scored) -> (usize, usize) {
    let at = |token| windows.characters(place.window, token).unwrap_or((0, 0));
    (at(place.span.start).0, at(place.span.end).1)
}

/// The `n` spans with the largest (score, start, end): first passage token ≤ s ≤ e < final `[SEP]`, at most
/// [`MAX_ANSWER_TOKENS`] tokens.
fn n_best_of_window(reading: Reading<'_>, window: usize, n: usize) -> Vec<Scored> {
    let last = reading.windows.tokens(window) - 1;
    let mut best: Vec<Scored> = Vec::new();
    let keep = |best: &mut Vec<Scored>| {
        best.sort_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then_with(|| b.span.cmp(&a.span))
        });
        best.truncate(n);
    };
    for start in reading.windows.passage_start()..last {
        for end in start..last.min(start + MAX_ANSWER_TOKENS) {
            best.push(reading.scored(window, Span { start, end }));
        }
        keep(&mut best);
    }
    best
}

/// The best non-null span of one window.
pub(crate) fn best_of_window(reading: Reading<'_>, window: usize) -> Span {
    let best = n_best_of_window(reading, window, 1);
    best.first().map_or(Span::NULL, |best| best.span)
}

/// First and one past the last character of each occurrence of `part`, overlapping ones included.
pub(crate) fn occurrences(text: &str, part: &str) -> Vec<(usize, usize)> {
    let length = part.chars().count();
    let starts = text.char_indices().enumerate();
    starts
        .filter(|(_, (byte, _))| text[*byte..].starts_with(part))
        .map(|(start, _)| (start, start + length))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All logits −10 but these.
    fn logits(n: usize, start: &[(usize, f64)], end: &[(usize, f64)]) -> Logits {
        let of = |peaks: &[(usize, f64)]| {
            let mut row = vec![-10.0; n + 4];
            peaks.iter().for_each(|&(at, x)| row[at] = x);
            row
        };
        Logits {
            start: of(start),
            end: of(end),
        }
    }

    fn decide(n: usize, logits: &Logits, options: AnswerOptions) -> Decision {
        over(
            &Windows::made(n, n, n),
            std::slice::from_ref(logits),
            &options,
        )
    }

    fn over(windows: &Windows, logits: &[Logits], options: &AnswerOptions) -> Decision {
        let reading = Reading {
            windows,
            first: 0,
            logits,
        };
        Decision::over(reading, options).unwrap()
    }

    #[test]
    fn the_largest_score_wins_and_ties_go_to_the_later_span() {
        let n = 40;
        let best = |logits: &Logits| decide(n, logits, AnswerOptions::default()).best[0];
        let clear = best(&logits(n, &[(5, 3.0), (9, 2.0)], &[(7, 4.0), (9, 1.0)]));
        assert_eq!((clear.span, clear.score), (Span { start: 5, end: 7 }, 7.0));
        // 5–7 and 9–9 both score 5; 9 is the later start.
        let tie = best(&logits(n, &[(5, 3.0), (9, 3.0)], &[(7, 2.0), (9, 2.0)]));
        assert_eq!(tie.span, Span { start: 9, end: 9 });
        // Equal starts: the later end.
        let tie = best(&logits(n, &[(5, 3.0)], &[(7, 2.0), (9, 2.0)]));
        assert_eq!(tie.span, Span { start: 5, end: 9 });
        // 3 to 33 would be 31 tokens, 4 to 33 are 30.
        let long = best(&logits(n, &[(3, 9.0), (4, 8.0)], &[(33, 9.0)]));
        assert_eq!(long.span, Span { start: 4, end: 33 });
        // Neither question, [SEP] nor [CLS] can be in a span.
        let outside = best(&logits(
            n,
            &[(1, 99.0), (2, 99.0), (n + 3, 99.0), (8, 0.0)],
            &[(8, 0.0), (n + 3, 99.0)],
        ));
        assert_eq!(outside.span, Span { start: 8, end: 8 });
    }

    #[test]
    fn the_threshold_is_passed_by_more_and_a_tie_at_zero_is_no_answer() {
        let n = 5;
        let logits = |null: f64| logits(n, &[(0, null), (4, 3.0)], &[(0, 0.0), (4, 3.0)]);
        let has = |null: f64, null_threshold: f64| {
            let options = AnswerOptions {
                null_threshold,
                ..AnswerOptions::default()
            };
            decide(n, &logits(null), options).has_answer
        };
        assert!(has(5.999, 0.0) && !has(6.0, 0.0) && !has(6.001, 0.0));
        assert!(has(7.0, 1.0) && !has(7.001, 1.0));
        assert!(has(4.5, -1.5) && !has(4.501, -1.5));
    }

    #[test]
    fn windows_share_one_ranking_and_a_span_seen_twice_counts_once() {
        let windows = Windows::made(9, 6, 3);
        assert_eq!(windows.count(), 2);
        // Document token 4 is position 7 of the first window and 4 of the second.
        let both = [
            logits(6, &[(7, 1.0), (0, 2.0)], &[(7, 1.0), (0, 2.0)]),
            logits(6, &[(4, 2.0)], &[(4, 1.5)]),
        ];
        let decision = over(&windows, &both, &AnswerOptions::default());
        let best = decision.best[0];
        assert_eq!(
            (best.window, best.span, best.score),
            (1, Span { start: 4, end: 4 }, 3.5)
        );
        let places: Vec<_> = decision
            .best
            .iter()
            .map(|s| characters(&windows, s))
            .collect();
        let unique: std::collections::BTreeSet<_> = places.iter().collect();
        assert_eq!(unique.len(), places.len());
        // The smallest null score over all windows: −20 in the second.
        assert_eq!((decision.null_window, decision.null_score), (1, -20.0));
        let total: f64 = decision
            .best
            .iter()
            .map(|s| decision.probability(s.score))
            .sum::<f64>()
            + decision.probability(decision.null_score);
        assert!((total - 1.0).abs() < 1e-12);
    }

    #[test]
    fn n_best_are_the_best_of_all_spans() {
        let n = 50;
        let wave = |a: f64| (0..n + 4).map(|k| (a * k as f64).sin()).collect::<Vec<_>>();
        let logits = Logits {
            start: wave(1.3),
            end: wave(2.7),
        };
        let mut all: Vec<f64> = (3..n + 3)
            .flat_map(|s| (s..(n + 3).min(s + 30)).map(move |e| (s, e)))
            .map(|(s, e)| logits.start[s] + logits.end[e])
            .collect();
        all.sort_by(|a, b| b.total_cmp(a));
        let got = decide(n, &logits, AnswerOptions::default()).best;
        assert_eq!(got.iter().map(|s| s.score).collect::<Vec<_>>(), all[..20]);
    }

    #[test]
    fn occurrences_count_characters() {
        assert_eq!(occurrences("ä😀aa aa", "aa"), [(2, 4), (5, 7)]);
        assert_eq!(occurrences("aaa", "aa"), [(0, 2), (1, 3)]);
        assert!(occurrences("abc", "d").is_empty());
    }
}
