//! Two runs over the same questions: models, references, or whatever else a run was made with.
//!
//! Each question is compared with itself. Models of different depth have no cuts in common: they are compared by thirds of
//! their layers (as in [`claims`](crate::claims)), and those of equal depth cut by cut as well.

use std::collections::HashMap;

use crate::StudyError;
use crate::bootstrap::{Bootstrap, Estimate};
use crate::claims::over;
use crate::groups::{Grouping, groupings};
use crate::profile::{CutProfile, Measure, Profile, cut_names, jensen_shannon};
use crate::roles::Role;
use crate::table::{Column, Table};

/// The thirds of the layers.
pub const THIRDS: [&str; 3] = ["early", "middle", "late"];

/// Two runs, question by question.
#[derive(Clone, Debug)]
pub struct Diff<'a> {
    pairs: Vec<(&'a Profile, &'a Profile)>,
    groupings: Vec<Grouping>,
    /// Questions of the first run that the second lacks.
    pub only_a: usize,
    /// Questions of the second run that the first lacks.
    pub only_b: usize,
}

/// A number in both runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Its mean in the first run.
    pub a: f64,
    /// Its mean in the second.
    pub b: f64,
    /// Second less first.
    pub difference: Estimate,
}

impl<'a> Diff<'a> {
    /// Pairs the questions that both have, in the order of the first.
    ///
    /// # Errors
    ///
    /// [`StudyError::NothingInCommon`] where there is none.
    pub fn new(a: &'a [Profile], b: &'a [Profile]) -> Result<Self, StudyError> {
        let by_id: HashMap<&str, &Profile> = b
            .iter()
            .map(|profile| (profile.facts.id.as_str(), profile))
            .collect();
        let pair = |a: &'a Profile| Some((a, *by_id.get(a.facts.id.as_str())?));
        let pairs: Vec<_> = a.iter().filter_map(pair).collect();
        if pairs.is_empty() {
            return Err(StudyError::NothingInCommon {
                a: a.len(),
                b: b.len(),
            });
        }
        let facts: Vec<_> = pairs.iter().map(|(a, _)| &a.facts).collect();
        Ok(Self {
            only_a: a.len() - pairs.len(),
            only_b: b.len() - pairs.len(),
            groupings: groupings(&facts),
            pairs,
        })
    }

    /// How many questions both have.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.pairs.len()
    }

    /// The means of some numbers in both runs, and their differences, over some of the pairs. A question that lacks a
    /// number in one run counts in neither.
    fn changes(
        &self,
        questions: &[usize],
        bootstrap: Bootstrap,
        values: impl Fn(&Profile) -> Vec<f64>,
    ) -> Vec<Change> {
        let rows: Vec<(usize, [Vec<f64>; 3])> = questions
            .iter()
            .map(|&i| {
                let (of_a, of_b) = self.pairs[i];
                let (mut a, mut b) = (values(of_a), values(of_b));
                for (a, b) in a.iter_mut().zip(&mut b) {
                    if !(a.is_finite() && b.is_finite()) {
                        (*a, *b) = (f64::NAN, f64::NAN);
                    }
                }
                let difference = a.iter().zip(&b).map(|(a, b)| b - a).collect();
                (of_a.passage, [a, b, difference])
            })
            .collect();
        let columns = rows.first().map_or(0, |(_, row)| row[0].len());
        let means = |which: usize, bootstrap: Bootstrap| {
            bootstrap.means(
                columns,
                rows.iter().map(|(passage, row)| (*passage, &*row[which])),
            )
        };
        let once = Bootstrap {
            resamples: 0,
            ..bootstrap
        };
        let (a, b) = (means(0, once), means(1, once));
        let differences = means(2, bootstrap).into_iter();
        let change = |(i, difference): (usize, Estimate)| Change {
            a: a[i].mean,
            b: b[i].mean,
            difference,
        };
        differences.enumerate().map(change).collect()
    }

    fn all(&self) -> Vec<usize> {
        (0..self.pairs.len()).collect()
    }

    /// Exact match, F1, share answered and probability, in both runs.
    #[must_use]
    pub fn scores(&self, bootstrap: Bootstrap) -> Vec<(&'static str, Change)> {
        let values = |profile: &Profile| {
            let facts = &profile.facts;
            vec![
                f64::from(facts.right),
                facts.f1,
                f64::from(facts.answered),
                facts.probability,
            ]
        };
        let names = ["exact", "f1", "answered", "probability"];
        names
            .into_iter()
            .zip(self.changes(&self.all(), bootstrap, values))
            .collect()
    }

    /// How many questions have the same answer, and are right in one, both or neither run: name and number.
    #[must_use]
    pub fn answers(&self) -> Vec<(&'static str, usize)> {
        type Of = fn(&Profile, &Profile) -> bool;
        let of: [(&'static str, Of); 6] = [
            ("same answer", |a, b| a.facts.answer == b.facts.answer),
            ("answered in one alone", |a, b| {
                a.facts.answered != b.facts.answered
            }),
            ("right in both", |a, b| a.facts.right && b.facts.right),
            ("right in a alone", |a, b| a.facts.right && !b.facts.right),
            ("right in b alone", |a, b| !a.facts.right && b.facts.right),
            ("right in neither", |a, b| !a.facts.right && !b.facts.right),
        ];
        let count = |of: Of| self.pairs.iter().filter(|(a, b)| of(a, b)).count();
        of.into_iter().map(|(name, of)| (name, count(of))).collect()
    }

    /// Where shares and spread are compared: thirds, and cuts where both have as many.
    fn places(&self) -> Vec<(String, Place)> {
        let mut places: Vec<_> = (0..3)
            .map(|third| (THIRDS[third].to_owned(), Place::Third(third)))
            .collect();
        let (a, b) = self.pairs[0];
        if a.cuts.len() == b.cuts.len() {
            places.extend(
                cut_names(a.attention.len())
                    .enumerate()
                    .map(|(i, name)| (name, Place::Cut(i))),
            );
        }
        places
    }

    /// The table `diff_shares`.
    #[must_use]
    pub fn shares(&self, bootstrap: Bootstrap) -> Table {
        let places = self.places();
        let values = |profile: &Profile| {
            let mut values = Vec::new();
            for (_, place) in &places {
                for measure in Measure::ALL {
                    values.extend(
                        Role::ALL.map(|role| place.of(profile, |cut| cut.share(measure, role))),
                    );
                }
            }
            values
        };
        let mut own = [Vec::new(), Vec::new(), Vec::new()];
        let rows = self.rows(bootstrap, values, || {
            for (name, _) in &places {
                for measure in Measure::ALL {
                    for role in Role::ALL {
                        own[0].push(name.clone());
                        own[1].push(measure.name().to_owned());
                        own[2].push(role.name().to_owned());
                    }
                }
            }
        });
        let [at, measure, role] = own;
        table(
            "diff_shares",
            "The mean share of a role in both runs, and the mean difference.",
            rows,
            vec![
                Column::text("at", at),
                Column::text("measure", measure),
                Column::text("role", role),
            ],
        )
    }

    /// The table `diff_spread`.
    #[must_use]
    pub fn spread(&self, bootstrap: Bootstrap) -> Table {
        let places = self.places();
        let absolute = Measure::Absolute.index();
        let of = |place: &Place, profile: &Profile| {
            place.of(profile, |cut| cut.spread[absolute].map(f64::from))
        };
        let values =
            |profile: &Profile| places.iter().map(|(_, place)| of(place, profile)).collect();
        let mut at = Vec::new();
        let rows = self.rows(bootstrap, values, || {
            at.extend(places.iter().map(|(name, _)| name.clone()))
        });
        table(
            "diff_spread",
            "The mean effective number of tokens in both runs, and the mean difference.",
            rows,
            vec![Column::text("at", at)],
        )
    }

    fn rows(
        &self,
        bootstrap: Bootstrap,
        values: impl Fn(&Profile) -> Vec<f64>,
        mut names: impl FnMut(),
    ) -> Vec<(&'static str, String, Change)> {
        let mut rows = Vec::new();
        for grouping in &self.groupings {
            for (group, questions) in &grouping.groups {
                let changes = self.changes(questions, bootstrap, &values);
                rows.extend(
                    changes
                        .into_iter()
                        .map(|change| (grouping.name, group.clone(), change)),
                );
                names();
            }
        }
        rows
    }

    /// How far a question's profiles are apart: the mean over the thirds of the layers of the Jensen–Shannon distance between
    /// the shares by role of |score|; not a number where one run has none. From 0 to 1.
    fn distance(a: &Profile, b: &Profile) -> f64 {
        let shares = |profile: &Profile, third: usize| {
            let place = Place::Third(third);
            let shares =
                Role::ALL.map(|role| place.of(profile, |cut| cut.share(Measure::Absolute, role)));
            let sum: f64 = shares.iter().sum();
            shares.map(|share| share / sum)
        };
        let distance = |third| {
            let (a, b) = (shares(a, third), shares(b, third));
            if a.iter().chain(&b).all(|share| share.is_finite()) {
                jensen_shannon(&a, &b)
            } else {
                f64::NAN
            }
        };
        (0..3).map(distance).sum::<f64>() / 3.0
    }

    /// The table `diff_questions`, those that differ most first.
    #[must_use]
    pub fn questions_table(&self) -> Table {
        let mut pairs: Vec<(f64, _)> = self
            .pairs
            .iter()
            .map(|(a, b)| (Self::distance(a, b), (a, b)))
            .collect();
        // What has no distance comes last.
        let key = |distance: f64| {
            if distance.is_finite() {
                -distance
            } else {
                f64::INFINITY
            }
        };
        pairs.sort_by(|x, y| key(x.0).total_cmp(&key(y.0)));
        let facts = || pairs.iter().map(|(_, (a, b))| (&a.facts, &b.facts));
        Table {
            name: "diff_questions",
            about: "A question in both runs; distance is that of its profiles (0 to 1), the largest first.",
            columns: vec![
                Column::text("id", facts().map(|(a, _)| a.id.clone())),
                Column::text(
                    "question_type",
                    facts().map(|(a, _)| a.question_type.name()),
                ),
                Column::number("distance", pairs.iter().map(|pair| pair.0)),
                Column::truth("same_answer", facts().map(|(a, b)| a.answer == b.answer)),
                Column::text("answer_a", facts().map(|(a, _)| a.answer.clone())),
                Column::text("answer_b", facts().map(|(_, b)| b.answer.clone())),
                Column::truth("exact_a", facts().map(|(a, _)| a.right)),
                Column::truth("exact_b", facts().map(|(_, b)| b.right)),
                Column::number("f1_a", facts().map(|(a, _)| a.f1)),
                Column::number("f1_b", facts().map(|(_, b)| b.f1)),
            ],
        }
    }

    /// The table `diff_scores`.
    #[must_use]
    pub fn scores_table(&self, bootstrap: Bootstrap) -> Table {
        let scores = self.scores(bootstrap);
        let mut columns = vec![Column::text("score", scores.iter().map(|score| score.0))];
        columns.extend(change_columns(
            &scores.iter().map(|score| score.1).collect::<Vec<_>>(),
        ));
        Table {
            name: "diff_scores",
            about: "The mean of a score in both runs, and the mean difference.",
            columns,
        }
    }

    /// The table `diff_answers`.
    #[must_use]
    pub fn answers_table(&self) -> Table {
        let answers = self.answers();
        let share = |n: usize| n as f64 / self.pairs.len() as f64;
        Table {
            name: "diff_answers",
            about: "How many questions both runs answer alike, and rightly.",
            columns: vec![
                Column::text("what", answers.iter().map(|answer| answer.0)),
                Column::integer("questions", answers.iter().map(|answer| answer.1)),
                Column::number("share", answers.iter().map(|answer| share(answer.1))),
            ],
        }
    }
}

/// Some cuts of a profile.
#[derive(Clone, Copy)]
enum Place {
    Third(usize),
    Cut(usize),
}

impl Place {
    /// The mean over the cuts that have the number; not a number where none has.
    fn of(self, profile: &Profile, value: impl Fn(&CutProfile) -> Option<f64>) -> f64 {
        match self {
            Self::Third(third) => over(profile, &[third], value),
            Self::Cut(cut) => profile.cuts.get(cut).and_then(value).unwrap_or(f64::NAN),
        }
    }
}

fn change_columns(changes: &[Change]) -> [Column; 6] {
    [
        Column::integer("questions", changes.iter().map(|c| c.difference.questions)),
        Column::number("a", changes.iter().map(|c| c.a)),
        Column::number("b", changes.iter().map(|c| c.b)),
        Column::number("difference", changes.iter().map(|c| c.difference.mean)),
        Column::number("low", changes.iter().map(|c| c.difference.low)),
        Column::number("high", changes.iter().map(|c| c.difference.high)),
    ]
}

fn table(
    name: &'static str,
    about: &'static str,
    rows: Vec<(&'static str, String, Change)>,
    own: Vec<Column>,
) -> Table {
    let mut columns = vec![
        Column::text("grouping", rows.iter().map(|row| row.0)),
        Column::text("group", rows.iter().map(|row| row.1.clone())),
    ];
    columns.extend(own);
    columns.extend(change_columns(
        &rows.iter().map(|row| row.2).collect::<Vec<_>>(),
    ));
    Table {
        name,
        about,
        columns,
    }
}
