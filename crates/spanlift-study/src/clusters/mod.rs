//! Clusters of a run's questions by three representations, and what sets each cluster apart.
//!
//! | representation | a question is | chance |
//! | --- | --- | --- |
//! | `profile` | the positive and negative shares by role of each cut; (L+1) · 2 · roles | the same with the roles dealt anew among its tokens |
//! | `heads` | each head's score as a share of Σ\|score\|; L · A | each column permuted by itself |
//! | `maps` | the code that a recurrent autoencoder learns of its L+1 maps in fixed bins | each column permuted by itself |
//!
//! Beside these every clustering is held against one long cloud ([`Chance`](crate::cluster::Chance)).

mod tables;

pub use tables::tables;

use crate::StudyError;
use crate::autoencoder::{Learned, Training, learn};
use crate::cluster::{Clustering, Effect, Features, Options, cluster};
use crate::profile::Profile;
use crate::shuffles::Shuffles;

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

    /// Represents the questions; those without a number are left out. Layer profiles are held against `shuffles`, and where it has seen
    /// no question against permuted columns.
    ///
    /// # Errors
    ///
    /// Where too few questions are left, or the autoencoder finds nothing to learn.
    pub fn of(
        self,
        profiles: &[Profile],
        shuffles: &Shuffles,
        seed: u64,
    ) -> Result<Represented, StudyError> {
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
                chance = shuffles.features(&names)?;
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
                let passages: Vec<usize> = questions.iter().map(|&i| profiles[i].passage).collect();
                let found = learned.insert(learn(&maps, &passages, &training)?);
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
