//! Do the scores depend on what the model has learned, and on what the input is compared with?
//!
//! *Randomisation* (Adebayo et al. 2018, cascading): the span head is re-initialised, then the last layer with it, and so on down
//! to the embeddings. The scores of a method that looks at the model must change: `randomised` is the rank correlation of the words' scores with
//! those under the trained model, `randomised-size` that of their sizes, the same span explained.
//!
//! *Sensitivity to the reference*: `reference` is the rank correlation of the words' scores with those under another reference.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use spanlift::attribute::{Reference, ReferenceError};
use spanlift::checkpoint::{ModelPart, Parts, Randomise};
use spanlift::ops::Real;
use spanlift::{AnswerChoice, ExplainError, Explained, Explainer, Item, Options, Place, Scored};
use spanlift_squad::Question;
use spanlift_store::write_whole;

use super::agreement::spearman;
use super::measure::Ranked;
use super::rows::{self, Row, encode};
use super::run::{Asked, Comparison};
use crate::StudyError;
use crate::cluster::drawn;

/// The sample of a comparison that is looked at more closely.
#[derive(Clone, Debug)]
pub struct Sanity<'a> {
    comparison: &'a Comparison,
    folder: PathBuf,
    /// Places of its questions.
    sample: Vec<usize>,
}

/// What is done at once, and kept as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Other references.
    References,
    /// So much of the model re-initialised.
    Stage(Stage),
}

/// A stage of the cascade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Which, from 1.
    pub number: usize,
    /// What is re-initialised last: `head`, `layer 6`, …, `embeddings`.
    pub name: String,
    /// All that is re-initialised.
    pub randomise: Randomise,
}

/// What a question is, and the scores under the trained model.
#[derive(Clone, Debug)]
pub struct Original {
    asked: Asked,
    place: Place,
    ranked: Ranked,
}

/// The references that scores are compared under.
const REFERENCES: [Reference; 4] = [
    Reference::Mask,
    Reference::Pad,
    Reference::Zero,
    Reference::Mean,
];

/// The cascade through a model of so many layers.
#[must_use]
pub fn stages(layers: usize, seed: u64) -> Vec<Stage> {
    let from_the_top = [ModelPart::Head].into_iter();
    let from_the_top = from_the_top.chain((1..=layers).rev().map(ModelPart::Layer));
    let mut parts = BTreeSet::new();
    let stage = |(i, part): (usize, ModelPart)| {
        parts.insert(part);
        let name = match part {
            ModelPart::Head => "head".to_owned(),
            ModelPart::Layer(layer) => format!("layer {layer}"),
            ModelPart::Embeddings => "embeddings".to_owned(),
        };
        let randomise = Randomise {
            parts: Parts::Some(parts.clone()),
            seed,
        };
        Stage {
            number: i + 1,
            name,
            randomise,
        }
    };
    from_the_top
        .chain([ModelPart::Embeddings])
        .enumerate()
        .map(stage)
        .collect()
}

impl<'a> Sanity<'a> {
    /// Draws so many of the comparison's questions, the same each time.
    ///
    /// # Errors
    ///
    /// Where its folder cannot be made.
    pub fn new(comparison: &'a Comparison, sample: usize) -> Result<Self, StudyError> {
        let folder = comparison.folder().join(format!("sanity-{sample}"));
        fs::create_dir_all(&folder).map_err(|source| StudyError::Io {
            action: "made",
            path: folder.clone(),
            source,
        })?;
        let questions = comparison.plan_of().run.data.questions;
        Ok(Self {
            comparison,
            folder,
            sample: drawn(questions, sample, 0, 0),
        })
    }

    /// How many questions.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.sample.len()
    }

    fn steps(&self) -> Vec<Step> {
        let layers = self.comparison.plan_of().run.model.info.layers;
        let stages = stages(layers, 0).into_iter().map(Step::Stage);
        [Step::References].into_iter().chain(stages).collect()
    }

    fn file(&self, step: &Step) -> PathBuf {
        self.folder.join(match step {
            Step::References => "references.parquet".to_owned(),
            Step::Stage(stage) => format!("stage-{:03}.parquet", stage.number),
        })
    }

    /// What is not there yet.
    #[must_use]
    pub fn missing(&self) -> Vec<Step> {
        let mut steps = self.steps();
        steps.retain(|step| !self.file(step).exists());
        steps
    }

    /// Explains the questions by the trained model.
    ///
    /// # Errors
    ///
    /// Where one cannot be explained.
    pub fn originals<T: Real>(
        &self,
        questions: &[Question],
        explainer: &Explainer<T>,
        methods: &[Scored],
        options: &Options,
        mut done: impl FnMut(),
    ) -> Result<Vec<Original>, StudyError> {
        let of = |&at: &usize| {
            let question = &questions[at];
            let found = compare(question, explainer, methods, options)?;
            let explanation = &found[0].explanation;
            let answer = &explanation.answer;
            let place = Place {
                window: explanation.window.clone(),
                characters: answer.start.zip(answer.end).filter(|_| answer.has_answer),
            };
            let asked = self.comparison.asked(questions, at, answer);
            done();
            Ok(Original {
                asked,
                place,
                ranked: Ranked::of(found.iter()),
            })
        };
        self.sample.iter().map(of).collect()
    }

    /// Explains them by a model that has been re-initialised in part; the stage's file is there when this returns.
    ///
    /// # Errors
    ///
    /// Where one cannot be explained, or the file not written.
    pub fn stage<T: Real>(
        &self,
        stage: &Stage,
        questions: &[Question],
        randomised: &Explainer<T>,
        methods: &[Scored],
        options: &Options,
        originals: &[Original],
        mut done: impl FnMut(),
    ) -> Result<(), StudyError> {
        let names = self.comparison.plan_of().names();
        let mut rows = Vec::new();
        for (&at, original) in self.sample.iter().zip(originals) {
            let options = Options {
                answer: AnswerChoice::Place(original.place.clone()),
                ..options.clone()
            };
            let found = compare(&questions[at], randomised, methods, &options)?;
            let ranked = Ranked::of(found.iter());
            for (method, name) in names.iter().enumerate() {
                let (before, after) = (&original.ranked.scores[method], &ranked.scores[method]);
                let size =
                    |scores: &[f64]| scores.iter().map(|score| score.abs()).collect::<Vec<f64>>();
                for (metric, value) in [
                    ("randomised", spearman(before, after)),
                    ("randomised-size", spearman(&size(before), &size(after))),
                ] {
                    let mut row = original.asked.row(name, metric, value);
                    row.other = Some(stage.name.clone());
                    row.at = Some(stage.number);
                    rows.push(row);
                }
            }
            done();
        }
        let step = Step::Stage(stage.clone());
        Ok(write_whole(&self.file(&step), &encode(&rows)?)?)
    }

    /// Explains them against other references; the file is there when this returns. A reference whose token the vocabulary
    /// lacks is left out, and so is a method that compares with nothing or has references of its own.
    ///
    /// # Errors
    ///
    /// Where one cannot be explained, or the file not written.
    pub fn references<T: Real>(
        &self,
        questions: &[Question],
        explainer: &Explainer<T>,
        methods: &[Scored],
        options: &Options,
        originals: &[Original],
        mut done: impl FnMut(),
    ) -> Result<(), StudyError> {
        let plan = self.comparison.plan_of();
        let with_reference: Vec<usize> = (0..methods.len())
            .filter(|&method| {
                plan.methods[method].references > 0 && methods[method].reference.is_none()
            })
            .collect();
        let some: Vec<Scored> = with_reference
            .iter()
            .map(|&method| methods[method].clone())
            .collect();
        let names = plan.names();
        let mut rows = Vec::new();
        for (&at, original) in self.sample.iter().zip(originals) {
            for reference in REFERENCES
                .iter()
                .filter(|reference| **reference != options.reference)
            {
                let name = reference.name();
                let options = Options {
                    answer: AnswerChoice::Place(original.place.clone()),
                    reference: reference.clone(),
                    ..options.clone()
                };
                let found = match compare(&questions[at], explainer, &some, &options) {
                    Err(StudyError::Explain {
                        source: ExplainError::Reference(ReferenceError::NoToken { .. }),
                        ..
                    }) => continue,
                    found => found?,
                };
                let ranked = Ranked::of(found.iter());
                for (&method, after) in with_reference.iter().zip(&ranked.scores) {
                    let value = spearman(&original.ranked.scores[method], after);
                    let mut row = original.asked.row(&names[method], "reference", value);
                    row.other = Some(name.clone().into_owned());
                    rows.push(row);
                }
            }
            done();
        }
        Ok(write_whole(&self.file(&Step::References), &encode(&rows)?)?)
    }

    /// The rows of what is there.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, or is damaged.
    pub fn rows(&self) -> Result<Vec<Row>, StudyError> {
        let mut rows = Vec::new();
        for step in self.steps() {
            rows.extend(rows::read(&self.file(&step))?);
        }
        Ok(rows)
    }
}

fn compare<T: Real>(
    question: &Question,
    explainer: &Explainer<T>,
    methods: &[Scored],
    options: &Options,
) -> Result<Vec<Explained<T>>, StudyError> {
    let item = Item {
        question: &question.question,
        passage: &question.context,
    };
    let found = explainer.compare(item, methods, options, &mut |_, _| ());
    let found = found.map_err(|source| StudyError::Explain {
        id: question.id.clone(),
        source,
    })?;
    Ok(found.into_iter().map(|(explained, _)| explained).collect())
}
