//! The cuts: the words, the input of each layer, the output; as coloured text or as the strongest words.

use spanlift_explanation::{Explanation, Part, Word};

use super::TerminalOptions;
use super::head::NAMES;
use super::page::{Item, Page, Span, Style};
use crate::clusters::{Cluster, clusters, paragraphs};
use crate::colour::{Colour, Ramp};
use crate::cut::{self, AS_LAYER_1, Cut, cuts, scales, share, units, words_as_layer_1};
use crate::facts::{self, sum_digits};
use crate::number::{Digits, error, largest};
use crate::options::Scale;
use crate::text::label;

/// How many words a cut shows without colour.
const STRONGEST: usize = 6;
/// Columns a word may take in a list.
const WORD: usize = 20;
/// Around the answer.
const OPEN: &str = "⟦";
const CLOSE: &str = "⟧";

/// Every cut.
pub(crate) fn show(page: &mut Page, explanation: &Explanation, options: &TerminalOptions) {
    let cuts = cuts(explanation);
    let units = units(explanation, options.unit);
    let scores: Vec<Vec<f32>> = cuts.iter().map(|cut| by_token(&units, cut.score)).collect();
    let scales = scales(scores.iter().map(Vec::as_slice), options.scale);
    let repeated = words_as_layer_1(explanation);
    if page.coloured() {
        legend(
            page,
            options.scale,
            scales.first().copied().unwrap_or(0.0),
            facts::meaning(explanation),
        );
        let clusters = clusters(explanation);
        for (i, ((cut, scores), scale)) in cuts.iter().zip(&scores).zip(scales).enumerate() {
            page.blank();
            if i == 0 && repeated {
                let sum = sum_digits(&explanation.target).signed(cut.sum);
                let items = vec![
                    Item::plain(0, format!("sum {sum}")),
                    Item::plain(2, format!("error {}", error(cut.error))),
                    Item::plain(2, AS_LAYER_1),
                ];
                page.flow(Span::new(cut.name.clone(), Style::BOLD), NAMES, items);
            } else {
                coloured(page, explanation, &clusters, cut, scores, scale);
            }
        }
    } else {
        page.blank();
        for (i, cut) in cuts.iter().enumerate() {
            strongest(page, explanation, &units, cut, i == 0 && repeated);
        }
    }
}

/// For each token the score of its unit; what has no unit or no score is no number.
fn by_token(units: &[Word], scores: &[f32]) -> Vec<f32> {
    let mut of_unit = Vec::with_capacity(scores.len());
    for unit in units {
        let whole = unit.tokens.end <= scores.len();
        let score = if whole { unit.score(scores) } else { f32::NAN };
        of_unit.extend(unit.tokens.clone().map(|_| score));
    }
    of_unit
}

/// The colours and what they stand for, on one line.
fn legend(page: &mut Page, scale: Scale, largest: f64, [red, blue]: [&str; 2]) {
    let fine = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0];
    let coarse = [-1.0, -0.5, 0.0, 0.5, 1.0];
    let wide = page.width() >= 72;
    let digits = Digits::of(largest, 3);
    let ramp = page.ramp();
    // The share of the scale that has the colour of a place, written as such or as a score.
    let number = |x: f32| match (scale, ramp) {
        _ if x == 0.0 => " 0 ".to_owned(),
        (Scale::Layer, _) => {
            let place = (4.0 * x.abs()) as usize;
            let size = match ramp {
                Ramp::Linear => ["", "¼", "½", "¾", "1"][place],
                Ramp::Root => ["", ".06", ".25", ".56", "1"][place],
            };
            format!(" {}{size} ", if x < 0.0 { '-' } else { '+' })
        }
        (Scale::Shared, _) => {
            let score = digits.signed(f64::from(ramp.share(x)) * largest);
            if wide { format!(" {score} ") } else { score }
        }
    };
    let shares = if wide && scale == Scale::Layer {
        &fine[..]
    } else {
        &coarse
    };
    let mut items: Vec<Item> = shares
        .iter()
        .map(|&x| Item::new(0, number(x), page.tint(ramp.share(x))))
        .collect();
    let note = match scale {
        Scale::Layer => "× the scale of the cut",
        Scale::Shared => "one scale for all cuts",
    };
    items.push(Item::plain(1, note));
    page.flow(Span::new("scale", Style::PLAIN), NAMES, items);
    let meaning = format!("red {red}, blue {blue}");
    page.flow(
        Span::new("", Style::PLAIN),
        NAMES,
        vec![Item::plain(0, meaning)],
    );
}

/// One cut as a line of its strongest units; `repeated` where the next line has the same.
fn strongest(
    page: &mut Page,
    explanation: &Explanation,
    units: &[Word],
    cut: &Cut<'_>,
    repeated: bool,
) {
    let count = if repeated { 0 } else { STRONGEST };
    let scored = cut::strongest(units, cut.score, count);
    let digits = Digits::of(largest(scored.iter().map(|&(_, score)| score)), 3);
    let answer = explanation.answer.start_token..explanation.answer.end_token.saturating_add(1);
    let sum = sum_digits(&explanation.target).signed(cut.sum);
    let error = error(cut.error);
    let items = scored.iter().map(|&(word, score)| {
        let text = label(&word.text, WORD);
        let inside = word.tokens.start < answer.end && answer.start < word.tokens.end;
        let text = if inside {
            format!("{OPEN}{text}{CLOSE}")
        } else {
            text
        };
        Item::plain(2, format!("{text} {}", digits.signed(f64::from(score))))
    });
    let mut items: Vec<Item> = items.collect();
    if repeated {
        items = super::page::prose(AS_LAYER_1, Style::PLAIN);
    }
    if page.width() >= 72 {
        let head = format!("{:<NAMES$}sum {sum:<9} error {error:<8}", cut.name);
        let hang = head.len() + 1;
        page.flow(Span::new(head, Style::PLAIN), hang, items);
    } else {
        let head = vec![
            Item::plain(0, format!("sum {sum}")),
            Item::plain(2, format!("error {error}")),
        ];
        page.flow(Span::new(cut.name.clone(), Style::PLAIN), NAMES, head);
        page.flow(Span::new("", Style::PLAIN), 2, items);
    }
}

/// One cut as coloured text: the question with its special tokens, then the passage in its paragraphs.
fn coloured(
    page: &mut Page,
    explanation: &Explanation,
    clusters: &[Cluster],
    cut: &Cut<'_>,
    scores: &[f32],
    scale: f64,
) {
    let digits = Digits::of(scale, 3);
    let items = vec![
        Item::plain(
            0,
            format!("sum {}", sum_digits(&explanation.target).signed(cut.sum)),
        ),
        Item::plain(2, format!("error {}", error(cut.error))),
        Item::plain(2, format!("scale ±{}", digits.size(scale))),
    ];
    page.flow(Span::new(cut.name.clone(), Style::BOLD), NAMES, items);
    let first = clusters
        .iter()
        .position(|cluster| cluster.part == Part::Passage)
        .unwrap_or(clusters.len());
    for (clusters, more) in [(&clusters[..first], false), (&clusters[first..], true)] {
        for (i, clusters) in paragraphs(clusters).enumerate() {
            if clusters.first().is_some_and(|first| first.breaks > 1) {
                page.blank();
            }
            let mut items: Vec<Item> = clusters
                .iter()
                .map(|cluster| item(page, explanation, cluster, scores, scale))
                .collect();
            if more && i == 0 && explanation.window.start > 0 {
                items.insert(0, Item::plain(1, "…"));
            }
            page.flow(Span::new("", Style::PLAIN), 2, items);
        }
    }
}

/// A cluster's tokens on the colours of their scores, the answer in brackets.
pub(super) fn item(
    page: &Page,
    explanation: &Explanation,
    cluster: &Cluster,
    scores: &[f32],
    scale: f64,
) -> Item {
    let answer = &explanation.answer;
    let sheet = Style::on(Colour::WHITE);
    let marked = Style {
        bold: true,
        underline: true,
        ..sheet
    };
    let mut spans = Vec::new();
    for piece in &cluster.pieces {
        let mut style = sheet;
        if let Some(token) = piece.token {
            let score = scores.get(token).copied().unwrap_or(f32::NAN);
            style = page.tint(share(score, scale));
            if cluster.part == Part::Special {
                style = style.dim();
            }
            let inside = answer.start_token <= token && token <= answer.end_token;
            (style.bold, style.underline) = (inside, inside);
            if token == answer.start_token {
                spans.push(Span::new(
                    OPEN,
                    Style {
                        underline: false,
                        ..marked
                    },
                ));
            }
        }
        spans.push(Span::new(piece.text.clone(), style));
        if piece.token == Some(answer.end_token) {
            spans.push(Span::new(
                CLOSE,
                Style {
                    underline: false,
                    ..marked
                },
            ));
        }
    }
    Item {
        gap: Span::new(" ", if cluster.gap_in_answer { marked } else { sheet }),
        spans,
    }
}
