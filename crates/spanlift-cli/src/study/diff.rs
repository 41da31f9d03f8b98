//! `spanlift study diff`: two runs over the same questions.

use std::fmt::Write;
use std::path::Path;

use spanlift_study::diff::{Change, Diff};
use spanlift_study::{Study, Table};

use super::args::DiffArgs;
use super::{check_tables, grid, headline, read, read_run, shortened, write_tables};
use crate::output::{self, Outcome, count};

/// So many rows of what differs most are printed.
const MOST: usize = 10;

pub(crate) fn run(args: &DiffArgs) -> anyhow::Result<Outcome> {
    check_tables(&args.tables)?;
    let a = read_run(&args.run)?;
    let b = read(&args.other, None, |_| {})?;
    let diff = Diff::new(&a.profiles, &b.profiles)?;
    let left_out = diff.only_a + diff.only_b;
    if left_out > 0 {
        output::warn(&format!(
            "{} of the first run and {} of the second are not in the other, and left out",
            count(diff.only_a, "question"),
            diff.only_b
        ));
    }
    let bootstrap = args.run.drawing.bootstrap();
    let shares = diff.shares(bootstrap);
    let questions = diff.questions_table();
    if args.tables.format.is_some() {
        let others = [
            diff.spread(bootstrap),
            diff.scores_table(bootstrap),
            diff.answers_table(),
        ];
        let [spread, scores, answers] = &others;
        write_tables(
            &args.tables,
            &[&shares, spread, scores, answers, &questions],
        )?;
    }
    output::print(&text(
        [(&args.run.run, &a), (&args.other, &b)],
        &diff,
        &diff.scores(bootstrap),
        &shares,
        &questions,
    ))?;
    Ok(Outcome::Done)
}

fn text(
    runs: [(&Path, &Study); 2],
    diff: &Diff<'_>,
    scores: &[(&str, Change)],
    shares: &Table,
    questions: &Table,
) -> String {
    let [a, b] = runs.map(|(folder, study)| format!("`{}`: {}", folder.display(), headline(study)));
    let mut text = format!("a {a}b {b}\n");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} in common", count(diff.questions(), "question"));
    let per_cent = |n: usize| format!("{:.1} %", 100.0 * n as f64 / diff.questions() as f64);
    let answers = diff.answers().into_iter();
    let answers = answers.map(|(what, n)| vec![what.to_owned(), n.to_string(), per_cent(n)]);
    text.push_str(&grid(&[], answers));
    let heading = ["mean", "a", "b", "b − a [95 %]"].map(str::to_owned);
    let scores = scores.iter().map(|(name, change)| {
        let Change { a, b, difference } = change;
        vec![
            (*name).to_owned(),
            format!("{a:.3}"),
            format!("{b:.3}"),
            super::interval(*difference),
        ]
    });
    let _ = write!(text, "\n{}", grid(&heading, scores));
    let _ = write!(
        text,
        "\nshares of positive score that differ most, over all questions\n{}",
        most(shares)
    );
    let _ = write!(
        text,
        "\nquestions whose profiles differ most\n{}",
        furthest(questions)
    );
    text
}

/// The rows of all questions and positive score with the largest differences, whose intervals lie beside 0.
fn most(shares: &Table) -> String {
    let mut rows = shares.find(&[("grouping", "all"), ("measure", "positive")]);
    rows.retain(|&row| shares.number("low", row) * shares.number("high", row) > 0.0);
    let size = |row: &usize| -shares.number("difference", *row).abs();
    rows.sort_by(|x, y| size(x).total_cmp(&size(y)));
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let heading = ["at", "role", "a", "b", "b − a [95 %]"].map(str::to_owned);
    let rows = rows.into_iter().take(MOST).map(|row| {
        let of = |column: &str| format!("{:.3}", shares.number(column, row));
        let [difference, low, high] =
            ["difference", "low", "high"].map(|column| shares.number(column, row));
        vec![
            shares.text("at", row),
            shares.text("role", row),
            of("a"),
            of("b"),
            format!("{difference:+.3} [{low:+.3}, {high:+.3}]"),
        ]
    });
    grid(&heading, rows)
}

fn furthest(questions: &Table) -> String {
    let heading = ["id", "distance", "a", "b"].map(str::to_owned);
    let distance = |row: usize| questions.number("distance", row);
    if (0..questions.rows()).all(|row| distance(row).is_nan()) {
        return "none can be told: a model of fewer than 3 layers has no thirds to be compared\n"
            .to_owned();
    }
    let differing: Vec<usize> = (0..questions.rows())
        .filter(|&row| distance(row) > 0.0)
        .collect();
    if differing.is_empty() {
        return "none\n".to_owned();
    }
    let rows = differing.into_iter().take(MOST).map(|row| {
        vec![
            questions.text("id", row),
            format!("{:.3}", distance(row)),
            answer(&questions.text("answer_a", row)),
            answer(&questions.text("answer_b", row)),
        ]
    });
    grid(&heading, rows)
}

fn answer(text: &str) -> String {
    if text.is_empty() {
        return "no answer".to_owned();
    }
    shortened(text, 30)
}
