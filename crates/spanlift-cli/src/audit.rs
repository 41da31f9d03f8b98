//! `spanlift audit`: how exactly the scores of a data set's questions add up, and how far a precision moves them.

mod against;

use std::fmt::Write;

use anyhow::{Context, bail};

use spanlift::attribute::rules::Preset;
use spanlift::attribute::{KeepEdges, Reference};
use spanlift::ops::Real;
use spanlift::{Explainer, Item};
use spanlift_explanation::Explanation;
use spanlift_squad::Question;

use crate::args::{AuditArgs, PrecisionArg, reference};
use crate::model::Model;
use crate::output::{self, Outcome, count};
use against::{Apart, apart};

/// Questions that share one packed pass.
const BATCH: usize = 8;

pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<Outcome> {
    if args.against == Some(args.common.precision) {
        bail!("--against: expected another precision than --precision, got the same");
    }
    let references: Vec<Reference> = args
        .reference
        .iter()
        .map(|typed| reference(typed))
        .collect::<anyhow::Result<_>>()?;
    let dataset = spanlift_squad::read(&args.data)
        .with_context(|| format!("--data: `{}`", args.data.display()))?;
    let limit = args
        .limit
        .unwrap_or(usize::MAX)
        .min(dataset.questions.len());
    let questions = &dataset.questions[..limit];
    if questions.is_empty() {
        bail!(
            "--data: `{}`: expected questions, got none",
            args.data.display()
        );
    }
    args.common.answering.start_threads()?;
    match args.common.precision {
        PrecisionArg::F32 => audit::<f32, f64>(args, &references, questions),
        PrecisionArg::F64 => audit::<f64, f32>(args, &references, questions),
    }
}

/// In `T`; under `--against` in `U` as well.
fn audit<T: Real, U: Real>(
    args: &AuditArgs,
    references: &[Reference],
    questions: &[Question],
) -> anyhow::Result<Outcome> {
    let explainer: Explainer<T> = Model::find(&args.common.answering)?.load()?;
    let other: Option<Explainer<U>> = match args.against {
        Some(_) => Some(Model::find(&args.common.answering)?.load()?),
        None => None,
    };
    let mut outcome = Outcome::Done;
    let mut failed = 0;
    for reference in references {
        let found = audit_reference(args, &explainer, other.as_ref(), reference, questions);
        failed += found.failed;
        let worst = &found.worst;
        if worst.is_empty() {
            continue;
        }
        let mut text = report(args, T::NAME, T::BOUND, reference, worst);
        if other.is_some() {
            text += &report_apart(U::NAME, worst.len(), &found.apart);
        }
        output::print(&text)?;
        if rule(args).complete && worst.iter().any(|w| !w.holds) {
            output::warn(&format!(
                "scores do not add up under the reference `{}`",
                reference.name()
            ));
            outcome = Outcome::Negative;
        }
    }
    if failed > 0 {
        bail!(
            "{} could not be made; the reasons are above",
            count(failed, "explanation")
        );
    }
    Ok(outcome)
}

/// The worst cut of one question.
struct Worst {
    id: String,
    question: String,
    cut: String,
    relative: f64,
    delta: f64,
    holds: bool,
}

impl Worst {
    fn of(question: &Question, explanation: &Explanation) -> Self {
        let found = &explanation.completeness;
        Self {
            id: question.id.clone(),
            question: question.question.clone(),
            cut: found.cut.clone(),
            relative: found.worst,
            delta: explanation.target.delta,
            holds: found.holds,
        }
    }
}

/// What one reference showed.
#[derive(Default)]
struct Found {
    /// The worst cut of each question.
    worst: Vec<Worst>,
    /// Under `--against`, of each question that both precisions explain alike: one of each kind of map.
    apart: Vec<[Apart; 2]>,
    /// How many questions failed (said on standard error).
    failed: usize,
}

fn audit_reference<T: Real, U: Real>(
    args: &AuditArgs,
    explainer: &Explainer<T>,
    other: Option<&Explainer<U>>,
    reference: &Reference,
    questions: &[Question],
) -> Found {
    let mut options = args.common.options(reference.clone());
    options.edges = KeepEdges::None;
    let bar = output::progress(questions.len(), &reference.name());
    let mut found = Found::default();
    for batch in questions.chunks(BATCH) {
        let items: Vec<Item<'_>> = batch
            .iter()
            .map(|q| Item {
                question: &q.question,
                passage: &q.context,
            })
            .collect();
        let explained = explainer.explain_batch(&items, &options);
        let others = other.map(|other| other.explain_batch(&items, &options));
        let mut others = others.into_iter().flatten();
        for (question, explained) in batch.iter().zip(explained) {
            let other = others.next().transpose();
            match explained.and_then(|explained| Ok((explained, other?))) {
                Ok((explained, other)) => {
                    let explanation = &explained.explanation;
                    found.worst.push(Worst::of(question, explanation));
                    let apart =
                        other.and_then(|other| apart(question, explanation, &other.explanation));
                    found.apart.extend(apart);
                }
                Err(error) => {
                    found.failed += 1;
                    bar.suspend(|| output::warn(&format!("question `{}`: {error}", question.id)));
                }
            }
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    found
}

/// `3` is the cut at the input of layer 3; the others name themselves.
pub(crate) fn cut_name(cut: &str) -> String {
    if cut.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("layer {cut}")
    } else {
        format!("cut `{cut}`")
    }
}

fn rule(args: &AuditArgs) -> Preset {
    args.common.rule.preset()
}

fn report(
    args: &AuditArgs,
    precision: &str,
    bound: f64,
    reference: &Reference,
    worst: &[Worst],
) -> String {
    let Preset { name, complete, .. } = rule(args);
    let (quantiles, last) = quantiles(worst, |w| w.relative);
    let over = worst.iter().filter(|w| !w.holds).count();
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{} of {}, reference {}, rule {name}, {precision}\n  \
         |error| / max(1, Σ|score|), the worst of all cuts of each question;\n  \
         bound {bound:.0e}, {}\n  \
         {quantiles}\n  \
         worst: question {}, {}, Δt {:+.4}: {}\n",
        count(worst.len(), "question"),
        args.data.display(),
        reference.name(),
        match over {
            0 => "kept by all".to_owned(),
            _ if complete => format!("BROKEN BY {over}"),
            _ => format!("not promised by this rule, not kept by {over}"),
        },
        last.id,
        cut_name(&last.cut),
        last.delta,
        last.question.trim(),
    );
    text
}

/// How far the scores lie from those in `precision`, of `all` questions.
fn report_apart(precision: &str, all: usize, apart: &[[Apart; 2]]) -> String {
    let mut text = format!(
        "  against {precision}: |difference| / largest |score| of a map, the worst map of each question\n"
    );
    // Writing to a String cannot fail.
    if apart.len() < all {
        let otherwise = count(all - apart.len(), "question");
        let _ = writeln!(text, "  {otherwise} answered otherwise left out");
    }
    for (at, kind) in against::KINDS.iter().enumerate() {
        if !apart.is_empty() {
            let (quantiles, last) = quantiles(apart, |kinds| kinds[at].relative);
            let Apart { id, map, .. } = &last[at];
            let _ = write!(
                text,
                "  {kind}\n  {quantiles}\n  worst: question {id}, {map}\n"
            );
        }
    }
    text
}

/// The line of quantiles, and the last of all; there is at least one.
fn quantiles<X>(all: &[X], value: impl Fn(&X) -> f64) -> (String, &X) {
    let mut sorted: Vec<&X> = all.iter().collect();
    sorted.sort_by(|a, b| value(a).total_cmp(&value(b)));
    let at = |q: f64| sorted[((sorted.len() - 1) as f64 * q).round() as usize];
    let [median, most, nearly, last] = [0.5, 0.9, 0.99, 1.0].map(|q| value(at(q)));
    let line =
        format!("median {median:.1e}   90 % {most:.1e}   99 % {nearly:.1e}   worst {last:.1e}");
    (line, at(1.0))
}
