//! The cuts: the words, the input of each layer, the output; as coloured text or as the strongest words.

use spanlift_explanation::{Characters, Explanation, Part, Token, Word, words};

use super::head::{NAMES, sum_digits};
use super::number::{Digits, error, largest};
use super::page::{Item, Page, Span, Style};
use super::{Scale, TerminalOptions};
use crate::colour::Colour;
use crate::text::{label, visible};

/// How many words a cut shows without colour.
const STRONGEST: usize = 6;
/// Columns a word may take in a list.
const WORD: usize = 20;
/// Around the answer.
const OPEN: &str = "⟦";
const CLOSE: &str = "⟧";

struct Cut<'a> {
    name: String,
    score: &'a [f32],
    sum: f64,
    error: f64,
}

fn cuts(explanation: &Explanation) -> Vec<Cut<'_>> {
    let words = Cut {
        name: "words".to_owned(),
        score: &explanation.word_score,
        sum: explanation.word_sum,
        error: explanation.word_error,
    };
    let layers = explanation.layers.iter().map(|layer| {
        let number = layer.name.bytes().all(|byte| byte.is_ascii_digit());
        let name = if number {
            format!("layer {}", layer.name)
        } else {
            label(&layer.name, WORD)
        };
        Cut {
            name,
            score: &layer.score,
            sum: layer.sum,
            error: layer.error,
        }
    });
    std::iter::once(words).chain(layers).collect()
}

/// The largest |score| of all cuts together, or of each alone.
fn scales(cuts: &[Cut<'_>], scale: Scale) -> Vec<f64> {
    let own: Vec<f64> = cuts
        .iter()
        .map(|cut| largest(cut.score.iter().copied()))
        .collect();
    match scale {
        Scale::Layer => own,
        Scale::Shared => vec![own.iter().copied().fold(0.0, f64::max); own.len()],
    }
}

/// A score as a share of its scale.
pub(crate) fn share(score: f32, scale: f64) -> f32 {
    if scale > 0.0 {
        (f64::from(score) / scale) as f32
    } else {
        score
    }
}

/// Every cut.
pub(crate) fn show(page: &mut Page, explanation: &Explanation, options: &TerminalOptions) {
    let cuts = cuts(explanation);
    let scales = scales(&cuts, options.scale);
    if page.coloured() {
        legend(page, options.scale, scales.first().copied().unwrap_or(0.0));
        let clusters = clusters(explanation);
        for (cut, scale) in cuts.iter().zip(scales) {
            page.blank();
            coloured(page, explanation, &clusters, cut, scale);
        }
    } else {
        let words = words(explanation);
        page.blank();
        for cut in &cuts {
            strongest(page, explanation, &words, cut);
        }
    }
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
}

/// One cut as a line of its strongest words.
fn strongest(page: &mut Page, explanation: &Explanation, words: &[Word], cut: &Cut<'_>) {
    let mut scored: Vec<(&Word, f32)> = words
        .iter()
        .map(|word| (word, word.score(cut.score)))
        .collect();
    scored.retain(|&(_, score)| score != 0.0);
    scored.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    scored.truncate(STRONGEST);
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

/// What stays together on a line: the tokens of a stretch of text without white space.
struct Cluster {
    pieces: Vec<Piece>,
    /// Whether the white space before it lies in the answer.
    gap_in_answer: bool,
    part: Part,
}

/// A token's text, or text that no token covers.
struct Piece {
    text: String,
    token: Option<usize>,
}

/// The window's text in its own order. Between two tokens stands what stands between them in the question or
/// passage: nothing, white space, or characters that the tokenizer dropped, which stay with the token before.
fn clusters(explanation: &Explanation) -> Vec<Cluster> {
    let answer = &explanation.answer;
    let texts = [
        Characters::new(&explanation.question),
        Characters::new(&explanation.passage),
    ];
    let mut ends = [0, explanation.window.start];
    let mut clusters: Vec<Cluster> = Vec::new();
    for (i, token) in explanation.tokens.iter().enumerate() {
        let which = usize::from(token.part == Part::Passage);
        let (gap, text) = match (token.part, token.start, token.end) {
            (Part::Question | Part::Passage, Some(start), Some(end)) => {
                let (start, before) = (start.max(ends[which]), ends[which]);
                ends[which] = end.max(before);
                (
                    texts[which].slice(before, start).unwrap_or(" "),
                    texts[which].slice(start, end).unwrap_or(""),
                )
            }
            _ => (" ", token.text.as_str()),
        };
        let gap_in_answer = answer.start_token < i && i <= answer.end_token;
        push(&mut clusters, token, gap, gap_in_answer);
        if let Some(cluster) = clusters.last_mut() {
            cluster.pieces.push(Piece {
                text: visible(text),
                token: Some(i),
            });
        }
    }
    clusters
}

/// Makes the last cluster the one that `token` belongs to, and places the text of the gap before it.
fn push(clusters: &mut Vec<Cluster>, token: &Token, gap: &str, gap_in_answer: bool) {
    let part = token.part;
    let loose = |text: &str| Piece {
        text: visible(text),
        token: None,
    };
    let together = clusters
        .last()
        .is_some_and(|last| last.part == part && part != Part::Special);
    let (before, after) = match (
        gap.find(char::is_whitespace),
        gap.rfind(char::is_whitespace),
    ) {
        (Some(first), Some(last)) => (&gap[..first], gap[last..].trim_start()),
        _ if together => (gap, ""),
        _ => ("", gap),
    };
    if let Some(cluster) = clusters.last_mut()
        && together
        && !before.is_empty()
    {
        cluster.pieces.push(loose(before));
    }
    if !together || gap.contains(char::is_whitespace) {
        clusters.push(Cluster {
            pieces: Vec::new(),
            gap_in_answer,
            part,
        });
    }
    if let Some(cluster) = clusters.last_mut()
        && !after.is_empty()
    {
        cluster.pieces.push(loose(after));
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
