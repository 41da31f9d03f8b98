//! `spanlift audit`: how exactly the scores of a data set's questions add up.

use std::fmt::Write;

use anyhow::{Context, bail};

use spanlift::attribute::{KeepEdges, Reference};
use spanlift::ops::Real;
use spanlift::{Explainer, Item};
use spanlift_explanation::Explanation;
use spanlift_squad::Question;

use crate::args::{AuditArgs, PrecisionArg, reference};
use crate::model::Model;
use crate::output::{self, Outcome, count};

/// Questions that share one packed pass.
const BATCH: usize = 8;

pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<Outcome> {
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
        PrecisionArg::F32 => audit::<f32>(args, &references, questions),
        PrecisionArg::F64 => audit::<f64>(args, &references, questions),
    }
}

fn audit<T: Real>(
    args: &AuditArgs,
    references: &[Reference],
    questions: &[Question],
) -> anyhow::Result<Outcome> {
    let explainer: Explainer<T> = Model::find(&args.common.answering)?.load()?;
    let mut outcome = Outcome::Done;
    let mut failed = 0;
    for reference in references {
        let (worst, skipped) = audit_reference(args, &explainer, reference, questions);
        failed += skipped;
        if worst.is_empty() {
            continue;
        }
        output::print(&report(args, T::NAME, T::BOUND, reference, &worst))?;
        if worst.iter().any(|w| !w.holds) {
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

/// The worst cut of each question, and how many questions failed (said on standard error).
fn audit_reference<T: Real>(
    args: &AuditArgs,
    explainer: &Explainer<T>,
    reference: &Reference,
    questions: &[Question],
) -> (Vec<Worst>, usize) {
    let mut options = args.common.options(reference.clone());
    options.edges = KeepEdges::None;
    let bar = output::progress(questions.len(), reference.name());
    let (mut worst, mut failed) = (Vec::with_capacity(questions.len()), 0);
    for batch in questions.chunks(BATCH) {
        let items: Vec<Item<'_>> = batch
            .iter()
            .map(|q| Item {
                question: &q.question,
                passage: &q.context,
            })
            .collect();
        for (question, explained) in batch.iter().zip(explainer.explain_batch(&items, &options)) {
            match explained {
                Ok(explained) => worst.push(Worst::of(question, &explained.explanation)),
                Err(error) => {
                    failed += 1;
                    bar.suspend(|| output::warn(&format!("question `{}`: {error}", question.id)));
                }
            }
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    (worst, failed)
}

/// `3` is the cut at the input of layer 3; the others name themselves.
pub(crate) fn cut_name(cut: &str) -> String {
    if cut.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("layer {cut}")
    } else {
        format!("cut `{cut}`")
    }
}

fn report(
    args: &AuditArgs,
    precision: &str,
    bound: f64,
    reference: &Reference,
    worst: &[Worst],
) -> String {
    let mut sorted: Vec<&Worst> = worst.iter().collect();
    sorted.sort_by(|a, b| a.relative.total_cmp(&b.relative));
    let quantile = |q: f64| sorted[((sorted.len() - 1) as f64 * q).round() as usize];
    let rule = args.common.options(reference.clone()).preset.name;
    let last = quantile(1.0);
    let over = worst.iter().filter(|w| !w.holds).count();
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{} of {}, reference {}, rule {rule}, {precision}\n  \
         |error| / max(1, Σ|score|), the worst of all cuts of each question;\n  \
         bound {bound:.0e}, {}\n  \
         median {:.1e}   90 % {:.1e}   99 % {:.1e}   worst {:.1e}\n  \
         worst: question {}, {}, Δt {:+.4}: {}\n",
        count(worst.len(), "question"),
        args.data.display(),
        reference.name(),
        if over == 0 {
            "kept by all".to_owned()
        } else {
            format!("BROKEN BY {over}")
        },
        quantile(0.5).relative,
        quantile(0.9).relative,
        quantile(0.99).relative,
        last.relative,
        last.id,
        cut_name(&last.cut),
        last.delta,
        last.question.trim(),
    );
    text
}
