//! `spanlift study cluster`: kinds of questions, by what the model does with them.

use std::fmt::Write;

use anyhow::Context;
use spanlift_study::cluster::Options;
use spanlift_study::clusters::{Clustered, Represented, tables};
use spanlift_study::groups::groupings;
use spanlift_study::{Study, Table};

use super::args::{ClusterArgs, ClusteringArgs};
use super::{check_tables, grid, headline, read_run, shortened, write_tables};
use crate::output::{self, Outcome, count};

/// So many features and lifts of a cluster are printed.
const MOST: usize = 3;

pub(crate) fn run(args: &ClusterArgs) -> anyhow::Result<Outcome> {
    check_tables(&args.tables)?;
    let study = read_run(&args.run, |_| {})?;
    let represented = represent(&study, &args.clustering, args.run.seed);
    let represented = represented
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    let clustered = cluster(&represented, &args.clustering, args.run.seed)?;
    let facts: Vec<_> = study
        .profiles
        .iter()
        .map(|profile| &profile.facts)
        .collect();
    let tables = tables(
        &study.profiles,
        &groupings(&facts),
        &clustered,
        args.run.bootstrap(),
    );
    let questions = spanlift_study::questions(&study.profiles, columns(&study, &clustered));
    let mut all: Vec<&Table> = tables.iter().collect();
    all.push(&questions);
    write_tables(&args.tables, &all)?;
    output::print(&text(&study, &clustered, &tables))?;
    Ok(Outcome::Done)
}

/// The questions under each representation that was asked for.
pub(super) fn represent(
    study: &Study,
    args: &ClusteringArgs,
    seed: u64,
) -> Vec<anyhow::Result<Represented>> {
    let bar = output::spinner("representing");
    let of = |representation: super::args::RepresentationArg| {
        let representation = representation.representation();
        bar.set_message(representation.name());
        let found = representation.of(&study.profiles, seed);
        found.with_context(|| format!("--representation {}", representation.name()))
    };
    let all = args.representations().into_iter().map(of).collect();
    bar.finish_and_clear();
    all
}

/// Each representation clustered by each algorithm.
pub(super) fn cluster<'a>(
    represented: &'a [Represented],
    args: &ClusteringArgs,
    seed: u64,
) -> anyhow::Result<Vec<Clustered<'a>>> {
    let bar = output::spinner("clustering");
    let mut clustered = Vec::new();
    for of in represented {
        for algorithm in &args.algorithm {
            let options = Options {
                k: args.k,
                seed,
                ..Options::new(algorithm.algorithm())
            };
            bar.set_message(format!(
                "{}, {}",
                of.representation.name(),
                options.algorithm.name()
            ));
            let found = of.cluster(&options);
            clustered.push(found.with_context(|| {
                format!(
                    "{} of {}",
                    options.algorithm.name(),
                    of.representation.name()
                )
            })?);
        }
    }
    bar.finish_and_clear();
    Ok(clustered)
}

/// The columns of `questions` that say each one's cluster, by the first algorithm of each representation.
pub(super) fn columns(study: &Study, clustered: &[Clustered<'_>]) -> Vec<spanlift_study::Column> {
    let mut columns: Vec<spanlift_study::Column> = Vec::new();
    for of in clustered {
        let name = of.of.representation.column();
        if columns.iter().all(|column| column.name != name) {
            let clusters = of.of_questions(study.profiles.len());
            columns.push(spanlift_study::Column::integers(name, clusters));
        }
    }
    columns
}

fn text(study: &Study, clustered: &[Clustered<'_>], tables: &[Table]) -> String {
    let table = |name: &str| tables.iter().find(|table| table.name == name);
    let mut text = headline(study);
    let heading = [
        "representation",
        "algorithm",
        "k",
        "noise",
        "silhouette",
        "chance [95 %]",
        "stability",
        "verdict",
    ];
    let rows = clustered.iter().map(|c| {
        let found = &c.found;
        vec![
            c.of.representation.name().to_owned(),
            found.algorithm.name().to_owned(),
            found.k.to_string(),
            found
                .labels
                .iter()
                .filter(|label| label.is_none())
                .count()
                .to_string(),
            format!("{:.3}", found.silhouette),
            format!("{:.3} [{:.3}]", found.chance_mean, found.chance_high),
            format!("{:.2}", found.stability),
            found.verdict.name().to_owned(),
        ]
    });
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{}", grid(&heading.map(str::to_owned), rows));
    if let Some(learned) = clustered.iter().find_map(|c| c.of.learned.as_ref()) {
        let _ = write!(
            text,
            "\nautoencoder: error {:.2e} on {} held out (the mean map {:.2e}, principal components {:.2e})\n",
            learned.error,
            count(learned.held_out, "question"),
            learned.mean_error,
            learned.pca_error,
        );
    }
    for of in clustered {
        let (representation, algorithm) = (of.of.representation.name(), of.found.algorithm.name());
        let _ = write!(text, "\n{representation}, {algorithm}\n");
        for (i, cluster) in of.found.clusters.iter().enumerate() {
            let number = (i + 1).to_string();
            let wanted = [
                ("representation", representation),
                ("algorithm", algorithm),
                ("cluster", &number),
            ];
            let rows = |name: &str| table(name).map(|table| (table, table.find(&wanted)));
            let _ = write!(
                text,
                "cluster {number}: {}, silhouette {:.3}, stability {:.2}, {}",
                count(cluster.size, "question"),
                cluster.silhouette,
                cluster.stability,
                cluster.verdict.name(),
            );
            if let Some((clusters, rows)) = rows("clusters")
                && let Some(&row) = rows.first()
            {
                let of = |name: &str| 100.0 * clusters.number(name, row);
                let _ = write!(
                    text,
                    "; exact {:.0} %, answered {:.0} %, answerable {:.0} %",
                    of("exact"),
                    of("answered"),
                    of("answerable")
                );
            }
            text.push('\n');
            let apart = of.effects(i).take(MOST).map(|effect| {
                let name = &of.of.features.names()[effect.column];
                let side = if effect.d < 0.0 { "low" } else { "high" };
                format!("{name} {side} (d {:+.1})", effect.d)
            });
            let _ = writeln!(text, "  apart by  {}", apart.collect::<Vec<_>>().join(", "));
            if let Some((lifts, rows)) = rows("lifts") {
                let mut sure: Vec<usize> = rows
                    .into_iter()
                    .filter(|&row| lifts.number("low", row) > 1.0)
                    .collect();
                sure.sort_by(|&a, &b| lifts.number("lift", b).total_cmp(&lifts.number("lift", a)));
                let named = sure.iter().take(MOST).map(|&row| {
                    format!(
                        "{} {} × {:.1}",
                        lifts.text("grouping", row),
                        lifts.text("group", row),
                        lifts.number("lift", row)
                    )
                });
                let named: Vec<String> = named.collect();
                if !named.is_empty() {
                    let _ = writeln!(text, "  more of   {}", named.join(", "));
                }
            }
            for &row in &cluster.medoids {
                let facts = &study.profiles[of.of.questions[row]].facts;
                let _ = writeln!(text, "  {}  {}", facts.id, shortened(&facts.question, 90));
            }
        }
    }
    text
}
