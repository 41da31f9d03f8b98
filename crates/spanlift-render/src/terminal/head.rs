//! The head of the text: question, answer, target, and whether the sums hold.

use spanlift_explanation::{Explanation, Target, TargetKind};

use super::number::{Digits, error};
use super::page::{Item, Page, Span, Style, prose};
use crate::text::label;

/// Columns of the names on the left.
pub(crate) const NAMES: usize = 11;

fn name(text: &str) -> Span {
    Span::new(text, Style::PLAIN)
}

/// Question, answer, scores, target, method and the check.
pub(crate) fn head(page: &mut Page, explanation: &Explanation) {
    page.flow(
        name("question"),
        NAMES,
        prose(&explanation.question, Style::PLAIN),
    );
    answer(page, explanation);
    target(page, explanation);
    let method = &explanation.method;
    let mut items = vec![
        Item::plain(0, label(&method.name, 40)),
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
    page.flow(name("method"), NAMES, items);
    completeness(page, explanation);
}

fn reference(explanation: &Explanation) -> String {
    label(&explanation.method.reference, 40)
}

fn answer(page: &mut Page, explanation: &Explanation) {
    let answer = &explanation.answer;
    if answer.has_answer {
        page.flow(name("answer"), NAMES, prose(&answer.text, Style::BOLD));
    } else {
        page.flow(
            name("answer"),
            NAMES,
            vec![Item::new(0, "no answer", Style::BOLD)],
        );
        if let Some(best) = explanation.candidates.first() {
            page.flow(name("best span"), NAMES, prose(&best.text, Style::PLAIN));
        }
    }
    let digits = Digits::of(answer.score.abs().max(answer.null_score.abs()), 5);
    let mut items = vec![
        Item::plain(0, format!("probability {:.3}", answer.probability)),
        Item::plain(2, format!("score {}", digits.signed(answer.score))),
        Item::plain(
            2,
            format!("null score {}", digits.signed(answer.null_score)),
        ),
    ];
    let window = &explanation.window;
    if window.count > 1 {
        items.push(Item::plain(
            2,
            format!(
                "window {} of {}",
                window.index.saturating_add(1),
                window.count
            ),
        ));
    }
    page.flow(name(""), NAMES, items);
}

fn target(page: &mut Page, explanation: &Explanation) {
    let target = &explanation.target;
    let digits = sum_digits(target);
    let kind = match target.kind {
        TargetKind::Span => "span",
        TargetKind::Start => "start",
        TargetKind::End => "end",
        TargetKind::Margin => "margin",
        TargetKind::Versus => "versus",
    };
    let mut items = vec![Item::new(0, kind, Style::BOLD)];
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

/// How the sums of the cuts are written: as Δt, which they all should be.
pub(crate) fn sum_digits(target: &Target) -> Digits {
    Digits::of(target.delta, 5)
}

fn completeness(page: &mut Page, explanation: &Explanation) {
    let completeness = &explanation.completeness;
    let (worst, bound) = (error(completeness.worst), error(completeness.bound));
    let cut = cut_name(&completeness.cut);
    if completeness.holds {
        let text = format!("hold at every cut: worst error {worst} of bound {bound}, at {cut}");
        page.flow(name("sums"), NAMES, prose(&text, Style::PLAIN));
    } else {
        let text = format!(
            "WARNING: they do not hold. Worst error {worst}, bound {bound}, at {cut}. \
             These scores do not add up to Δt: do not rely on them."
        );
        let style = Style {
            bold: true,
            ..page.tint(1.0)
        };
        page.flow(name("sums"), NAMES, prose(&text, style));
    }
}

/// A cut as the reader knows it: `3` is `layer 3`, `heads 3` the heads of layer 3.
fn cut_name(cut: &str) -> String {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match cut.split_once(' ') {
        None if number(cut) => format!("layer {cut}"),
        Some(("heads", layer)) if number(layer) => format!("the heads of layer {layer}"),
        Some(("mlp", layer)) if number(layer) => format!("the MLP of layer {layer}"),
        _ => label(cut, 40),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_named_for_the_reader() {
        let names = ["words", "3", "output", "heads 3", "mlp 12", "heads x\u{1b}"].map(cut_name);
        let expected = [
            "words",
            "layer 3",
            "output",
            "the heads of layer 3",
            "the MLP of layer 12",
            "heads x␛",
        ];
        assert_eq!(names, expected);
    }
}
