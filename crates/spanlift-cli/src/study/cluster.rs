//! `spanlift study cluster`: kinds of questions, by what the model does with them.

use std::fmt::Write;

use anyhow::bail;
use spanlift_study::cluster::{Algorithm, Options};
use spanlift_study::clusters::{Clustered, Represented, tables};
use spanlift_study::groups::groupings;
use spanlift_study::shuffles::Shuffles;
use spanlift_study::{Study, StudyError, Table};

use super::args::{ClusterArgs, ClusteringArgs};
use super::{check_tables, grid, headline, read_shuffled, shortened, write_tables};
use crate::output::{self, Outcome, count};

/// So many features and lifts of a cluster are printed.
const MOST: usize = 3;

pub(crate) fn run(args: &ClusterArgs) -> anyhow::Result<Outcome> {
    check_tables(&args.tables)?;
    let (study, shuffles) = read_shuffled(&args.run, |_| {})?;
    let represented = represent(&study, &shuffles, &args.clustering, args.run.drawing.seed)?;
    let (clustered, failed) = cluster(&represented.found, &args.clustering, args.run.drawing.seed)?;
    // What some cannot be clustered by does not cost the others.
    let mut failures: Vec<String> = represented.failed.into_iter().chain(failed).collect();
    if clustered.is_empty() {
        bail!("{}", failures.join("; "));
    }
    for failure in failures.drain(..) {
        output::warn(&failure);
    }
    let facts: Vec<_> = study
        .profiles
        .iter()
        .map(|profile| &profile.facts)
        .collect();
    let tables = tables(
        &study.profiles,
        &groupings(&facts),
        &clustered,
        args.run.drawing.bootstrap(),
    );
    let questions = spanlift_study::questions(&study.profiles, columns(&study, &clustered));
    let mut all: Vec<&Table> = tables.iter().collect();
    all.push(&questions);
    write_tables(&args.tables, &all)?;
    output::print(&text(&study, &clustered, &tables))?;
    Ok(Outcome::Done)
}

/// What could be made of the questions, and why the rest could not.
pub(super) struct Found<T> {
    pub(super) found: Vec<T>,
    pub(super) failed: Vec<String>,
}

/// The questions under each representation that was asked for.
pub(super) fn represent(
    study: &Study,
    shuffles: &Shuffles,
    args: &ClusteringArgs,
    seed: u64,
) -> anyhow::Result<Found<Represented>> {
    let bar = output::spinner("representing");
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for representation in args.representations() {
        let representation = representation.representation();
        bar.set_message(representation.name());
        match representation.of(&study.profiles, shuffles, seed) {
            Ok(represented) => found.push(represented),
            Err(error) => failed.push(unfit(
                &format!("--representation {}", representation.name()),
                error,
            )?),
        }
    }
    bar.finish_and_clear();
    Ok(Found { found, failed })
}

/// Each representation clustered by each algorithm, and why the rest could not be.
pub(super) fn cluster<'a>(
    represented: &'a [Represented],
    args: &ClusteringArgs,
    seed: u64,
) -> anyhow::Result<(Vec<Clustered<'a>>, Vec<String>)> {
    let bar = output::spinner("clustering");
    let (mut clustered, mut failed) = (Vec::new(), Vec::new());
    let alone = args.algorithm.len() == 1;
    for of in represented {
        for algorithm in &args.algorithm {
            let algorithm = algorithm.algorithm();
            let options = Options {
                // HDBSCAN finds its own k; beside others, theirs is not for it.
                k: args.k.filter(|_| alone || algorithm != Algorithm::Hdbscan),
                seed,
                ..Options::new(algorithm)
            };
            let what = format!("{} of {}", algorithm.name(), of.representation.name());
            bar.set_message(what.clone());
            match of.cluster(&options) {
                Ok(found) => clustered.push(found),
                Err(error) => failed.push(unfit(&what, error)?),
            }
        }
    }
    bar.finish_and_clear();
    Ok((clustered, failed))
}

/// Why these questions, too few or too alike, do not fit; every other error remains one.
pub(super) fn unfit(what: &str, error: StudyError) -> anyhow::Result<String> {
    match error {
        StudyError::Rows { .. }
        | StudyError::Clusters { .. }
        | StudyError::Constant { .. }
        | StudyError::Failed { .. } => Ok(format!("{what}: {error}")),
        other => Err(anyhow::Error::new(other).context(what.to_owned())),
    }
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
        "by chance",
        "above",
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
            format!("{:.3} ({})", found.by_chance.mean, found.harder),
            format!("{:.3}", found.by_chance.bar),
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
        if learned.error >= learned.pca_error {
            text.push_str("it gives the maps back no better than principal components: what it learned says no more than they\n");
        }
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
                "cluster {number}: {}, silhouette {:.3} (above {:.3}), stability {:.2}, {}",
                count(cluster.size, "question"),
                cluster.silhouette,
                cluster.bar,
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
                    .filter(|&row| {
                        lifts.number("lift", row) > 1.0 && lifts.number("adjusted_p", row) < 0.05
                    })
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
