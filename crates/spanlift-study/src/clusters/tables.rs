//! What is known of clusterings, as tables.

use statrs::distribution::{ContinuousCDF, Normal};

use super::Clustered;
use crate::bootstrap::{Bootstrap, Estimate};
use crate::cluster::{Clustering, Effect};
use crate::facts::Facts;
use crate::groups::Grouping;
use crate::profile::{Measure, Profile, cut_names};
use crate::roles::Role;
use crate::significance::adjusted;
use crate::table::{Column, Table};

/// Rows of several clusterings: each with the clustering that it is of.
struct Rows<'a, T>(Vec<(&'a Clustered<'a>, T)>);

impl<T> Rows<'_, T> {
    fn heading(&self) -> Vec<Column> {
        vec![
            Column::text(
                "representation",
                self.0.iter().map(|row| row.0.of.representation.name()),
            ),
            Column::text(
                "algorithm",
                self.0.iter().map(|row| row.0.found.algorithm.name()),
            ),
        ]
    }

    fn table(&self, name: &'static str, about: &'static str, own: Vec<Column>) -> Table {
        let mut columns = self.heading();
        columns.extend(own);
        Table {
            name,
            about,
            columns,
        }
    }
}

/// The tables of some clusterings: `clusterings`, `autoencoder`, `k`, `clusters`, `medoids`, `features`, `lifts` and
/// `cluster_shares`.
#[must_use]
pub fn tables(
    profiles: &[Profile],
    groupings: &[Grouping],
    clusterings: &[Clustered<'_>],
    bootstrap: Bootstrap,
) -> Vec<Table> {
    vec![
        clusterings_table(clusterings),
        autoencoder_table(clusterings),
        k_table(clusterings),
        clusters_table(profiles, clusterings),
        medoids_table(profiles, clusterings),
        features_table(clusterings),
        lifts_table(profiles, groupings, clusterings, bootstrap),
        shares_table(profiles, clusterings),
    ]
}

fn clusterings_table(clusterings: &[Clustered<'_>]) -> Table {
    let rows = Rows(clusterings.iter().map(|c| (c, &c.found)).collect());
    let found = || rows.0.iter().map(|row| row.1);
    let noise = |c: &Clustering| c.labels.iter().filter(|label| label.is_none()).count();
    let own = vec![
        Column::integer("questions", found().map(|c| c.labels.len())),
        Column::integer("k", found().map(|c| c.k)),
        Column::integer("noise", found().map(noise)),
        Column::number("silhouette", found().map(|c| c.silhouette)),
        Column::number("stability", found().map(|c| c.stability)),
        Column::text("chance", found().map(|c| c.harder)),
        Column::number("chance_silhouette", found().map(|c| c.by_chance.mean)),
        Column::number("chance_high", found().map(|c| c.by_chance.high)),
        Column::number("bar", found().map(|c| c.by_chance.bar)),
        Column::text("verdict", found().map(|c| c.verdict.name())),
    ];
    rows.table(
        "clusterings",
        "A clustering: mean silhouette, mean adjusted Rand index to reclusterings, and the silhouettes of the kind of chance that is harder to beat; structure lies above the bar and is stable.",
        own,
    )
}

fn autoencoder_table(clusterings: &[Clustered<'_>]) -> Table {
    let learned = clusterings
        .iter()
        .find_map(|clustered| clustered.of.learned.as_ref());
    let rows = || learned.into_iter();
    Table {
        name: "autoencoder",
        about: "How well the autoencoder gives back maps that it did not learn from: mean squared error, beside the mean map's and that of as many principal components.",
        columns: vec![
            Column::integer("code", rows().map(|l| l.codes.first().map_or(0, Vec::len))),
            Column::integer("epochs", rows().map(|l| l.epochs)),
            Column::integer("held_out", rows().map(|l| l.held_out)),
            Column::number("error", rows().map(|l| l.error)),
            Column::number("mean_error", rows().map(|l| l.mean_error)),
            Column::number("pca_error", rows().map(|l| l.pca_error)),
        ],
    }
}

fn k_table(clusterings: &[Clustered<'_>]) -> Table {
    let tried = |c| {
        let clustered: &Clustered<'_> = c;
        clustered
            .found
            .tried
            .iter()
            .map(move |tried| (clustered, *tried))
    };
    let rows = Rows(clusterings.iter().flat_map(tried).collect());
    let own = vec![
        Column::integer("k", rows.0.iter().map(|row| row.1.0)),
        Column::number("silhouette", rows.0.iter().map(|row| row.1.1)),
    ];
    rows.table(
        "k",
        "The mean silhouette of a number of clusters that was tried.",
        own,
    )
}

/// (clustering, cluster from 0) for each cluster.
fn each<'a>(clusterings: &'a [Clustered<'a>]) -> impl Iterator<Item = (&'a Clustered<'a>, usize)> {
    clusterings
        .iter()
        .flat_map(|c| (0..c.found.clusters.len()).map(move |cluster| (c, cluster)))
}

fn clusters_table(profiles: &[Profile], clusterings: &[Clustered<'_>]) -> Table {
    let rows = Rows(each(clusterings).collect());
    let cluster = |row: &(&Clustered<'_>, usize)| row.0.found.clusters[row.1].clone();
    let share = |of: fn(&Facts) -> f64| {
        let mean = move |row: &(&Clustered<'_>, usize)| {
            let members = row.0.members(row.1);
            members.iter().map(|&i| of(&profiles[i].facts)).sum::<f64>() / members.len() as f64
        };
        rows.0.iter().map(mean).collect::<Vec<f64>>()
    };
    let own = vec![
        Column::integer("cluster", rows.0.iter().map(|row| row.1 + 1)),
        Column::integer("questions", rows.0.iter().map(|row| cluster(row).size)),
        Column::number(
            "share",
            rows.0
                .iter()
                .map(|row| cluster(row).size as f64 / row.0.found.labels.len() as f64),
        ),
        Column::number(
            "silhouette",
            rows.0.iter().map(|row| cluster(row).silhouette),
        ),
        Column::number("bar", rows.0.iter().map(|row| cluster(row).bar)),
        Column::number("stability", rows.0.iter().map(|row| cluster(row).stability)),
        Column::text(
            "verdict",
            rows.0.iter().map(|row| cluster(row).verdict.name()),
        ),
        Column::number("exact", share(|f| f64::from(f.right))),
        Column::number("f1", share(|f| f.f1)),
        Column::number("answered", share(|f| f64::from(f.answered))),
        Column::number("answerable", share(|f| f64::from(f.answerable))),
    ];
    rows.table("clusters", "A cluster: mean silhouette, the best of the clusters of chance as large as it, mean best Jaccard coefficient over bootstraps, and means over its questions.", own)
}

fn medoids_table(profiles: &[Profile], clusterings: &[Clustered<'_>]) -> Table {
    let medoids = each(clusterings).flat_map(|(c, cluster)| {
        let medoids = c.found.clusters[cluster].medoids.iter().enumerate();
        medoids.map(move |(rank, &row)| (c, (cluster, rank, c.of.questions[row])))
    });
    let rows = Rows(medoids.collect());
    let facts = |row: &(&Clustered<'_>, (usize, usize, usize))| &profiles[row.1.2].facts;
    let own = vec![
        Column::integer("cluster", rows.0.iter().map(|row| row.1.0 + 1)),
        Column::integer("rank", rows.0.iter().map(|row| row.1.1 + 1)),
        Column::text("id", rows.0.iter().map(|row| facts(row).id.clone())),
        Column::text(
            "question_type",
            rows.0.iter().map(|row| facts(row).question_type.name()),
        ),
        Column::truth("answered", rows.0.iter().map(|row| facts(row).answered)),
        Column::truth("exact", rows.0.iter().map(|row| facts(row).right)),
    ];
    rows.table(
        "medoids",
        "A cluster's most typical questions: those nearest to its centre.",
        own,
    )
}

/// So many features set a cluster apart.
const EFFECTS: usize = 10;

fn features_table(clusterings: &[Clustered<'_>]) -> Table {
    let effects = each(clusterings).flat_map(|(c, cluster)| {
        let effects = c.effects(cluster).take(EFFECTS).enumerate();
        effects.map(move |(rank, effect)| (c, (cluster, rank, effect)))
    });
    let rows = Rows(effects.collect());
    let name = |row: &(&Clustered<'_>, (usize, usize, &Effect))| {
        row.0.of.features.names()[row.1.2.column].clone()
    };
    let own = vec![
        Column::integer("cluster", rows.0.iter().map(|row| row.1.0 + 1)),
        Column::integer("rank", rows.0.iter().map(|row| row.1.1 + 1)),
        Column::text("feature", rows.0.iter().map(name)),
        Column::number("mean", rows.0.iter().map(|row| row.1.2.mean)),
        Column::number("elsewhere", rows.0.iter().map(|row| row.1.2.elsewhere)),
        Column::number("effect", rows.0.iter().map(|row| row.1.2.d)),
    ];
    rows.table(
        "features",
        "What sets a cluster apart: the features with the largest effects (Cohen's d).",
        own,
    )
}

fn lifts_table(
    profiles: &[Profile],
    groupings: &[Grouping],
    clusterings: &[Clustered<'_>],
    bootstrap: Bootstrap,
) -> Table {
    // Of each group: 1 for its questions, 0 for those of another group of its grouping. What the grouping does not speak of, as the place of an
    // answer where there is none, is not a number and left out: else whatever is known of answers were more frequent where all are answered.
    let mut groups: Vec<(&'static str, &str, Vec<f64>)> = Vec::new();
    for grouping in groupings.iter().filter(|grouping| grouping.name != "all") {
        let mut placed = vec![f64::NAN; profiles.len()];
        let all = grouping.groups.iter().flat_map(|(_, of)| of);
        all.for_each(|&i| placed[i] = 0.0);
        for (group, of) in &grouping.groups {
            let mut within = placed.clone();
            of.iter().for_each(|&i| within[i] = 1.0);
            groups.push((grouping.name, group.as_str(), within));
        }
    }
    let mut rows = Vec::new();
    for (clustered, cluster) in each(clusterings) {
        let members = clustered.members(cluster);
        let values: Vec<(usize, Vec<f64>)> = members
            .iter()
            .map(|&i| {
                (
                    profiles[i].passage,
                    groups.iter().map(|group| group.2[i]).collect(),
                )
            })
            .collect();
        let shares = bootstrap.means(
            groups.len(),
            values.iter().map(|(passage, row)| (*passage, &**row)),
        );
        for ((grouping, group, within), share) in groups.iter().zip(shares) {
            // Against the questions that were clustered at all.
            let all = clustered.of.questions.iter().map(|&i| within[i]);
            let all: Vec<f64> = all.filter(|value| value.is_finite()).collect();
            let overall = all.iter().sum::<f64>() / all.len() as f64;
            let count = members.iter().filter(|&&i| within[i] > 0.0).count();
            rows.push((
                clustered,
                (cluster, *grouping, *group, count, share, overall),
            ));
        }
    }
    let values = adjusted(rows.iter().map(|(of, row)| {
        // A clustering's rows are one family.
        let family = (of.of.representation.name(), of.found.algorithm.name());
        (family, p_value(row.4, row.5))
    }));
    let rows = Rows(rows);
    let lift = |of: fn(&Estimate) -> f64| rows.0.iter().map(move |row| of(&row.1.4) / row.1.5);
    let own = vec![
        Column::integer("cluster", rows.0.iter().map(|row| row.1.0 + 1)),
        Column::text("grouping", rows.0.iter().map(|row| row.1.1)),
        Column::text("group", rows.0.iter().map(|row| row.1.2)),
        Column::integer("questions", rows.0.iter().map(|row| row.1.3)),
        Column::number("share", rows.0.iter().map(|row| row.1.4.mean)),
        Column::number("lift", lift(|share| share.mean)),
        Column::number("low", lift(|share| share.low)),
        Column::number("high", lift(|share| share.high)),
        Column::number("adjusted_p", values),
    ];
    rows.table(
        "lifts",
        "How much more often a kind of question or paragraph is in a cluster than in all, with its interval and the p of no difference, adjusted for all lifts of the clustering (Holm); none for fewer than ten questions expected.",
        own,
    )
}

/// Fewer questions of a kind expected in a cluster are too few to tell.
const EXPECTED: f64 = 10.0;

/// That a share differs from that of all no more than by chance: two-sided, normal, with the standard error that its interval has, or that of as many
/// independent questions where this is larger: a cluster all of one kind has an interval of no width.
fn p_value(share: Estimate, overall: f64) -> f64 {
    let questions = share.questions as f64;
    if !share.is_sure() || questions * overall < EXPECTED || overall >= 1.0 {
        return f64::NAN;
    }
    let error = (share.high - share.low) / (2.0 * 1.96);
    let error = error.max((overall * (1.0 - overall) / questions).sqrt());
    2.0 * Normal::standard().cdf(-((share.mean - overall) / error).abs())
}

fn shares_table(profiles: &[Profile], clusterings: &[Clustered<'_>]) -> Table {
    let layers = profiles
        .first()
        .map_or(0, |profile| profile.attention.len());
    let names: Vec<String> = cut_names(layers).collect();
    let mut rows = Vec::new();
    for (clustered, cluster) in each(clusterings) {
        let members = clustered.members(cluster);
        for cut in 0..=layers {
            for measure in Measure::ALL {
                for role in Role::ALL {
                    let values = members
                        .iter()
                        .filter_map(|&i| profiles[i].cuts[cut].share(measure, role));
                    let (sum, count) =
                        values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
                    rows.push((clustered, (cluster, cut, measure, role, sum / count)));
                }
            }
        }
    }
    let rows = Rows(rows);
    let own = vec![
        Column::integer("cluster", rows.0.iter().map(|row| row.1.0 + 1)),
        Column::text("source", rows.0.iter().map(|_| "deeplift")),
        Column::text("measure", rows.0.iter().map(|row| row.1.2.name())),
        Column::text("cut", rows.0.iter().map(|row| names[row.1.1].clone())),
        Column::text("role", rows.0.iter().map(|row| row.1.3.name())),
        Column::number("mean", rows.0.iter().map(|row| row.1.4)),
    ];
    rows.table(
        "cluster_shares",
        "The mean share of a role at a cut, over a cluster's questions.",
        own,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_tested_by_its_interval() {
        let share = Estimate {
            questions: 100,
            passages: 50,
            mean: 0.4,
            low: 0.4 - 0.196,
            high: 0.4 + 0.196,
        };
        // Two standard errors away.
        assert!((p_value(share, 0.2) - 0.0455).abs() < 1e-4);
        assert!(p_value(share, 0.09).is_nan(), "nine are expected");
        // All of one kind, of which a half are: ten standard errors of √(0.25 / 100).
        let (low, high) = (1.0, 1.0);
        let one_kind = Estimate {
            mean: 1.0,
            low,
            high,
            ..share
        };
        assert!(p_value(one_kind, 0.5) < 1e-20);
        assert!(
            p_value(
                Estimate {
                    low: f64::NAN,
                    ..share
                },
                0.2
            )
            .is_nan()
        );
    }
}
