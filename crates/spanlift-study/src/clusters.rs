//! Clusters of a run's questions by three representations, and what sets each cluster apart.
//!
//! | representation | a question is | chance |
//! | --- | --- | --- |
//! | `profile` | the positive and negative shares by role of each cut; (L+1) · 2 · roles | the same with the roles dealt anew among its tokens |
//! | `heads` | each head's score as a share of Σ\|score\|; L · A | each column permuted by itself |
//! | `maps` | the code that a recurrent autoencoder learns of its L+1 maps in fixed bins | each column permuted by itself |
//!
//! Beside these every clustering is held against one long cloud ([`Chance`](crate::cluster::Chance)).

use rayon::prelude::*;

use crate::StudyError;
use crate::autoencoder::{Learned, Training, learn};
use crate::bootstrap::Bootstrap;
use crate::cluster::{Clustering, Effect, Features, Options, cluster};
use crate::facts::Facts;
use crate::groups::Grouping;
use crate::profile::{Measure, Profile, SHUFFLES, cut_names};
use crate::roles::Role;
use crate::table::{Column, Table};

/// What questions are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// The layer profile.
    Profile,
    /// Head fingerprints.
    Heads,
    /// Learned from the maps.
    Maps,
}

/// A run's questions under one representation.
#[derive(Clone, Debug)]
pub struct Represented {
    /// Which.
    pub representation: Representation,
    /// A row for each question that has one.
    pub features: Features,
    /// The same by chance; empty where columns are permuted instead.
    pub chance: Vec<Features>,
    /// The place of each row's question in the run.
    pub questions: Vec<usize>,
    /// How the codes were learned, for [`Representation::Maps`].
    pub learned: Option<Learned>,
}

/// A clustering of a run's questions.
#[derive(Clone, Debug)]
pub struct Clustered<'a> {
    /// What it is of.
    pub of: &'a Represented,
    /// What was found.
    pub found: Clustering,
}

impl Representation {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Profile, Self::Heads, Self::Maps];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Heads => "heads",
            Self::Maps => "maps",
        }
    }

    /// The column of the table `questions` that has the clusters.
    #[must_use]
    pub fn column(self) -> &'static str {
        match self {
            Self::Profile => "cluster_profile",
            Self::Heads => "cluster_heads",
            Self::Maps => "cluster_maps",
        }
    }

    /// Represents the questions; those without a number are left out.
    ///
    /// # Errors
    ///
    /// Where too few questions are left, or the autoencoder finds nothing to learn.
    pub fn of(self, profiles: &[Profile], seed: u64) -> Result<Represented, StudyError> {
        let layers = profiles
            .first()
            .map_or(0, |profile| profile.attention.len());
        let wide = |row: &[f32]| {
            row.iter()
                .map(|&value| f64::from(value))
                .collect::<Vec<f64>>()
        };
        let all = || (0..profiles.len()).collect::<Vec<usize>>();
        let mut chance = Vec::new();
        let mut learned = None;
        let (names, questions, rows) = match self {
            Self::Profile => {
                let names = Profile::layer_feature_names(layers);
                let draws: Result<Vec<Features>, StudyError> = (0..SHUFFLES)
                    .into_par_iter()
                    .map(|draw| {
                        let rows: Vec<Vec<f64>> =
                            profiles.iter().map(|p| wide(&p.shuffled[draw])).collect();
                        Features::new(names.clone(), &rows)
                    })
                    .collect();
                chance = draws?;
                let rows = profiles
                    .iter()
                    .map(|profile| wide(&profile.layer_features()))
                    .collect();
                (names, all(), rows)
            }
            Self::Heads => {
                let with = |i: &usize| profiles[*i].heads.is_some();
                let questions: Vec<usize> = all().into_iter().filter(with).collect();
                let rows: Vec<Vec<f64>> = questions
                    .iter()
                    .filter_map(|&i| profiles[i].heads.as_deref().map(wide))
                    .collect();
                let heads = rows.first().map_or(0, Vec::len) / layers.max(1);
                let name = |i: usize| format!("head {}.{}", 1 + i / heads, 1 + i % heads);
                ((0..layers * heads).map(name).collect(), questions, rows)
            }
            Self::Maps => {
                let with = |i: &usize| profiles[*i].maps.is_some();
                let questions: Vec<usize> = all().into_iter().filter(with).collect();
                let maps: Vec<Vec<Vec<f32>>> = questions
                    .iter()
                    .filter_map(|&i| profiles[i].maps.clone())
                    .collect();
                let training = Training {
                    seed,
                    ..Training::default()
                };
                let found = learned.insert(learn(&maps, &training)?);
                let names = (1..=training.code).map(|i| format!("code {i}"));
                (names.collect(), questions, found.codes.clone())
            }
        };
        Ok(Represented {
            representation: self,
            features: Features::new(names, &rows)?,
            chance,
            questions,
            learned,
        })
    }
}

impl Represented {
    /// Clusters the questions.
    ///
    /// # Errors
    ///
    /// As [`cluster`].
    pub fn cluster(&self, options: &Options) -> Result<Clustered<'_>, StudyError> {
        let found = cluster(&self.features, options, &self.chance)?;
        Ok(Clustered { of: self, found })
    }
}

impl Clustered<'_> {
    /// The cluster of each of the run's questions, from 1; none for noise, or where the question has no row.
    #[must_use]
    pub fn of_questions(&self, questions: usize) -> Vec<Option<usize>> {
        let mut clusters = vec![None; questions];
        for (&question, label) in self.of.questions.iter().zip(&self.found.labels) {
            clusters[question] = label.map(|label| label + 1);
        }
        clusters
    }

    /// What sets a cluster apart, the largest effect first. A feature that varies neither in it nor elsewhere, as the output's map of
    /// questions with and without an answer, has no size and is left out.
    pub fn effects(&self, cluster: usize) -> impl Iterator<Item = &Effect> {
        let effects = self.found.clusters[cluster].effects.iter();
        effects.filter(|effect| effect.d.is_finite())
    }

    /// The questions of a cluster, counted from 0.
    fn members(&self, cluster: usize) -> Vec<usize> {
        let rows = self.of.questions.iter().zip(&self.found.labels);
        rows.filter(|(_, label)| **label == Some(cluster))
            .map(|(&question, _)| question)
            .collect()
    }
}

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
        Column::number("chance_silhouette", found().map(|c| c.chance_mean)),
        Column::number("chance_high", found().map(|c| c.chance_high)),
        Column::number("bar", found().map(|c| c.bar)),
        Column::text("verdict", found().map(|c| c.verdict.name())),
    ];
    rows.table(
        "clusterings",
        "A clustering: mean silhouette, mean adjusted Rand index to reclusterings, and the silhouettes of chance; structure lies above the bar and is stable.",
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
    rows.table("clusters", "A cluster: mean silhouette, mean best Jaccard coefficient over bootstraps, and means over its questions.", own)
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
    let groups: Vec<(&'static str, &str, Vec<f64>)> = groupings
        .iter()
        .filter(|grouping| grouping.name != "all")
        .flat_map(|grouping| {
            grouping
                .groups
                .iter()
                .map(move |(group, of)| (grouping.name, group.as_str(), of))
        })
        .map(|(grouping, group, of)| {
            let mut within = vec![0.0; profiles.len()];
            of.iter().for_each(|&i| within[i] = 1.0);
            (grouping, group, within)
        })
        .collect();
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
            let all = &clustered.of.questions;
            let overall = all.iter().map(|&i| within[i]).sum::<f64>() / all.len() as f64;
            let count = members.iter().filter(|&&i| within[i] > 0.0).count();
            rows.push((
                clustered,
                (cluster, *grouping, *group, count, share, overall),
            ));
        }
    }
    let rows = Rows(rows);
    let lift = |of: fn(&crate::bootstrap::Estimate) -> f64| {
        rows.0.iter().map(move |row| of(&row.1.4) / row.1.5)
    };
    let own = vec![
        Column::integer("cluster", rows.0.iter().map(|row| row.1.0 + 1)),
        Column::text("grouping", rows.0.iter().map(|row| row.1.1)),
        Column::text("group", rows.0.iter().map(|row| row.1.2)),
        Column::integer("questions", rows.0.iter().map(|row| row.1.3)),
        Column::number("share", rows.0.iter().map(|row| row.1.4.mean)),
        Column::number("lift", lift(|share| share.mean)),
        Column::number("low", lift(|share| share.low)),
        Column::number("high", lift(|share| share.high)),
    ];
    rows.table(
        "lifts",
        "How much more often a kind of question or paragraph is in a cluster than in all.",
        own,
    )
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
