//! A question's map, packed: each cut's scores in 127ths of its largest |score|, offsets as gaps and lengths.
//!
//! With m the largest |s_i| of a cut a score is kept as q = round(127 s / m), a byte with a sign, and read as q·m / 127: at most
//! m / 254 away.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use spanlift_explanation::{Explanation, Part, Texts, words_of};
use spanlift_store::Record;

use crate::StudyError;
use crate::roles::roles;

/// Steps from zero to a cut's largest |score|.
const STEPS: f32 = 127.0;

/// A question whose heatmap the page can show.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionMap {
    id: String,
    pub(super) title: String,
    question: String,
    tokens: Vec<i64>,
    pub(super) passage: Passage,
    /// Special tokens before the question, between it and the passage, and after.
    pub(super) specials: [Vec<String>; 3],
    /// A letter a token, from `a`: its place in `Role::ALL`.
    roles: String,
    answer: (usize, usize),
    has_answer: bool,
    answer_text: String,
    gold: Vec<String>,
    scales: Vec<f32>,
    scores: Vec<u8>,
}

/// What the questions of a passage share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Passage {
    /// The text of the explained window.
    text: String,
    /// For each token: characters since the end of the one before, and twice its length plus whether it continues its word.
    tokens: Vec<i64>,
}

#[derive(Serialize)]
pub(crate) struct Packed<'a> {
    id: &'a str,
    title: usize,
    question: &'a str,
    tokens: &'a [i64],
    passage: usize,
    specials: usize,
    roles: &'a str,
    answer: (usize, usize),
    has_answer: bool,
    answer_text: &'a str,
    gold: Vec<&'a str>,
    scales: &'a [f32],
    scores: String,
}

impl QuestionMap {
    /// The question's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// That of a row of a run.
    ///
    /// # Errors
    ///
    /// [`StudyError::Map`] where its tokens are not special, question, special, passage, special in this order, or a score
    /// is no finite number.
    pub fn of(record: &Record) -> Result<Self, StudyError> {
        let explanation = &record.explanation;
        let failed = |reason: String| StudyError::Map {
            id: record.id.clone(),
            reason,
        };
        let parts = Parts::of(explanation).map_err(failed)?;
        let mut scales = Vec::with_capacity(explanation.layers.len());
        let mut scores = Vec::new();
        for layer in &explanation.layers {
            let (scale, levels) = quantised(&layer.score)
                .ok_or_else(|| failed(format!("cut {}: a score is not finite", layer.name)))?;
            if levels.len() != explanation.tokens.len() {
                return Err(failed(format!(
                    "cut {}: expected {} scores, got {}",
                    layer.name,
                    explanation.tokens.len(),
                    levels.len()
                )));
            }
            scales.push(scale);
            scores.extend(levels.into_iter().map(i8::cast_unsigned));
        }
        let letters = roles(explanation)
            .into_iter()
            .map(|role| char::from(b'a' + role.index() as u8));
        // Several annotators gave the same answer.
        let mut gold: Vec<String> = Vec::new();
        for answer in &record.gold {
            if !gold.contains(&answer.text) {
                gold.push(answer.text.clone());
            }
        }
        Ok(Self {
            id: record.id.clone(),
            title: record.title.clone(),
            question: explanation.question.clone(),
            tokens: parts.question,
            passage: parts.passage,
            specials: parts.specials,
            roles: letters.collect(),
            answer: (explanation.answer.start_token, explanation.answer.end_token),
            has_answer: explanation.answer.has_answer,
            answer_text: explanation.answer.text.clone(),
            gold,
            scales,
            scores,
        })
    }

    /// With the places of what it shares with others.
    pub(super) fn packed(&self, title: usize, passage: usize, specials: usize) -> Packed<'_> {
        Packed {
            id: &self.id,
            title,
            question: &self.question,
            tokens: &self.tokens,
            passage,
            specials,
            roles: &self.roles,
            answer: self.answer,
            has_answer: self.has_answer,
            answer_text: &self.answer_text,
            gold: self.gold.iter().map(String::as_str).collect(),
            scales: &self.scales,
            scores: STANDARD.encode(&self.scores),
        }
    }
}

/// The largest |score|, and each score in 127ths of it; none where a score is not finite.
fn quantised(scores: &[f32]) -> Option<(f32, Vec<i8>)> {
    if !scores.iter().all(|score| score.is_finite()) {
        return None;
    }
    let scale = scores.iter().fold(0.0_f32, |most, s| most.max(s.abs()));
    let level = |score: &f32| {
        // In f64: scores may be so small that their quotient by 127 is none.
        let share = if scale > 0.0 {
            f64::from(*score) / f64::from(scale)
        } else {
            0.0
        };
        (share * f64::from(STEPS)).round() as i8
    };
    Some((scale, scores.iter().map(level).collect()))
}

/// The tokens of an explanation by where they come from.
struct Parts {
    question: Vec<i64>,
    passage: Passage,
    specials: [Vec<String>; 3],
}

impl Parts {
    fn of(explanation: &Explanation) -> Result<Self, String> {
        let texts = Texts::new(explanation);
        let window = &explanation.window;
        let text = texts
            .of(Part::Passage)
            .slice(window.start, window.end)
            .ok_or_else(|| format!("window: {} to {}", window.start, window.end))?;
        let mut parts = Self {
            question: Vec::new(),
            passage: Passage {
                text: text.to_owned(),
                tokens: Vec::new(),
            },
            specials: [const { Vec::new() }; 3],
        };
        // Where the token before ended, in the question and in the window.
        let (mut asked, mut read) = (0, 0);
        for word in words_of(&texts, &explanation.tokens) {
            for i in word.tokens.clone() {
                let token = &explanation.tokens[i];
                let in_order = match token.part {
                    Part::Special => true,
                    Part::Question => {
                        parts.specials[1].is_empty() && parts.passage.tokens.is_empty()
                    }
                    Part::Passage => parts.specials[2].is_empty(),
                };
                if !in_order {
                    return Err(format!(
                        "token {i}: expected the question, then the passage"
                    ));
                }
                let (list, end, from) = match token.part {
                    Part::Question => (&mut parts.question, &mut asked, 0),
                    Part::Passage => (&mut parts.passage.tokens, &mut read, window.start as i64),
                    Part::Special => {
                        let place = if !parts.passage.tokens.is_empty() {
                            2
                        } else {
                            usize::from(!parts.question.is_empty())
                        };
                        parts.specials[place].push(token.text.clone());
                        continue;
                    }
                };
                let span = texts.span(token);
                let (start, stop) = span.map_or((*end, *end), |(start, stop)| {
                    (start as i64 - from, stop as i64 - from)
                });
                list.extend([
                    start - *end,
                    2 * (stop - start) + i64::from(i > word.tokens.start),
                ]);
                *end = stop;
            }
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_within_a_254th_of_the_largest() {
        let scores: Vec<f32> = (0..1000)
            .map(|i| ((i * 7919) % 1009) as f32 / 317.0 - 1.6)
            .collect();
        for factor in [1.0_f32, 1e-30, 3e37, 1e-44] {
            let scores: Vec<f32> = scores.iter().map(|score| score * factor).collect();
            let most = scores.iter().fold(0.0_f32, |most, s| most.max(s.abs()));
            let (scale, levels) = quantised(&scores).unwrap();
            assert_eq!(scale, most);
            assert!(levels.iter().any(|level| level.unsigned_abs() == 127));
            for (score, level) in scores.iter().zip(&levels) {
                let back = f64::from(*level) * f64::from(scale) / 127.0;
                let error = (back - f64::from(*score)).abs();
                assert!(
                    error <= f64::from(scale) / 254.0 * 1.000_001,
                    "{score} {back}"
                );
            }
        }
    }

    #[test]
    fn zeros_stay_zeros_and_what_is_no_number_is_refused() {
        assert_eq!(quantised(&[0.0, -0.0]), Some((0.0, vec![0, 0])));
        assert_eq!(quantised(&[]), Some((0.0, Vec::new())));
        for bad in [f32::NAN, f32::INFINITY] {
            assert_eq!(quantised(&[1.0, bad]), None);
        }
    }
}
