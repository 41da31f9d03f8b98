//! A comparison in its folder: planned, and done chunk by chunk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use spanlift::ops::Real;
use spanlift::{Explainer, Item, Options, Scored};
use spanlift_explanation::{Answer, Method};
use spanlift_squad::{Question, QuestionKind, score};
use spanlift_store::{Keep, Plan, check_kind, differences, write_whole};

use super::measure::measure;
use super::rows::{self, Row, encode};
use crate::StudyError;

const FORMAT: &str = "spanlift.compare";
const VERSION: u32 = 1;
const PLAN: &str = "compare.json";
const PARTS: &str = "parts";

/// What a comparison is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonPlan {
    /// Always `spanlift.compare`.
    pub format: String,
    /// Always 1.
    pub version: u32,
    /// Questions, model and options, as of a run; its method is the first.
    pub run: Plan,
    /// The methods, as explanations name them.
    pub methods: Vec<Method>,
}

/// A comparison in its folder.
#[derive(Clone, Debug)]
pub struct Comparison {
    folder: PathBuf,
    plan: ComparisonPlan,
}

/// Names that tell the methods apart: the method's, with its rule where two have the same.
fn names(methods: &[Method]) -> Vec<String> {
    let name = |method: &Method| {
        let label = method.label();
        let alike = methods.iter().filter(|other| other.label() == label);
        if alike.count() > 1 {
            format!("{label} {}", method.rule)
        } else {
            label.to_owned()
        }
    };
    methods.iter().map(name).collect()
}

impl ComparisonPlan {
    /// Questions of a chunk.
    pub const CHUNK: usize = 4;

    /// Of what is about to be run; `plan` gives a run's plan of so many questions a chunk.
    pub fn new(
        options: &Options,
        methods: &[Scored],
        plan: impl FnOnce(Keep, usize) -> Plan,
    ) -> Self {
        let of = |scored: &Scored| scored.options(options).method();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            run: plan(
                Keep {
                    edges: None,
                    head_tokens: false,
                },
                Self::CHUNK,
            ),
            methods: methods.iter().map(of).collect(),
        }
    }

    /// The methods' names in rows and tables.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        names(&self.methods)
    }

    /// Where two plans differ: fields with what each has. What decides nothing is passed over: names of files and the CPU.
    fn differences(&self, asked: &Self) -> Vec<String> {
        let names = [self, asked].map(Self::names);
        if names[0] != names[1] {
            let [own, asked] = names.map(|names| names.join(", "));
            return vec![format!("methods: it has {own}, asked for {asked}")];
        }
        // By name, so that a field of one of them is found.
        let value = |plan: &Self| {
            let methods: BTreeMap<String, &Method> =
                plan.names().into_iter().zip(&plan.methods).collect();
            serde_json::json!({"run": plan.run, "methods": methods})
        };
        let mut found = differences(&value(self), &value(asked));
        let nothing = [
            "run.cpu",
            "run.data.name",
            "run.data.of",
            "run.data.bad_records",
            "run.model.info.name",
        ];
        found.retain(|difference| !nothing.iter().any(|field| difference.starts_with(field)));
        if [self, asked]
            .iter()
            .all(|plan| plan.run.selection.sample.is_none())
        {
            // It drew none of the questions.
            found.retain(|difference| !difference.starts_with("run.selection.seed"));
        }
        found
    }
}

impl Comparison {
    /// Makes the folder, or goes on in it where it holds the same plan.
    ///
    /// # Errors
    ///
    /// [`StudyError::OtherComparison`] where it holds another, or where it holds something else or cannot be written to.
    pub fn plan(folder: &Path, plan: ComparisonPlan) -> Result<Self, StudyError> {
        let path = folder.join(PLAN);
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| StudyError::Io {
                action,
                path,
                source,
            }
        };
        check_kind(folder, PLAN)?;
        let parts = folder.join(PARTS);
        fs::create_dir_all(&parts).map_err(failed("made", &parts))?;
        let comparison = Self {
            folder: folder.to_owned(),
            plan,
        };
        if path.exists() {
            let there = Self::open(folder)?;
            let differences = there.plan.differences(&comparison.plan);
            if !differences.is_empty() {
                return Err(StudyError::OtherComparison { path, differences });
            }
            return Ok(there);
        }
        let mut text = serde_json::to_vec_pretty(&comparison.plan).map_err(|error| {
            StudyError::NotAComparison {
                path: path.clone(),
                reason: error.to_string(),
            }
        })?;
        text.push(b'\n');
        write_whole(&path, &text)?;
        Ok(comparison)
    }

    /// Opens one that is there.
    ///
    /// # Errors
    ///
    /// Where its `compare.json` cannot be read, or is none.
    pub fn open(folder: &Path) -> Result<Self, StudyError> {
        let path = folder.join(PLAN);
        let text = fs::read_to_string(&path).map_err(|source| StudyError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let not = |reason: String| StudyError::NotAComparison {
            path: path.clone(),
            reason,
        };
        let plan: ComparisonPlan =
            serde_json::from_str(&text).map_err(|error| not(error.to_string()))?;
        if plan.format != FORMAT || plan.version != VERSION {
            return Err(not(format!(
                "format: expected `{FORMAT}` of version {VERSION}, got `{}` of version {}",
                plan.format, plan.version
            )));
        }
        Ok(Self {
            folder: folder.to_owned(),
            plan,
        })
    }

    /// What it is.
    #[must_use]
    pub fn plan_of(&self) -> &ComparisonPlan {
        &self.plan
    }

    /// How many chunks it has.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.plan.run.chunks
    }

    fn part(&self, chunk: usize) -> PathBuf {
        self.folder
            .join(PARTS)
            .join(format!("chunk-{chunk:05}.parquet"))
    }

    /// The chunks whose parts are not there.
    #[must_use]
    pub fn missing(&self) -> Vec<usize> {
        (0..self.chunks())
            .filter(|&chunk| !self.part(chunk).exists())
            .collect()
    }

    /// Does a chunk; `questions` are all of the run. Its part is there when this returns. `done` is told of each question.
    ///
    /// # Errors
    ///
    /// Where a question cannot be explained, or the part cannot be written.
    pub fn chunk<T: Real>(
        &self,
        chunk: usize,
        questions: &[Question],
        explainer: &Explainer<T>,
        methods: &[Scored],
        options: &Options,
        mut done: impl FnMut(),
    ) -> Result<(), StudyError> {
        let names = self.plan.names();
        let mut rows = Vec::new();
        for at in self.plan.run.questions(chunk) {
            let question = &questions[at];
            let item = Item {
                question: &question.question,
                passage: &question.context,
            };
            let measured = measure(explainer, item, methods, options);
            let (explained, all) = measured.map_err(|source| StudyError::Explain {
                id: question.id.clone(),
                source,
            })?;
            let asked = self.asked(questions, at, &explained[0].explanation.answer);
            rows.extend(all.into_iter().map(|m| Row {
                other: m.other.map(|other| names[other].clone()),
                removal: m.removal.map(|removal| removal.name().to_owned()),
                at: m.at,
                ..asked.row(&names[m.method], m.metric, m.value)
            }));
            done();
        }
        Ok(write_whole(&self.part(chunk), &encode(&rows)?)?)
    }

    /// The rows of the parts that are there.
    ///
    /// # Errors
    ///
    /// Where a part cannot be read, or is damaged.
    pub fn rows(&self) -> Result<Vec<Row>, StudyError> {
        let mut rows = Vec::new();
        for chunk in 0..self.chunks() {
            rows.extend(rows::read(&self.part(chunk))?);
        }
        Ok(rows)
    }
}

/// A question and what became of it, as rows have it.
#[derive(Clone, Debug)]
pub(crate) struct Asked(Row);

impl Asked {
    /// A row of it.
    pub(crate) fn row(&self, method: &str, metric: &str, value: f64) -> Row {
        Row {
            method: method.to_owned(),
            metric: metric.to_owned(),
            value: value.is_finite().then_some(value),
            ..self.0.clone()
        }
    }
}

impl Comparison {
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The question at this place of the run, and its answer.
    pub(crate) fn asked(&self, questions: &[Question], at: usize, answer: &Answer) -> Asked {
        let question = &questions[at];
        // The first question about the same passage.
        let passage = questions
            .iter()
            .position(|other| other.context == question.context);
        let gold = question.answers.iter().map(|gold| gold.text.as_str());
        Asked(Row {
            id: question.id.clone(),
            passage: passage.unwrap_or(at),
            question_type: QuestionKind::of(&question.question).name().to_owned(),
            answered: answer.has_answer,
            answerable: !question.is_impossible,
            exact: score(&answer.text, gold).exact == 1.0,
            method: String::new(),
            metric: String::new(),
            other: None,
            removal: None,
            at: None,
            value: None,
        })
    }
}
