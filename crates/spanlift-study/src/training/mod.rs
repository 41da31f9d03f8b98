//! How the attention forms: the probe questions of a training, explained at each step marked, and what the training itself told.
//!
//! Each step's run is studied as any other: shares by role, spread, and where the answer leads, in the mean over the probe questions. What is
//! explained at a step is the answer that the model gave then, so that at first it may be any; the table `questions` says which.

mod page;

use std::io::ErrorKind;
use std::path::Path;

use spanlift_store::{Data, Run, StoreError};
use spanlift_train::plan::TrainPlan;
use spanlift_train::probe::probes;
use spanlift_train::run::{Event, events, planned};

pub use page::{PageData, json, page};

use crate::StudyError;
use crate::bootstrap::{Bootstrap, Estimate};
use crate::groups::{self, Grouping, estimate_columns};
use crate::profile::{CutProfile, Profile, cut_names};
use crate::report::QuestionMap;
use crate::roles::Role;
use crate::study::Study;
use crate::table::{Column, Table, Values};

/// Rows of the table of the loss, at most.
const LOSSES: usize = 400;

/// A training and its probe questions.
#[derive(Clone, Debug)]
pub struct Training {
    /// What the training is.
    pub plan: TrainPlan,
    /// What happened in it.
    pub events: Vec<Event>,
    /// The probe questions behind each step marked, the first before the first step.
    pub steps: Vec<Probed>,
    /// Steps whose questions are not all explained yet; they are left out.
    pub unfinished: usize,
}

/// The probe questions behind a step.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Which; 0 before the first.
    pub step: u64,
    /// They, in file order.
    pub profiles: Vec<Profile>,
    /// The maps of the first of them.
    pub maps: Vec<QuestionMap>,
}

impl Training {
    /// Reads the folder of `spanlift train --probe`, with the maps of the first `maps` questions.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotATraining`] where it is none, [`StudyError::NoProbe`] where no question was explained in it,
    /// [`StudyError::OtherProbe`] where some that were are not the training's; and where a file is damaged or cannot be read.
    pub fn read(folder: &Path, maps: usize) -> Result<Self, StudyError> {
        let plan = planned(folder)?.ok_or_else(|| StudyError::NotATraining {
            path: folder.to_owned(),
        })?;
        let mut training = Self {
            plan,
            events: events(folder)?,
            steps: Vec::new(),
            unfinished: 0,
        };
        for (step, path) in probes(folder)? {
            // Killed before it had a plan, or before it was done.
            let run = match Run::open(&path) {
                Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => None,
                run => Some(run?),
            };
            let done = |run: &Run| run.finished().is_some() && run.missing().is_empty();
            let Some(run) = run.filter(done) else {
                training.unfinished += 1;
                continue;
            };
            if let Some(probe) = &training.plan.probe {
                let plan = run.plan_of();
                let of = |data: &Data| {
                    format!("{} questions of SHA-256 {}", data.questions, data.sha256)
                };
                for (field, expected, got) in [
                    ("questions", of(&probe.data), of(&plan.data)),
                    (
                        "reference",
                        probe.reference.clone(),
                        plan.method.info.reference.clone(),
                    ),
                ] {
                    if expected != got {
                        return Err(StudyError::OtherProbe {
                            path,
                            field,
                            expected,
                            got,
                        });
                    }
                }
            }
            let mut found = Vec::new();
            let study = Study::read(&run, None, |record| {
                if found.len() < maps {
                    found.push(QuestionMap::of(record));
                }
            })?;
            training.steps.push(Probed {
                step,
                profiles: study.profiles,
                maps: found.into_iter().collect::<Result<_, _>>()?,
            });
        }
        if training.steps.is_empty() {
            return Err(StudyError::NoProbe {
                path: folder.to_owned(),
            });
        }
        Ok(training)
    }

    /// Layers of the model.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.plan.base.layers
    }

    /// `steps`, `shares`, `spread`, `lead`, `loss`, `dev` and `questions`.
    #[must_use]
    pub fn tables(&self, bootstrap: Bootstrap) -> Vec<Table> {
        vec![
            self.summary(bootstrap),
            self.stacked(
                "shares",
                "The mean share of a cut's scores that lies on the tokens of a role, over the probe questions at a step.",
                |profiles, all| groups::shares(profiles, all, bootstrap),
            ),
            self.stacked(
                "spread",
                "The mean effective number of tokens of a cut at a step: exp of the entropy of |score|.",
                |profiles, all| groups::spread(profiles, all, bootstrap),
            ),
            self.lead(bootstrap),
            self.loss(),
            self.dev(),
            self.questions(),
        ]
    }

    /// The tables of each step, one below the other: of all questions, those that got an answer, and those that got none.
    fn stacked(
        &self,
        name: &'static str,
        about: &'static str,
        of: impl Fn(&[Profile], &[Grouping]) -> Table,
    ) -> Table {
        let mut steps = Vec::new();
        let mut columns: Vec<Column> = Vec::new();
        for probed in &self.steps {
            let profiles = &probed.profiles;
            let those = |of: &dyn Fn(bool) -> bool| -> Vec<usize> {
                let answered = |i: &usize| of(profiles[*i].facts.answered);
                (0..profiles.len()).filter(answered).collect()
            };
            let groups = [
                ("all", those(&|_| true)),
                ("answer", those(&|answered| answered)),
                ("no answer", those(&|answered| !answered)),
            ];
            let groups = groups.into_iter().filter(|(_, those)| !those.is_empty());
            let grouping = Grouping {
                name: "answered",
                groups: groups
                    .map(|(name, those)| (name.to_owned(), those))
                    .collect(),
            };
            let table = of(profiles, &[grouping]);
            steps.extend((0..table.rows()).map(|_| probed.step as usize));
            let own = table.columns.into_iter();
            let own = own.filter(|column| column.name != "grouping");
            if columns.is_empty() {
                columns = own.collect();
            } else {
                for (column, more) in columns.iter_mut().zip(own) {
                    column.values.append(more.values);
                }
            }
        }
        columns.insert(0, Column::integer("step", steps));
        Table {
            name,
            about,
            columns,
        }
    }

    fn lead(&self, bootstrap: Bootstrap) -> Table {
        let layers = self.layers();
        let names: Vec<String> = cut_names(layers).collect();
        let (mut steps, mut sources, mut cuts) = (Vec::new(), Vec::new(), Vec::new());
        let mut estimates: Vec<Estimate> = Vec::new();
        for probed in &self.steps {
            for (source, count) in [("deeplift", layers + 1), ("attention", layers)] {
                let values = |profile: &Profile| -> Vec<f64> {
                    let of: &[CutProfile] = match source {
                        "deeplift" => &profile.cuts,
                        _ => &profile.attention,
                    };
                    let leads = |cut: &CutProfile| f64::from(cut.leader == Some(Role::Answer));
                    let answered = profile.facts.answered;
                    let value = |cut| if answered { leads(cut) } else { f64::NAN };
                    of.iter().map(value).collect()
                };
                let rows = probed.profiles.iter();
                let rows: Vec<_> = rows.map(|p| (p.passage, values(p))).collect();
                let rows = rows.iter().map(|(passage, row)| (*passage, &**row));
                estimates.extend(bootstrap.means(count, rows));
                for name in &names[..count] {
                    steps.push(probed.step as usize);
                    sources.push(source);
                    cuts.push(name.clone());
                }
            }
        }
        let mut columns = vec![
            Column::integer("step", steps),
            Column::text("source", sources),
            Column::text("cut", cuts),
        ];
        columns.extend(estimate_columns(&estimates));
        Table {
            name: "lead",
            about: "The share of the probe questions with an answer whose strongest token at a cut is the answer's, at a step.",
            columns,
        }
    }

    /// The mean loss of equal numbers of steps, and the rate at their end.
    fn loss(&self) -> Table {
        let of = |event: &Event| match event {
            Event::Step {
                step, loss, rate, ..
            } => Some((*step as usize, *loss, *rate)),
            Event::Dev { .. } | Event::Probe { .. } => None,
        };
        let steps: Vec<(usize, f64, f64)> = self.events.iter().filter_map(of).collect();
        let lots: Vec<_> = steps.chunks(steps.len().div_ceil(LOSSES).max(1)).collect();
        let last = |lot: &[(usize, f64, f64)]| lot[lot.len() - 1];
        let mean =
            |lot: &[(usize, f64, f64)]| lot.iter().map(|s| s.1).sum::<f64>() / lot.len() as f64;
        Table {
            name: "loss",
            about: "The mean loss of the steps since the row before, and the rate at the step.",
            columns: vec![
                Column::integer("step", lots.iter().map(|lot| last(lot).0)),
                Column::number("loss", lots.iter().map(|lot| mean(lot))),
                Column::number("rate", lots.iter().map(|lot| last(lot).2)),
            ],
        }
    }

    fn dev(&self) -> Table {
        let of = |event: &Event| match event {
            Event::Dev {
                step, exact, f1, ..
            } => Some((*step as usize, *exact, *f1)),
            Event::Step { .. } | Event::Probe { .. } => None,
        };
        let rows: Vec<(usize, f64, f64)> = self.events.iter().filter_map(of).collect();
        Table {
            name: "dev",
            about: "Exact match and F1 of the dev questions behind a step, in per cent.",
            columns: vec![
                Column::integer("step", rows.iter().map(|row| row.0)),
                Column::number("exact", rows.iter().map(|row| row.1)),
                Column::number("f1", rows.iter().map(|row| row.2)),
            ],
        }
    }

    fn questions(&self) -> Table {
        let rows = || {
            let of = |probed: &'_ Probed| {
                let step = probed.step as usize;
                let facts = probed.profiles.iter().map(move |p| (step, p.facts.clone()));
                facts.collect::<Vec<_>>()
            };
            self.steps.iter().flat_map(of)
        };
        Table {
            name: "questions",
            about: "A probe question behind a step, and the answer that the model gave to it then.",
            columns: vec![
                Column::integer("step", rows().map(|row| row.0)),
                Column::text("id", rows().map(|row| row.1.id)),
                Column::text("answer", rows().map(|row| row.1.answer)),
                Column::truth("answered", rows().map(|row| row.1.answered)),
                Column::truth("exact", rows().map(|row| row.1.right)),
                Column::number("f1", rows().map(|row| row.1.f1)),
                Column::number("probability", rows().map(|row| row.1.probability)),
            ],
        }
    }

    /// What a step came to, in a row: the loss since the one before, and the probe questions' answers.
    fn summary(&self, bootstrap: Bootstrap) -> Table {
        // Of the steps since the one marked before.
        let before = [0]
            .into_iter()
            .chain(self.steps.iter().map(|probed| probed.step));
        let losses = self.steps.iter().zip(before).map(|(probed, before)| {
            let losses = self.events.iter().filter_map(|event| match event {
                Event::Step { step, loss, .. } if before < *step && *step <= probed.step => {
                    Some(*loss)
                }
                _ => None,
            });
            let (sum, count) =
                losses.fold((0.0, 0.0), |(sum, count), loss| (sum + loss, count + 1.0));
            sum / count
        });
        let means: Vec<Vec<Estimate>> = self
            .steps
            .iter()
            .map(|probed| {
                let rows = probed.profiles.iter().map(|p| {
                    let facts = &p.facts;
                    (
                        p.passage,
                        [f64::from(facts.right), facts.f1, f64::from(facts.answered)],
                    )
                });
                let rows: Vec<(usize, [f64; 3])> = rows.collect();
                bootstrap.means(3, rows.iter().map(|(passage, row)| (*passage, &row[..])))
            })
            .collect();
        let column =
            |name, at: usize| Column::number(name, means.iter().map(|means| means[at].mean));
        Table {
            name: "steps",
            about: "A step at which the probe questions were explained: the mean loss of the steps since the one before, and their exact match, F1 and share with an answer.",
            columns: vec![
                Column::integer("step", self.steps.iter().map(|probed| probed.step as usize)),
                Column::number("loss", losses),
                column("exact", 0),
                column("f1", 1),
                column("answered", 2),
            ],
        }
    }
}

impl Values {
    /// Those of the same kind behind its own; of another kind none.
    fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Text(values), Self::Text(mut more)) => values.append(&mut more),
            (Self::Integer(values), Self::Integer(mut more)) => values.append(&mut more),
            (Self::Number(values), Self::Number(mut more)) => values.append(&mut more),
            (Self::Truth(values), Self::Truth(mut more)) => values.append(&mut more),
            _ => {}
        }
    }
}
