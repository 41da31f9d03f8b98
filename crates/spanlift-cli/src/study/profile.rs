//! `spanlift study profile`: the mean share of each role, layer by layer.

use std::fmt::Write;

use spanlift_study::bootstrap::Bootstrap;
use spanlift_study::groups::{self, Grouping};
use spanlift_study::profile::{Measure, Profile, cut_names};
use spanlift_study::roles::Role;
use spanlift_study::{Study, Table};

use super::args::{MeasureArg, ProfileArgs};
use super::{check_tables, grid, grouping, headline, read_run, write_tables};
use crate::output::{self, Outcome, count};

pub(crate) fn run(args: &ProfileArgs) -> anyhow::Result<Outcome> {
    check_tables(&args.tables)?;
    let study = read_run(&args.run, |_| {})?;
    let facts: Vec<_> = study
        .profiles
        .iter()
        .map(|profile| &profile.facts)
        .collect();
    let all = groups::groupings(&facts);
    let chosen = grouping(&all, &args.by)?;
    let mut text = headline(&study);
    for (group, questions) in &chosen.groups {
        text.push_str(&group_text(
            &study,
            args.measure.measure(),
            chosen,
            group,
            questions,
        ));
    }
    if args.tables.format.is_some() {
        let mut tables = tables(&study, &all, args.run.bootstrap());
        tables.push(spanlift_study::questions(&study.profiles, Vec::new()));
        write_tables(&args.tables, &tables.iter().collect::<Vec<_>>())?;
    }
    output::print(&text)?;
    Ok(Outcome::Done)
}

/// Everything that is known by group.
pub(super) fn tables(study: &Study, all: &[Grouping], bootstrap: Bootstrap) -> Vec<Table> {
    let profiles = &study.profiles;
    vec![
        groups::shares(profiles, all, bootstrap),
        groups::spread(profiles, all, bootstrap),
        groups::shift(profiles, all, bootstrap),
        groups::leads(profiles, all, bootstrap),
        groups::heads(profiles, all, bootstrap),
    ]
}

fn group_text(
    study: &Study,
    measure: Measure,
    by: &Grouping,
    group: &str,
    questions: &[usize],
) -> String {
    let profiles: Vec<&Profile> = questions.iter().map(|&i| &study.profiles[i]).collect();
    let layers = study.plan.model.info.layers;
    let mut text = String::new();
    if by.name != "all" {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{}: {group}, {}\n",
            by.name,
            count(profiles.len(), "question")
        );
    }
    let _ = write!(
        text,
        "\nshare of {} score, per cent, at the input of each layer\n",
        measure.name()
    );
    let mut heading = vec![String::new(), "tokens".to_owned()];
    heading.extend(cut_names(layers));
    let mut rows: Vec<Vec<String>> =
        Role::ALL
            .iter()
            .map(|role| {
                let mut row = vec![
                    role.name().to_owned(),
                    per_cent(
                        profiles
                            .iter()
                            .map(|p| Some(f64::from(p.tokens[role.index()]))),
                    ),
                ];
                row.extend((0..=layers).map(|cut| {
                    per_cent(profiles.iter().map(|p| p.cuts[cut].share(measure, *role)))
                }));
                row
            })
            .collect();
    let number = |value: Option<f64>, digits: usize| {
        value.map_or("–".to_owned(), |v| format!("{v:.digits$}"))
    };
    let mut spread = vec!["effective tokens".to_owned(), String::new()];
    spread.extend((0..=layers).map(|cut| {
        number(
            mean(
                profiles
                    .iter()
                    .map(|p| p.cuts[cut].spread[measure.index()].map(f64::from)),
            ),
            1,
        )
    }));
    let mut shift = vec!["shift to the next".to_owned(), String::new()];
    shift.extend((0..layers).map(|cut| {
        number(
            mean(profiles.iter().map(|p| p.shift[cut].map(f64::from))),
            2,
        )
    }));
    let mut leads = vec!["answer leads first".to_owned(), String::new()];
    let answered = || profiles.iter().filter(|p| p.facts.answered);
    leads.extend(
        (0..=layers)
            .map(|cut| per_cent(answered().map(|p| Some(f64::from(p.leads() == Some(cut)))))),
    );
    rows.extend([spread, shift, leads]);
    text.push_str(&grid(&heading, rows));
    text
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values
        .flatten()
        .fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

fn per_cent(values: impl Iterator<Item = Option<f64>>) -> String {
    mean(values).map_or("–".to_owned(), |mean| format!("{:.1}", 100.0 * mean))
}

impl MeasureArg {
    fn measure(self) -> Measure {
        match self {
            Self::Positive => Measure::Positive,
            Self::Negative => Measure::Negative,
            Self::Absolute => Measure::Absolute,
        }
    }
}
