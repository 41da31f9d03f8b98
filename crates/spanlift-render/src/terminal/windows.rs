//! Every window of a passage: a line each, then the document that they make.

use spanlift_explanation::{Document, Explanation, LayerScores, Window, words};

use super::cuts::item;
use super::head::NAMES;
use super::page::{Item, Page, Span, Style};
use crate::clusters::clusters;
use crate::cut;
use crate::facts::{self, answer};
use crate::number::{Digits, error, largest};
use crate::text::label;

/// How many words a cut shows.
const STRONGEST: usize = 6;
/// Columns a word may take in a list, and an answer in its window's line.
const WORD: usize = 20;
const ANSWER: usize = 24;

/// What is shown of one window.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowLine {
    /// Its place.
    pub window: Window,
    /// What was explained of it; `no answer` where it has none.
    pub answer: String,
    /// Δt.
    pub delta: f64,
    /// The worst |error| / max(1, Σ|score|) of its cuts.
    pub worst: f64,
    /// Whether its sums hold, or nothing promised that they would.
    pub holds: bool,
}

impl WindowLine {
    /// Of a window's explanation.
    #[must_use]
    pub fn of(explanation: &Explanation) -> Self {
        Self {
            window: explanation.window.clone(),
            answer: label(answer(explanation), ANSWER),
            delta: explanation.target.delta,
            worst: explanation.completeness.worst,
            holds: !facts::broken(explanation),
        }
    }
}

/// The lines, and the document.
pub(super) fn show(
    page: &mut Page,
    explanation: &Explanation,
    lines: &[WindowLine],
    document: &Document,
) {
    page.blank();
    let note = "by their characters of the passage; each explained for its own best span or no answer, as if it were alone; \
                the one with a * for the answer above";
    page.flow(name("windows"), NAMES, sentence(note));
    let largest_delta = lines
        .iter()
        .fold(0.0, |most: f64, l| most.max(l.delta.abs()));
    let digits = Digits::of(largest_delta, 5);
    for line in lines {
        let window = &line.window;
        let mark = if window.index == document.answer_window {
            "*"
        } else {
            " "
        };
        let sums = if line.holds {
            format!("error {}", error(line.worst))
        } else {
            format!("WARNING: error {}", error(line.worst))
        };
        let items = vec![
            Item::plain(0, format!("{} to {}", window.start, window.end)),
            Item::plain(2, format!("Δt {}", digits.signed(line.delta))),
            Item::plain(2, sums),
            Item::new(2, line.answer.clone(), Style::BOLD),
        ];
        let number = format!("{mark} {}", window.index.saturating_add(1));
        page.flow(name(&number), NAMES, items);
    }
    page.blank();
    let note = "each token with its score from the window where it lies deepest inside; windows have targets and Δt of \
                their own, so these scores do not add up to one";
    page.flow(name("document"), NAMES, sentence(note));
    let whole = whole(explanation, document);
    let cuts = cut::cuts(&whole);
    if page.coloured() {
        let scores = &document.word_score;
        let scale = largest(scores.iter().copied());
        let head = format!("scale ±{}", Digits::of(scale, 3).size(scale));
        page.flow(
            Span::new("words", Style::BOLD),
            NAMES,
            vec![Item::plain(0, head)],
        );
        let clusters = clusters(&whole);
        let items = clusters
            .iter()
            .map(|cluster| item(page, &whole, cluster, scores, scale));
        let items = items.collect();
        page.flow(name(""), 2, items);
        page.blank();
    }
    let words = words(&whole);
    for cut in &cuts {
        let scored = cut::strongest(&words, cut.score, STRONGEST);
        let digits = Digits::of(largest(scored.iter().map(|&(_, score)| score)), 3);
        let items = scored.iter().map(|(word, score)| {
            let (text, score) = (label(&word.text, WORD), digits.signed(f64::from(*score)));
            Item::plain(2, format!("{text} {score}"))
        });
        page.flow(name(&cut.name), NAMES, items.collect());
    }
}

fn name(text: &str) -> Span {
    Span::new(text, Style::PLAIN)
}

fn sentence(text: &str) -> Vec<Item> {
    let words = text.split(' ').map(|word| Item::plain(1, word));
    words.collect()
}

/// The document in an explanation's form, for what looks at its tokens and scores alone: it has no sums.
fn whole(explanation: &Explanation, document: &Document) -> Explanation {
    let place = document.places.get(document.answer_window);
    let shift = match place {
        Some(place) if explanation.answer.has_answer => place.first,
        _ => 0,
    };
    let mut whole = explanation.clone();
    whole.answer.start_token += shift;
    whole.answer.end_token += shift;
    whole.window = Window {
        index: 0,
        count: 1,
        start: 0,
        end: explanation.passage.chars().count(),
    };
    whole.tokens.clone_from(&document.tokens);
    whole.word_score.clone_from(&document.word_score);
    let layers = document.layers.iter().map(|layer| LayerScores {
        name: layer.name.clone(),
        score: layer.score.clone(),
        positive: Vec::new(),
        negative: Vec::new(),
        sum: f64::NAN,
        error: f64::NAN,
    });
    whole.layers = layers.collect();
    whole
}
