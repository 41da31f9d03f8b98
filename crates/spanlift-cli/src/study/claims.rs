//! `spanlift study claims`: what the paper says of the layers, tested.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use spanlift::attribute::Reference;
use spanlift_store::Plan;
use spanlift_study::bootstrap::Estimate;
use spanlift_study::claims::{self, Claims};

use super::args::{ClaimsArgs, ControlArgs, RunArgs};
use super::{Study, check_tables, grid, headline, interval, read, read_run, write_tables};
use crate::output::{self, Outcome};

pub(crate) fn run(args: &ClaimsArgs) -> anyhow::Result<Outcome> {
    check_tables(&args.tables)?;
    let study = read_run(&args.run)?;
    let found = test(&study, &args.run, &args.controls)?;
    write_tables(&args.tables, &[&found.table(), &found.verdict_table()])?;
    output::print(&format!("{}{}", headline(&study), text(&found)))?;
    Ok(Outcome::Done)
}

/// Reads the controls, and tests.
pub(super) fn test(study: &Study, run: &RunArgs, controls: &ControlArgs) -> anyhow::Result<Claims> {
    let control = |folder: Option<&Path>, option, is: fn(&Plan) -> Result<(), String>| {
        let read = |folder: &Path| -> anyhow::Result<_> {
            let control = read(folder, None, |_| {})?;
            comparable(&study.plan, &control.plan)
                .and_then(|()| is(&control.plan))
                .map_err(|reason| anyhow!("`{}`: {reason}", folder.display()))?;
            Ok(control.profiles)
        };
        folder
            .map(|folder| read(folder).context(option))
            .transpose()
    };
    let spans = control(controls.random_spans.as_deref(), "--random-spans", |plan| {
        let of = plan.method.answers.as_str();
        if of.starts_with("random") {
            return Ok(());
        }
        Err(format!(
            "expected a run of `attribute --answers random`, got one of `--answers {of}`"
        ))
    })?;
    let weights = control(
        controls.random_weights.as_deref(),
        "--random-weights",
        |plan| match plan.model.randomised.as_deref() {
            Some(of) if of.starts_with("all") => Ok(()),
            of => Err(format!(
                "expected a run of `attribute --randomise all`, got {}",
                of.map_or(
                    "one with no weights re-initialised".to_owned(),
                    |of| format!("one of `--randomise {of}`")
                )
            )),
        },
    )?;
    let reference = study.plan.method.info.reference.as_str();
    // Of several, or of ids that were given, one may replace the separators.
    if Reference::named(reference).is_some_and(|one| one.count() == 1 && one != Reference::Zero) {
        output::note(&format!(
            "with the reference {reference}, [CLS] and the separators are what they are in the input: their score at the input of layer 1 \
             is 0 by construction, which counts against claim a; a run with --reference zero has no such hole"
        ));
    }
    Ok(claims::claims(
        &study.profiles,
        spans.as_deref(),
        weights.as_deref(),
        run.drawing.bootstrap(),
    )?)
}

/// A control differs from the run in what it is a control of, and in nothing else that is explained.
fn comparable(run: &Plan, control: &Plan) -> Result<(), String> {
    let (ours, theirs) = (&run.method.info, &control.method.info);
    for (what, ours, theirs) in [
        ("method", &ours.name, &theirs.name),
        ("rules", &ours.rule, &theirs.rule),
        ("reference", &ours.reference, &theirs.reference),
        ("model", &run.model.sha256, &control.model.sha256),
    ] {
        if ours != theirs {
            return Err(format!(
                "{what}: expected {ours} as in the run, got {theirs}"
            ));
        }
    }
    Ok(())
}

pub(super) fn text(found: &Claims) -> String {
    let mut text = String::new();
    for verdict in &found.verdicts {
        let (claim, ruling) = (verdict.claim, verdict.ruling.name());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n({claim}) {}: {}\n{}\n",
            verdict.statement,
            ruling.to_uppercase(),
            verdict.why
        );
        let of_claim = || found.findings.iter().filter(move |f| f.claim == claim);
        let mut heading: Vec<String> = ["", "score", "n", "mean [95 %]", "> 0"]
            .map(str::to_owned)
            .to_vec();
        let with_spans = of_claim().any(|f| f.spans.is_some());
        let with_weights = of_claim().any(|f| f.weights.is_some());
        heading.extend(with_spans.then(|| "less random spans".to_owned()));
        heading.extend(with_weights.then(|| "less random weights".to_owned()));
        let rows = of_claim().map(|f| {
            let mut row = vec![
                f.statistic.to_owned(),
                f.measure.name().to_owned(),
                f.mean.questions.to_string(),
                interval(f.mean),
                f.outcome().name().to_owned(),
            ];
            // A control may speak of fewer questions.
            let with_n = |less: Estimate| match less.questions {
                n if n == f.mean.questions => interval(less),
                n => format!("{} (n = {n})", interval(less)),
            };
            row.extend(f.spans.map(with_n));
            row.extend(f.weights.map(with_n));
            row
        });
        text.push_str(&grid(&heading, rows));
    }
    text
}
