//! `spanlift study profile`: the mean share of each role, layer by layer.

use std::fmt::Write;

use spanlift_study::bootstrap::Bootstrap;
use spanlift_study::groups::{self, Grouping};
use spanlift_study::profile::{Measure, cut_names};
use spanlift_study::roles::Role;
use spanlift_study::{Study, Table};

use super::args::{MeasureArg, ProfileArgs};
use super::{check_tables, grid, grouping, headline, number, per_cent, read_run, write_tables};
use crate::output::{self, Outcome, count};

pub(crate) fn run(args: &ProfileArgs) -> anyhow::Result<Outcome> {
    check_tables(&args.tables)?;
    let study = read_run(&args.run)?;
    let facts: Vec<_> = study
        .profiles
        .iter()
        .map(|profile| &profile.facts)
        .collect();
    let all = groups::groupings(&facts);
    let chosen = grouping(&all, &args.by)?;
    let mut text = headline(&study);
    let means = Means::of(&study, chosen, args.run.drawing.bootstrap());
    for (group, questions) in &chosen.groups {
        if chosen.name != "all" {
            // Writing to a String cannot fail.
            let count = count(questions.len(), "question");
            let _ = write!(text, "\n{}: {group}, {count}\n", chosen.name);
        }
        text.push_str(&means.text(group, args.measure.measure()));
    }
    if args.tables.format.is_some() {
        let mut tables = tables(&study, &all, args.run.drawing.bootstrap());
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

/// The tables of one grouping, and what their rows are printed by.
struct Means {
    layers: usize,
    shares: Table,
    spread: Table,
    shift: Table,
    leads: Table,
}

impl Means {
    fn of(study: &Study, by: &Grouping, bootstrap: Bootstrap) -> Self {
        let (profiles, by) = (&study.profiles, std::slice::from_ref(by));
        Self {
            layers: study.plan.model.info.layers,
            shares: groups::shares(profiles, by, bootstrap),
            spread: groups::spread(profiles, by, bootstrap),
            shift: groups::shift(profiles, by, bootstrap),
            leads: groups::leads(profiles, by, bootstrap),
        }
    }

    /// A grid of DeepLIFT's means and one of raw attention's.
    fn text(&self, group: &str, measure: Measure) -> String {
        let source = |source: &str, measure: Measure, heading: &str| {
            let cuts: Vec<String> = cut_names(self.layers).collect();
            let mut names = vec![String::new(), "tokens".to_owned()];
            names.extend(cuts.iter().cloned());
            let mut widest: Option<(f64, String)> = None;
            let mut rows: Vec<Vec<String>> = Vec::new();
            for role in Role::ALL {
                let of = |source: &str, measure: Measure, cut: &str| {
                    let (measure, role) = (measure.name(), role.name());
                    let wanted = [
                        ("group", group),
                        ("source", source),
                        ("measure", measure),
                        ("cut", cut),
                        ("role", role),
                    ];
                    self.shares.find(&wanted).first().copied()
                };
                let mean = |row: Option<usize>| {
                    row.map_or(f64::NAN, |row| self.shares.number("mean", row))
                };
                let mut row = vec![
                    role.name().to_owned(),
                    per_cent(mean(of("tokens", Measure::Absolute, "tokens"))),
                ];
                for cut in &cuts {
                    let at = of(source, measure, cut);
                    row.push(per_cent(mean(at)));
                    let ends = at.map(|at| ["low", "high"].map(|end| self.shares.number(end, at)));
                    let half = ends.map_or(f64::NAN, |[low, high]| (high - low) / 2.0);
                    if half > widest.as_ref().map_or(0.0, |widest| widest.0) {
                        widest = Some((half, format!("{} at {cut}", role.name())));
                    }
                }
                rows.push(row);
            }
            let along = |table: &Table, column: &str| -> Vec<f64> {
                let found = |cut: &String| {
                    let wanted = [("group", group), ("source", source), (column, cut.as_str())];
                    let row = table.find(&wanted).first().copied();
                    row.map_or(f64::NAN, |row| table.number("mean", row))
                };
                cuts.iter().map(found).collect()
            };
            let mut line = |name: &str, numbers: Vec<f64>, text: &dyn Fn(f64) -> String| {
                let mut row = vec![name.to_owned(), String::new()];
                row.extend(numbers.into_iter().map(text));
                rows.push(row);
            };
            line("effective tokens", along(&self.spread, "cut"), &|x| {
                number(x, 1)
            });
            line("shift to the next", along(&self.shift, "from"), &|x| {
                number(x, 2)
            });
            line("answer leads first", along(&self.leads, "cut"), &per_cent);
            let mut text = format!("\n{heading}\n{}", grid(&names, rows));
            if let Some((half, place)) = widest {
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "the widest interval of 95 %: ± {:.1} ({place})",
                    100.0 * half
                );
            }
            text
        };
        let heading = format!(
            "share of {} score, per cent, at the input of each layer",
            measure.name()
        );
        let mut text = source("deeplift", measure, &heading);
        text.push_str(&source(
            "attention",
            Measure::Absolute,
            "share of raw attention received, per cent, in each layer",
        ));
        text
    }
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
