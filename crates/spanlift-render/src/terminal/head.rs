//! The head of the text: question, answer, target, and whether the sums hold.

use spanlift_explanation::Explanation;

use super::page::{Item, Page, Span, Style, prose};
use crate::facts::{self, kind, sum_digits};
use crate::number::Digits;
use crate::text::label;

/// Columns of the names on the left.
pub(crate) const NAMES: usize = 11;

fn name(text: &str) -> Span {
    Span::new(text, Style::PLAIN)
}

/// Question, answer, scores and target.
pub(crate) fn asked(page: &mut Page, explanation: &Explanation) {
    page.flow(
        name("question"),
        NAMES,
        prose(&explanation.question, Style::PLAIN),
    );
    answer(page, explanation);
    target(page, explanation);
}

/// The same, with method and the check.
pub(crate) fn head(page: &mut Page, explanation: &Explanation) {
    asked(page, explanation);
    let method = &explanation.method;
    let mut items = vec![
        Item::plain(0, label(method.label(), 40)),
        Item::plain(2, format!("rule {}", label(&method.rule, 40))),
        Item::plain(2, format!("reference {}", reference(explanation))),
        Item::plain(2, format!("model {}", label(&explanation.model.name, 60))),
    ];
    if method.references > 1 {
        items.insert(
            3,
            Item::plain(2, format!("(mean of {})", method.references)),
        );
    }
    if let Some(settings) = facts::settings(explanation) {
        items.insert(2, Item::plain(2, settings));
    }
    page.flow(name("method"), NAMES, items);
    completeness(page, explanation);
}

fn reference(explanation: &Explanation) -> String {
    label(&explanation.method.reference, 40)
}

fn answer(page: &mut Page, explanation: &Explanation) {
    let answer = &explanation.answer;
    let digits = Digits::of(answer.score.abs().max(answer.null_score.abs()), 5);
    let mut text = if answer.has_answer {
        prose(&answer.text, Style::BOLD)
    } else {
        vec![Item::new(0, "no answer", Style::BOLD)]
    };
    if answer.given {
        text.push(Item::plain(2, "(given, not the model's own choice)"));
    }
    page.flow(name("answer"), NAMES, text);
    let probability = format!("probability {:.3}", answer.probability);
    let mut items = vec![Item::plain(0, probability)];
    if answer.has_answer {
        let score = format!("score {}", digits.signed(answer.score));
        items.push(Item::plain(2, score));
    }
    let null = format!("null score {}", digits.signed(answer.null_score));
    items.push(Item::plain(2, null));
    let window = &explanation.window;
    if window.count > 1 {
        let index = window.index.saturating_add(1);
        let window = format!("window {index} of {}", window.count);
        items.push(Item::plain(2, window));
    }
    page.flow(name(""), NAMES, items);
    // What else there was to choose from, where the answer is not simply the best span.
    if let Some(best) = explanation.candidates.first()
        && (answer.given || !answer.has_answer)
    {
        let mut items = prose(&best.text, Style::PLAIN);
        let score = format!("score {}", digits.signed(best.score));
        let probability = format!("probability {:.3}", best.probability);
        items.extend([Item::plain(2, probability), Item::plain(2, score)]);
        page.flow(name("best span"), NAMES, items);
    }
}

fn target(page: &mut Page, explanation: &Explanation) {
    let target = &explanation.target;
    let digits = sum_digits(target);
    let mut items = vec![Item::new(0, kind(target.kind), Style::BOLD)];
    if let Some(versus) = &target.versus {
        let empty = versus.text.trim().is_empty();
        items.extend(if empty {
            prose("no answer", Style::BOLD)
        } else {
            prose(&versus.text, Style::BOLD)
        });
    }
    items.extend([
        Item::plain(2, format!("value {}", digits.signed(target.value))),
        Item::plain(
            2,
            format!("at the reference {}", digits.signed(target.reference_value)),
        ),
        Item::new(
            2,
            format!("Δt {}", digits.signed(target.delta)),
            Style::BOLD,
        ),
    ]);
    page.flow(name("target"), NAMES, items);
}

fn completeness(page: &mut Page, explanation: &Explanation) {
    let style = if facts::broken(explanation) {
        Style {
            bold: true,
            ..page.tint(1.0)
        }
    } else {
        Style::PLAIN
    };
    page.flow(name("sums"), NAMES, prose(&facts::sums(explanation), style));
}
