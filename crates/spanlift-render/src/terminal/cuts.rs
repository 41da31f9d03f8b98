//! The cuts: the words, the input of each layer, the output; as coloured text or as the strongest words.

use spanlift_explanation::{Explanation, Part, Word, words};

use super::TerminalOptions;
use super::head::NAMES;
use super::page::{Item, Page, Span, Style};
use crate::clusters::{Cluster, clusters};
use crate::colour::Colour;
use crate::cut::{self, Cut, cuts, scales, share};
use crate::facts::sum_digits;
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
    let scales = scales(cuts.iter().map(|cut| cut.score), options.scale);
    if page.coloured() {
        legend(page, options.scale, scales.first().copied().unwrap_or(0.0));
        let clusters = clusters(explanation);
        for (i, (cut, scale)) in cuts.iter().zip(scales).enumerate() {
            page.blank();
            if i == 0 && cuts.get(1).is_some_and(|next| alike(cut, next, scale)) {
                let note = "token by token as layer 1: LayerNorm works within a token";
                let sum = sum_digits(&explanation.target).signed(cut.sum);
                let items = vec![
                    Item::plain(0, format!("sum {sum}")),
                    Item::plain(2, format!("error {}", error(cut.error))),
                    Item::plain(2, note),
                ];
                page.flow(Span::new(cut.name.clone(), Style::BOLD), NAMES, items);
            } else {
                coloured(page, explanation, &clusters, cut, scale);
            }
        }
    } else {
        let words = words(explanation);
        page.blank();
        for cut in &cuts {
            strongest(page, explanation, &words, cut);
        }
    }
}

/// Whether two cuts would look the same.
fn alike(one: &Cut<'_>, other: &Cut<'_>, scale: f64) -> bool {
    let near = |(a, b): (&f32, &f32)| f64::from(a - b).abs() <= 1e-3 * scale;
    one.score.len() == other.score.len() && one.score.iter().zip(other.score).all(near)
}

/// The colours and what they stand for, on one line.
fn legend(page: &mut Page, scale: Scale, largest: f64) {
    let fine = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0];
    let coarse = [-1.0, -0.5, 0.0, 0.5, 1.0];
    let wide = page.width() >= 72;
    let digits = Digits::of(largest, 3);
    let number = |x: f32| match scale {
        _ if x == 0.0 => " 0 ".to_owned(),
        Scale::Layer => {
            let size = ["", "¼", "½", "¾", "1"][(4.0 * x.abs()) as usize];
            format!(" {}{size} ", if x < 0.0 { '-' } else { '+' })
        }
        Scale::Shared if wide => format!(" {} ", digits.signed(f64::from(x) * largest)),
        Scale::Shared => digits.signed(f64::from(x) * largest),
    };
    let shares = if wide && scale == Scale::Layer {
        &fine[..]
    } else {
        &coarse
    };
    let mut items: Vec<Item> = shares
        .iter()
        .map(|&x| Item::new(0, number(x), page.tint(x)))
        .collect();
    let note = match scale {
        Scale::Layer => "× the scale of the cut",
        Scale::Shared => "one scale for all cuts",
    };
    items.push(Item::plain(1, note));
    page.flow(Span::new("scale", Style::PLAIN), NAMES, items);
    let meaning = "red raises the target, blue lowers it";
    page.flow(
        Span::new("", Style::PLAIN),
        NAMES,
        vec![Item::plain(0, meaning)],
    );
}

/// One cut as a line of its strongest words.
fn strongest(page: &mut Page, explanation: &Explanation, words: &[Word], cut: &Cut<'_>) {
    let scored = cut::strongest(words, cut.score, STRONGEST);
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
    let items = items.collect();
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

/// One cut as coloured text: the question with its special tokens, then the passage on a new line.
fn coloured(
    page: &mut Page,
    explanation: &Explanation,
    clusters: &[Cluster],
    cut: &Cut<'_>,
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
        let mut items: Vec<Item> = clusters
            .iter()
            .map(|cluster| item(page, explanation, cluster, cut.score, scale))
            .collect();
        if more && explanation.window.start > 0 {
            items.insert(0, Item::plain(1, "…"));
        }
        if !items.is_empty() {
            page.flow(Span::new("", Style::PLAIN), 2, items);
        }
    }
}

fn item(
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
