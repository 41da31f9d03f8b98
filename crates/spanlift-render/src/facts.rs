//! What every view says about an explanation beside its scores, in the same words.

use spanlift_explanation::{Explanation, Target, TargetKind};

use crate::number::{Digits, error};
use crate::text::label;

/// The name of a kind of target.
pub(crate) fn kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Span => "span",
        TargetKind::Start => "start",
        TargetKind::End => "end",
        TargetKind::Margin => "margin",
        TargetKind::Versus => "versus",
    }
}

/// The answer, or that there is none.
pub(crate) fn answer(explanation: &Explanation) -> &str {
    if explanation.answer.has_answer {
        &explanation.answer.text
    } else {
        "no answer"
    }
}

/// How sure the model is of the answer: its probability, its score and the null score.
pub(crate) fn scores(explanation: &Explanation) -> String {
    let answer = &explanation.answer;
    let digits = Digits::of(answer.score.abs().max(answer.null_score.abs()), 5);
    let mut text = format!("probability {:.3}", answer.probability);
    if answer.has_answer {
        text.push_str(&format!(", score {}", digits.signed(answer.score)));
    }
    text.push_str(&format!(
        ", null score {}",
        digits.signed(answer.null_score)
    ));
    if answer.given {
        text.push_str(" (given, not the model's own choice)");
    }
    text
}

/// The best span with its own probability and score, where the answer is not simply that.
pub(crate) fn best_span(explanation: &Explanation) -> Option<String> {
    let answer = &explanation.answer;
    let best = explanation.candidates.first();
    let best = best.filter(|_| answer.given || !answer.has_answer)?;
    let digits = Digits::of(best.score.abs().max(answer.null_score.abs()), 5);
    Some(format!(
        "{}, probability {:.3}, score {}",
        label(&best.text, 60),
        best.probability,
        digits.signed(best.score)
    ))
}

/// What the scores share out: the target with its two values.
pub(crate) fn target(explanation: &Explanation) -> String {
    let target = &explanation.target;
    let digits = sum_digits(target);
    let versus = match &target.versus {
        None => String::new(),
        Some(versus) if versus.text.trim().is_empty() => " no answer".to_owned(),
        Some(versus) => format!(" {}", label(&versus.text, 60)),
    };
    format!(
        "target {}{versus}: {}, at the reference {}",
        kind(target.kind),
        digits.signed(target.value),
        digits.signed(target.reference_value)
    )
}

/// Δt.
pub(crate) fn delta(explanation: &Explanation) -> String {
    let target = &explanation.target;
    format!("Δt {}", sum_digits(target).signed(target.delta))
}

/// How the scores were made, and of which model.
pub(crate) fn method(explanation: &Explanation) -> String {
    let method = &explanation.method;
    let mean = match method.references {
        0 | 1 => String::new(),
        n => format!(" (mean of {n})"),
    };
    let settings = settings(explanation).map_or_else(String::new, |text| format!(", {text}"));
    format!(
        "{}, rule {}{settings}, reference {}{mean}, model {}",
        label(method.label(), 40),
        label(&method.rule, 40),
        label(&method.reference, 40),
        label(&explanation.model.name, 60)
    )
}

/// What else was chosen of the method: `points 50`.
pub(crate) fn settings(explanation: &Explanation) -> Option<String> {
    let settings = explanation.method.settings.iter();
    let each: Vec<String> = settings
        .map(|(name, value)| format!("{} {}", label(name, 40), label(value, 40)))
        .collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// Whether sums are broken that the method promises.
pub(crate) fn broken(explanation: &Explanation) -> bool {
    explanation.method.complete && !explanation.completeness.holds
}

/// What a positive and a negative score mean.
pub(crate) fn meaning(explanation: &Explanation) -> [&'static str; 2] {
    match explanation.method.name.as_str() {
        "attention" | "rollout" => ["is looked at", "does not occur"],
        "random" => ["means nothing", "neither"],
        _ => ["raises the target", "lowers it"],
    }
}

/// Whether the sums of every cut hold, as what follows the word `sums`.
pub(crate) fn sums(explanation: &Explanation) -> String {
    let completeness = &explanation.completeness;
    let (worst, bound) = (error(completeness.worst), error(completeness.bound));
    let cut = cut_name(&completeness.cut);
    let method = &explanation.method;
    if completeness.holds {
        format!("hold: |error| / max(1, Σ|score|) ≤ {worst} (bound {bound}), at {cut}")
    } else if !method.complete {
        let rule = match method.name.as_str() {
            "deeplift" => format!("'s rule {}", label(&method.rule, 40)),
            _ => String::new(),
        };
        format!(
            "not promised by {}{rule}: |error| / max(1, Σ|score|) ≤ {worst}, at {cut}; nothing is rescaled",
            label(method.label(), 40)
        )
    } else {
        format!(
            "WARNING: they do not hold. Worst error {worst}, bound {bound}, at {cut}. \
             These scores do not add up to Δt: do not rely on them."
        )
    }
}

/// How the sums of the cuts are written: as Δt, which they all should be.
pub(crate) fn sum_digits(target: &Target) -> Digits {
    Digits::of(target.delta, 5)
}

/// A cut as the reader knows it: `3` is `layer 3`, `heads 3` the heads of layer 3.
pub(crate) fn cut_name(cut: &str) -> String {
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
            "heads x�",
        ];
        assert_eq!(names, expected);
    }
}
