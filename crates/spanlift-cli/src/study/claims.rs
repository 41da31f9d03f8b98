//! `spanlift study claims`: what the paper says of the layers, tested.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use spanlift::attribute::Reference;
use spanlift_study::claims::{self, Claims};

use super::args::{ClaimsArgs, ControlArgs, RunArgs};
use super::{Study, check_tables, grid, headline, interval, read, read_run, write_tables};
use crate::output::{self, Outcome};

pub(crate) fn run(args: &ClaimsArgs) -> anyhow::Result<Outcome> {
    check_tables(&args.tables)?;
    let study = read_run(&args.run, |_| {})?;
    let found = test(&study, &args.run, &args.controls)?;
    write_tables(&args.tables, &[&found.table(), &found.verdict_table()])?;
    output::print(&format!("{}{}", headline(&study), text(&found)))?;
    Ok(Outcome::Done)
}

/// Reads the controls, and tests.
pub(super) fn test(study: &Study, run: &RunArgs, controls: &ControlArgs) -> anyhow::Result<Claims> {
    let control = |folder: Option<&Path>, option: &'static str| -> anyhow::Result<_> {
        let study = folder.map(|folder| read(folder, run.seed, |_| {}).context(option));
        Ok(study.transpose()?.map(|study| study.profiles))
    };
    let spans = control(controls.random_spans.as_deref(), "--random-spans")?;
    let weights = control(controls.random_weights.as_deref(), "--random-weights")?;
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
        run.bootstrap(),
    )?)
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
            row.extend(f.spans.map(interval));
            row.extend(f.weights.map(interval));
            row
        });
        text.push_str(&grid(&heading, rows));
    }
    text
}
