//! What is explained of one item: window, answer and target; METHOD section 1.

use spanlift_explanation::{Answer, Candidate, Characters, TargetKind, Versus};

use super::given::random;
use super::{AnswerChoice, ExplainError, Item, Options};
use crate::answer::{Decision, Reading, Scored, best_of_window, characters, occurrences};
use crate::attribute::{Span, Target};
use crate::encode::{EncodeError, Windows};

/// What is explained of one item.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) candidates: Vec<Candidate>,
    /// The explained window.
    pub(super) window: usize,
    pub(super) answer: Answer,
    pub(super) target: Target,
    pub(super) versus: Option<Versus>,
}

/// Refuses a text that the passage does not hold, before anything is computed.
pub(super) fn check_texts(item: Item<'_>, options: &Options) -> Result<(), ExplainError> {
    let missing = options
        .texts()
        .find(|(_, text)| !item.passage.contains(text));
    missing.map_or(Ok(()), |(field, got)| {
        let got = got.to_owned();
        Err(ExplainError::NotInPassage { field, got })
    })
}

/// Wherever a text that the caller named stands in each window, or why nowhere. The empty text is the null answer.
fn find(
    field: &'static str,
    text: &str,
    passage: &str,
    reading: Reading<'_>,
) -> Result<Vec<Scored>, ExplainError> {
    let windows = reading.windows;
    if text.is_empty() {
        let nulls = reading.indices();
        return Ok(nulls.map(|w| reading.scored(w, Span::NULL)).collect());
    }
    let occurrences = occurrences(passage, text);
    let mut found = Vec::new();
    for window in reading.indices() {
        let spans = occurrences
            .iter()
            .filter_map(|&place| span_of(windows, window, place));
        found.extend(spans.map(|span| reading.scored(window, span)));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let got = text.to_owned();
    let overlaps = |window: usize| {
        let bounds = windows.window(window);
        occurrences.iter().any(|&(start, end)| {
            let inside = (start.max(bounds.start), end.min(bounds.end));
            span_of(windows, window, inside).is_some()
        })
    };
    Err(if occurrences.is_empty() {
        ExplainError::NotInPassage { field, got }
    } else if reading.indices().any(overlaps) {
        let max_tokens = longest(reading);
        ExplainError::NotInWindow {
            field,
            got,
            max_tokens,
        }
    } else {
        ExplainError::NoToken { field, got }
    })
}

fn longest(reading: Reading<'_>) -> usize {
    let tokens = reading.indices().map(|w| reading.windows.tokens(w));
    tokens.max().unwrap_or(0)
}

/// The best of several places: the highest score, or for the null answer the window where the answer is sought first.
fn best_of(found: &[Scored], null_window: usize) -> Option<Scored> {
    let null = |s: &&Scored| s.span == Span::NULL && s.window == null_window;
    if let Some(null) = found.iter().find(null) {
        return Some(*null);
    }
    found
        .iter()
        .copied()
        .max_by(|a, b| a.score.total_cmp(&b.score))
}

/// Answer, window and target of one item; METHOD section 1.
pub(super) fn choose(
    item: Item<'_>,
    reading: Reading<'_>,
    options: &Options,
) -> Result<Choice, ExplainError> {
    let windows = reading.windows;
    let text = Characters::new(item.passage);
    let decision =
        Decision::over(reading, &options.answering).ok_or_else(|| empty(item.passage))?;
    // Each place where the answer stands, and the place that is explained.
    let (places, place) = match &options.answer {
        AnswerChoice::Text(given) => {
            let places = find("answer", given, item.passage, reading)?;
            let place = best_of(&places, decision.null_window).unwrap_or(decision.best[0]);
            (places, place)
        }
        AnswerChoice::Place(place) => {
            let place = place.find(reading)?;
            (vec![place], place)
        }
        AnswerChoice::Random(seed) => {
            let place = random(*seed, item, reading, &decision);
            (vec![place], place)
        }
        AnswerChoice::Own => {
            let (window, span) = decision.explained();
            let place = reading.scored(window, span);
            let stands = characters(windows, &place);
            let in_window = |w: usize| {
                let span = if span == Span::NULL {
                    Some(span)
                } else {
                    span_of(windows, w, stands)
                };
                span.map(|span| reading.scored(w, span))
            };
            (reading.indices().filter_map(in_window).collect(), place)
        }
    };
    let mut explained = place;
    let mut versus = None;
    let target = match options.target {
        TargetKind::Span => Target::Span(place.span),
        TargetKind::Start => Target::Start(place.span),
        TargetKind::End => Target::End(place.span),
        TargetKind::Margin if place.span != Span::NULL => Target::Margin(place.span),
        TargetKind::Margin => Target::Margin(best_of_window(reading, place.window)),
        TargetKind::Versus => {
            let other = options.versus.as_ref().ok_or(ExplainError::NoVersus)?;
            let others = find("versus", other, item.passage, reading)?;
            let pair = |place: Scored| {
                let here = others.iter().copied();
                let here = here.filter(|o| o.window == place.window && o.span != place.span);
                Some((place, best_of(&here.collect::<Vec<_>>(), place.window)?))
            };
            let elsewhere = || {
                let pairs: Vec<_> = places.iter().copied().filter_map(pair).collect();
                let answers: Vec<Scored> = pairs.iter().map(|pair| pair.0).collect();
                let best = best_of(&answers, decision.null_window)?;
                pairs.into_iter().find(|pair| pair.0 == best)
            };
            let itself = |o: &Scored| (o.window, o.span) == (place.window, place.span);
            let (answer, other_place) = pair(place).or_else(elsewhere).ok_or_else(|| {
                if others.iter().any(itself) {
                    return ExplainError::SameSpan { got: other.clone() };
                }
                ExplainError::FarApart {
                    answer: span_text(windows, &place, &text),
                    versus: other.clone(),
                    max_tokens: longest(reading),
                }
            })?;
            explained = answer;
            versus = Some(Versus {
                text: span_text(windows, &other_place, &text),
                start_token: other_place.span.start,
                end_token: other_place.span.end,
            });
            Target::Versus(answer.span, other_place.span)
        }
    };
    let own = options.answer == AnswerChoice::Own;
    let answer = decision.answer(windows, explained, own, &text);
    Ok(Choice {
        candidates: decision.candidates(windows, &text),
        window: explained.window,
        answer,
        target,
        versus,
    })
}

/// A passage without a token has no windows.
pub(super) fn empty(passage: &str) -> EncodeError {
    EncodeError::EmptyPassage {
        characters: passage.chars().count(),
    }
}

/// The tokens of some of the passage's characters, where the window holds all of them.
pub(super) fn span_of(
    windows: &Windows,
    window: usize,
    characters: (usize, usize),
) -> Option<Span> {
    let found = windows.find_span(window, characters);
    found.map(|(start, end)| Span { start, end })
}

fn span_text(windows: &Windows, place: &Scored, passage: &Characters<'_>) -> String {
    if place.span == Span::NULL {
        return String::new();
    }
    let (start, end) = characters(windows, place);
    passage.slice(start, end).unwrap_or_default().to_owned()
}
