//! Several methods side by side: words as rows, methods as columns, the sums and the cost below.

use spanlift_explanation::{Compared, Comparison, Explanation, Word};

use super::TerminalOptions;
use super::head::asked;
use super::page::{Page, Span, Style, prose};
use crate::cut::{share, units};
use crate::number::{Digits, error, largest};
use crate::text::{label, width};

/// Columns that a word may take.
const WORD: usize = 16;
/// Columns that the name of a method may take.
const NAME: usize = 9;

/// A column: its name, a cell for each row, and those below.
struct Column {
    name: String,
    cells: Vec<Span>,
}

impl Column {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| width(&cell.text));
        cells.chain([width(&self.name)]).max().unwrap_or(0)
    }
}

/// Question, answer and target, then the table.
pub(super) fn show(page: &mut Page, comparison: &Comparison, options: &TerminalOptions) {
    let Some(first) = comparison.methods.first() else {
        return;
    };
    let first = &first.explanation;
    asked(page, first);
    let units = units(first, options.unit);
    let answer = first.answer.start_token..first.answer.end_token.saturating_add(1);
    let names = units.iter().map(|unit| {
        let text = label(&unit.text, WORD - 2);
        let inside = unit.tokens.start < answer.end && answer.start < unit.tokens.end;
        if inside {
            format!("⟦{text}⟧")
        } else {
            text
        }
    });
    let below = ["sum", "Δt", "error", "error/Σ||", "passes", "seconds"];
    let names: Vec<String> = names.chain(below.map(str::to_owned)).collect();
    let columns: Vec<Column> = comparison
        .methods
        .iter()
        .map(|compared| column(page, compared, &units))
        .collect();
    table(page, &names, units.len(), &columns);
    page.blank();
    for note in [
        "scores at the word embeddings, each method on its own scale; Δt is what it should add up to, sum − Δt its error, error/Σ|| the \
         error against max(1, Σ|score|); passes forward+back",
        "attention and rollout are shares of 1, and random is noise: they promise no sum; lrp shares out the target itself, without a reference",
    ] {
        page.flow(Span::new("", Style::PLAIN), 0, prose(note, Style::PLAIN));
    }
}

/// The method's name in short.
fn name(explanation: &Explanation) -> String {
    match explanation.method.label() {
        "gradient-x-input" => "grad×in".to_owned(),
        "integrated-gradients" => "int.grad".to_owned(),
        other => label(other, NAME),
    }
}

fn column(page: &Page, compared: &Compared, units: &[Word]) -> Column {
    let explanation = &compared.explanation;
    let scores: Vec<f32> = units
        .iter()
        .map(|unit| unit.score(&explanation.word_score))
        .collect();
    let scale = largest(scores.iter().copied());
    let digits = Digits::of(scale, 3);
    let cell = |&score: &f32| {
        let style = if page.coloured() {
            page.tint(share(score, scale))
        } else {
            Style::PLAIN
        };
        Span::new(digits.signed(f64::from(score)), style)
    };
    let sum = explanation.word_sum;
    let delta = explanation.target.delta;
    let absolute: f64 = explanation
        .word_score
        .iter()
        .map(|&score| f64::from(score.abs()))
        .sum();
    let relative = explanation.word_error.abs() / absolute.max(1.0);
    let sums = Digits::of(sum.abs().max(delta.abs()), 4);
    let below = [
        sums.signed(sum),
        sums.signed(delta),
        error(explanation.word_error),
        error(relative),
        format!("{}+{}", compared.forward, compared.backward),
        Digits::of(compared.seconds, 2).size(compared.seconds),
    ];
    let cells = scores.iter().map(cell);
    Column {
        name: name(explanation),
        cells: cells
            .chain(below.map(|text| Span::new(text, Style::PLAIN)))
            .collect(),
    }
}

/// The columns behind the names; those that do not fit follow below, with the names again.
fn table(page: &mut Page, names: &[String], words: usize, columns: &[Column]) {
    let first = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let mut rest = columns;
    while !rest.is_empty() {
        let mut used = first;
        let fitting = rest.iter().take_while(|column| {
            used += 2 + column.width();
            used <= page.width()
        });
        let (shown, later) = rest.split_at(fitting.count().max(1));
        rest = later;
        page.blank();
        let row = |name: &str, cell: &dyn Fn(&Column) -> Span| {
            let pad = first.saturating_sub(width(name));
            let mut spans = vec![Span::new(
                format!("{name}{}", " ".repeat(pad)),
                Style::PLAIN,
            )];
            for column in shown {
                let Span { text, style } = cell(column);
                let pad = column.width().saturating_sub(width(&text));
                spans.push(Span::new("  ", Style::PLAIN));
                spans.push(Span::new(format!("{}{text}", " ".repeat(pad)), style));
            }
            spans
        };
        page.line(&row("", &|column| {
            Span::new(column.name.clone(), Style::BOLD)
        }));
        for (i, name) in names.iter().enumerate() {
            if i == words {
                page.blank();
            }
            let cell = |column: &Column| {
                let empty = || Span::new("", Style::PLAIN);
                column.cells.get(i).cloned().unwrap_or_else(empty)
            };
            page.line(&row(name, &cell));
        }
    }
}
