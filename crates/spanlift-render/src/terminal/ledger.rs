//! Where the contributions flow: a matrix of the heads, what passes by them, the strongest heads and edges.

use spanlift_explanation::{Edge, Explanation, Texts};

use super::head::NAMES;
use super::page::{Item, Page, Span, Style, prose};
use crate::cut::{share, token_text};
use crate::number::{Digits, largest};
use crate::text::{label, width};

/// How many heads and edges are named.
const HEADS: usize = 3;
const EDGES: usize = 5;
/// Columns a token may take in the list of edges.
const TOKEN: usize = 14;

/// A column of the matrix: its name, and a cell for each layer.
struct Column {
    gap: usize,
    name: String,
    cells: Vec<Span>,
}

impl Column {
    fn width(&self) -> usize {
        self.cells
            .iter()
            .map(|cell| width(&cell.text))
            .chain([width(&self.name)])
            .max()
            .unwrap_or(0)
    }
}

/// The matrix, then the strongest heads and edges.
pub(crate) fn show(page: &mut Page, explanation: &Explanation) {
    let scores = &explanation.heads.score;
    if scores.is_empty() {
        return;
    }
    let scale = largest(scores.iter().flatten().copied());
    let digits = Digits::of(scale, 3);
    page.blank();
    let note = if page.coloured() {
        format!(
            "contribution through each head, in tenths of {}",
            digits.size(scale)
        )
    } else {
        "contribution through each head".to_owned()
    };
    page.flow(
        Span::new("heads", Style::BOLD),
        NAMES,
        prose(&note, Style::PLAIN),
    );

    let heads = scores.iter().map(Vec::len).max().unwrap_or(0);
    let mut columns: Vec<Column> = (0..heads)
        .map(|a| {
            let of = |layer: &Vec<f32>| layer.get(a).copied().unwrap_or(f32::NAN);
            let cells = scores
                .iter()
                .map(|layer| cell(page, of(layer), scale, digits))
                .collect();
            Column {
                gap: if page.coloured() { 0 } else { 2 },
                name: (a + 1).to_string(),
                cells,
            }
        })
        .collect();
    columns.push(plain("residual", &explanation.heads.residual));
    columns.push(plain("MLP", &explanation.mlp));
    columns.push(plain("MLP resid.", &explanation.mlp_residual));
    matrix(page, scores.len(), &columns);
    let ledger = if explanation.method.complete {
        "in each layer heads + residual = Δt, and MLP + MLP resid. = Δt"
    } else {
        "this method does not make heads + residual, or MLP + MLP resid., add up to Δt"
    };
    page.flow(
        Span::new("", Style::PLAIN),
        NAMES,
        prose(ledger, Style::PLAIN),
    );

    strongest_heads(page, scores, digits);
    strongest_edges(page, explanation);
}

/// A head's score: in colour a cell three wide with the tenths of the scale, so that it reads without colour too.
fn cell(page: &Page, score: f32, scale: f64, digits: Digits) -> Span {
    if !page.coloured() {
        return Span::new(digits.signed(f64::from(score)), Style::PLAIN);
    }
    let x = share(score, scale);
    let tenths = (10.0 * x).round();
    let text = match tenths {
        _ if !x.is_finite() => "  ?".to_owned(),
        0.0 => "  ·".to_owned(),
        _ => format!("{:>3}", format!("{tenths:+}")),
    };
    Span::new(text, page.tint(x))
}

fn plain(name: &str, numbers: &[f64]) -> Column {
    let digits = Digits::of(largest(numbers.iter().map(|&number| number as f32)), 4);
    let cells = numbers
        .iter()
        .map(|&number| Span::new(digits.signed(number), Style::PLAIN))
        .collect();
    Column {
        gap: 2,
        name: name.to_owned(),
        cells,
    }
}

/// The columns behind the layers' numbers; those that do not fit follow below.
fn matrix(page: &mut Page, layers: usize, columns: &[Column]) {
    let mut rest = columns;
    while !rest.is_empty() {
        let mut used = NAMES;
        let fitting = rest.iter().take_while(|column| {
            used += column.gap + column.width();
            used <= page.width()
        });
        let (shown, later) = rest.split_at(fitting.count().max(1));
        rest = later;
        let row = |name: String, cell: &dyn Fn(&Column) -> Span| {
            let mut spans = vec![Span::new(format!("{name:<NAMES$}"), Style::PLAIN)];
            for column in shown {
                let Span { text, style } = cell(column);
                let pad = column.width().saturating_sub(width(&text));
                spans.push(Span::new(" ".repeat(column.gap), Style::PLAIN));
                spans.push(Span::new(format!("{}{text}", " ".repeat(pad)), style));
            }
            spans
        };
        page.line(&row("head".to_owned(), &|column| {
            Span::new(column.name.clone(), Style::PLAIN)
        }));
        for l in 0..layers {
            let cell = |column: &Column| {
                column
                    .cells
                    .get(l)
                    .cloned()
                    .unwrap_or_else(|| Span::new("", Style::PLAIN))
            };
            page.line(&row(format!("layer {}", l + 1), &cell));
        }
    }
}

fn strongest_heads(page: &mut Page, scores: &[Vec<f32>], digits: Digits) {
    let mut heads: Vec<(usize, usize, f32)> = Vec::new();
    for (l, layer) in scores.iter().enumerate() {
        heads.extend(
            layer
                .iter()
                .enumerate()
                .map(|(a, &score)| (l + 1, a + 1, score)),
        );
    }
    heads.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
    let items = heads.iter().take(HEADS).map(|&(layer, head, score)| {
        Item::plain(
            2,
            format!(
                "layer {layer} head {head} {}",
                digits.signed(f64::from(score))
            ),
        )
    });
    page.flow(Span::new("strongest", Style::PLAIN), NAMES, items.collect());
}

fn strongest_edges(page: &mut Page, explanation: &Explanation) {
    let edges: Vec<&Edge> = explanation.top_edges.iter().take(EDGES).collect();
    if edges.is_empty() {
        return;
    }
    page.blank();
    let note = "query → key, pattern: where the head looks, content: what it carries";
    page.flow(
        Span::new("edges", Style::BOLD),
        NAMES,
        prose(note, Style::PLAIN),
    );
    let digits = Digits::of(
        largest(edges.iter().flat_map(|edge| [edge.pattern, edge.content])),
        3,
    );
    let texts = Texts::new(explanation);
    let text = |index| label(&token_text(explanation, &texts, index), TOKEN);
    let token = |index: usize| format!("{} @{index}", text(index));
    let rows: Vec<[String; 4]> = edges
        .iter()
        .map(|edge| {
            [
                format!("layer {} head {}", edge.layer, edge.head),
                format!("{} → {}", token(edge.query), token(edge.key)),
                format!("pattern {}", digits.signed(f64::from(edge.pattern))),
                format!("content {}", digits.signed(f64::from(edge.content))),
            ]
        })
        .collect();
    for row in &rows {
        let items = row.iter().enumerate().map(|(i, text)| {
            let column = rows.iter().map(|row| width(&row[i])).max().unwrap_or(0);
            let pad = if i + 1 < row.len() {
                column.saturating_sub(width(text))
            } else {
                0
            };
            Item::plain(2, format!("{text}{}", " ".repeat(pad)))
        });
        page.flow(Span::new("", Style::PLAIN), 2, items.collect());
    }
}
