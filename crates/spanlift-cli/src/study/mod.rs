//! `spanlift study`: a run looked at as a whole. A subcommand is a file.

pub(crate) mod args;
mod claims;
mod cluster;
mod diff;
mod profile;
mod report;
mod training;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

use spanlift_store::{Record, Run};
use spanlift_study::bootstrap::{Estimate, LEAST};
use spanlift_study::shuffles::Shuffles;
use spanlift_study::{Format, Study, Table};

use crate::output::{self, Outcome, count};
use args::{RunArgs, StudyArgs, StudyCommand, TableArgs};

pub(crate) fn run(args: &StudyArgs) -> anyhow::Result<Outcome> {
    match &args.command {
        StudyCommand::Profile(args) => profile::run(args),
        StudyCommand::Claims(args) => claims::run(args),
        StudyCommand::Cluster(args) => cluster::run(args),
        StudyCommand::Diff(args) => diff::run(args),
        StudyCommand::Report(args) => report::run(args),
        StudyCommand::Training(args) => training::run(args),
    }
}

/// Reads a run, and says what is odd about it.
fn read(
    folder: &Path,
    shuffles: Option<&mut Shuffles>,
    look: impl FnMut(&Record),
) -> anyhow::Result<Study> {
    let name = folder.display();
    let run = Run::open(folder).with_context(|| format!("`{name}` is no run"))?;
    let bar = output::progress(run.plan_of().data.questions, "reading");
    let mut look = look;
    let study = Study::read(&run, shuffles, |record| {
        bar.inc(1);
        look(record);
    });
    bar.finish_and_clear();
    let study = study.with_context(|| format!("`{name}`"))?;
    if study.missing > 0 {
        output::warn(&format!(
            "`{name}` is not finished: {} of {} are missing, and what follows is of the rest",
            study.missing,
            count(study.plan.chunks, "chunk")
        ));
    }
    if study.broken > 0 {
        output::warn(&format!(
            "the scores of {} of {} in `{name}` do not add up",
            study.broken,
            count(study.profiles.len(), "explanation")
        ));
    }
    Ok(study)
}

/// Reads the run that is studied.
fn read_run(args: &RunArgs) -> anyhow::Result<Study> {
    crate::args::start_threads(args.drawing.threads)?;
    let study = read(&args.run, None, |_| {})?;
    warn_of_few(&study);
    Ok(study)
}

/// Reads the run whose questions are clustered.
fn read_shuffled(args: &RunArgs, look: impl FnMut(&Record)) -> anyhow::Result<(Study, Shuffles)> {
    crate::args::start_threads(args.drawing.threads)?;
    let mut shuffles = Shuffles::new(args.drawing.seed);
    let study = read(&args.run, Some(&mut shuffles), look)?;
    warn_of_few(&study);
    Ok((study, shuffles))
}

fn warn_of_few(study: &Study) {
    let passages: HashSet<usize> = study.profiles.iter().map(|p| p.passage).collect();
    if passages.len() < LEAST {
        output::warn(&format!(
            "the questions are about {}: fewer than {LEAST} give no interval, and no claim can be tested",
            count(passages.len(), "passage")
        ));
    }
}

/// What was studied, in a line.
fn headline(study: &Study) -> String {
    let plan = &study.plan;
    let method = &plan.method.info;
    let answers = match plan.method.answers.as_str() {
        "own" => String::new(),
        // What a run is told by is no name of it.
        of if of.starts_with("run:") => ", the answers of another run".to_owned(),
        of => format!(", answers {of}"),
    };
    format!(
        "{} of {}; {}; {} {}, reference {}{answers}\n",
        count(study.profiles.len(), "question"),
        plan.data.name,
        plan.model.info.name,
        method.label(),
        method.rule,
        method.reference,
    )
}

/// A grid of texts: the first column to the left, numbers to the right.
pub(crate) fn grid(heading: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut grid = Grid::new();
    grid.load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(heading.to_vec());
    for row in rows {
        grid.add_row(row);
    }
    for column in grid.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines = grid.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

/// Where tables go, checked before the work is done.
fn check_tables(args: &TableArgs) -> anyhow::Result<()> {
    match &args.output {
        Some(folder) => output::check_folder("--output", folder),
        None => Ok(()),
    }
}

/// Writes all of them or none, where asked to.
fn write_tables(args: &TableArgs, tables: &[&Table]) -> anyhow::Result<()> {
    match args.format.zip(args.output.as_ref()) {
        Some((format, folder)) => write_all(format.format(), folder, tables),
        None => Ok(()),
    }
}

/// Writes all of them or none.
pub(crate) fn write_all(format: Format, folder: &Path, tables: &[&Table]) -> anyhow::Result<()> {
    let name = |table: &&Table| folder.join(format!("{}.{}", table.name, format.name()));
    let files: Vec<(PathBuf, Vec<u8>)> = tables
        .iter()
        .map(|table| Ok((name(table), table.write(format)?)))
        .collect::<anyhow::Result<_>>()?;
    output::write_each("--output", &files)
}

/// The groups of a grouping.
fn grouping<'a>(
    groupings: &'a [spanlift_study::groups::Grouping],
    name: &str,
) -> anyhow::Result<&'a spanlift_study::groups::Grouping> {
    let found = groupings.iter().find(|grouping| grouping.name == name);
    let names: Vec<&str> = groupings.iter().map(|grouping| grouping.name).collect();
    ensure!(
        found.is_some() || name != "article",
        "--by: no article has {} questions; take one of {}",
        spanlift_study::groups::ARTICLE,
        names.join(", ")
    );
    ensure!(
        found.is_some(),
        "--by: expected one of {}, got `{name}`",
        names.join(", ")
    );
    found.context("--by")
}

/// `+0.123 [+0.100, +0.150]`, or the mean alone where it has no interval.
fn interval(estimate: Estimate) -> String {
    if estimate.questions == 0 {
        return "–".to_owned();
    }
    let Estimate {
        mean, low, high, ..
    } = estimate;
    if !estimate.is_sure() {
        return format!("{mean:+.3}");
    }
    format!("{mean:+.3} [{low:+.3}, {high:+.3}]")
}

/// A text in a line of at most so many letters.
fn shortened(text: &str, letters: usize) -> String {
    let text: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().count() <= letters {
        return text;
    }
    text.chars().take(letters - 1).chain(['…']).collect()
}

/// So many digits behind the point; a dash for what is none.
fn number(value: f64, digits: usize) -> String {
    if value.is_finite() {
        format!("{value:.digits$}")
    } else {
        "–".to_owned()
    }
}

/// A share in per cent.
fn per_cent(value: f64) -> String {
    number(100.0 * value, 1)
}
