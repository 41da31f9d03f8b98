//! A run of training in its folder: it goes on where it stopped, to the same weights.
//!
//! ```text
//!  DIR/train.json           the plan; another plan in the same folder is refused
//!  DIR/train.lock           held by the process that trains here; another is refused
//!  DIR/state.safetensors    weights, moments, steps done
//!  DIR/metrics.jsonl        a line a step, and one each time the dev questions were answered
//!  DIR/loss.svg             the same as a picture
//!  DIR/probes/              the probe questions explained, at each step marked
//!  DIR/last, DIR/best       checkpoints as Hugging Face reads them: config, tokenizer, model.safetensors
//! ```

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use spanlift::Explainer;
use spanlift::answer::AnswerOptions;
use spanlift::checkpoint::{Checkpoint, safetensors};
use spanlift_squad::{Question, score};
use spanlift_store::{check_kind, tidy, try_lock, write_whole};

use crate::TrainError;
use crate::features::{Cut, Feature, features};
use crate::order::Order;
use crate::picture::picture;
use crate::plan::TrainPlan;
use crate::probe::{self, Probe};
use crate::state::{self, State};
use crate::trainer::{Step, Trainer, names};

const PLAN: &str = "train.json";
const LOCK: &str = "train.lock";
const METRICS: &str = "metrics.jsonl";
const PICTURE: &str = "loss.svg";
const WEIGHTS: &str = "model.safetensors";
const LAST: &str = "last";
const BEST: &str = "best";

/// What happened, a line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A step.
    Step {
        /// Which, from 1.
        step: u64,
        /// Epochs done with it.
        epoch: f64,
        /// The mean loss of its windows.
        loss: f64,
        /// The rate.
        rate: f64,
        /// The gradients' norm, before it is clipped.
        norm: f64,
        /// Windows.
        windows: usize,
        /// Their tokens.
        tokens: usize,
        /// Seconds of training so far.
        seconds: f64,
    },
    /// The dev questions answered.
    Dev {
        /// Behind which step.
        step: u64,
        /// Exact match, in per cent.
        exact: f64,
        /// F1, in per cent.
        f1: f64,
        /// How many.
        questions: usize,
        /// Whether no F1 before was as high.
        best: bool,
    },
    /// The probe questions explained.
    Probe {
        /// Behind which step.
        step: u64,
    },
}

impl Event {
    /// The step that it is of, or behind.
    #[must_use]
    pub fn step(&self) -> u64 {
        match self {
            Self::Step { step, .. } | Self::Dev { step, .. } | Self::Probe { step } => *step,
        }
    }
}

/// What a run is made of.
#[derive(Debug)]
pub struct Begin<'a> {
    /// The plan.
    pub plan: TrainPlan,
    /// What it begins from.
    pub checkpoint: Checkpoint<f32>,
    /// Files of the base's folder that a checkpoint has beside its weights: name and bytes.
    pub files: &'a [(String, Vec<u8>)],
    /// What is learned.
    pub questions: &'a [Question],
    /// What is answered on the way.
    pub dev: &'a [Question],
    /// How these are answered.
    pub answering: AnswerOptions,
    /// What is explained on the way, where the plan says when.
    pub probe: Option<Probe<'a>>,
}

/// A run of training.
#[derive(Debug)]
pub struct Run<'a> {
    folder: PathBuf,
    begin: Begin<'a>,
    trainer: Trainer,
    names: Vec<String>,
    features: Vec<Feature>,
    order: Order,
    /// Of the steps up to the state's, and since.
    events: Vec<Event>,
    _lock: File,
}

/// The plan of a run that is in this folder, if there is one.
///
/// # Errors
///
/// Where its `train.json` cannot be read, or is none.
pub fn planned(folder: &Path) -> Result<Option<TrainPlan>, TrainError> {
    let path = folder.join(PLAN);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let plan = serde_json::from_slice(&bytes);
    plan.map(Some).map_err(|error| TrainError::State {
        path,
        reason: error.to_string(),
    })
}

/// What happened in the run of a folder, as far as it is written.
///
/// # Errors
///
/// Where its `metrics.jsonl` cannot be read, or a line of it is no event.
pub fn events(folder: &Path) -> Result<Vec<Event>, TrainError> {
    let path = folder.join(METRICS);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let of = |(at, line): (usize, &str)| {
        serde_json::from_str::<Event>(line).map_err(|error| TrainError::State {
            path: path.clone(),
            reason: format!(
                "line {}: {error} (without this file a run goes on, and tells nothing of the steps before)",
                at + 1
            ),
        })
    };
    text.lines().enumerate().map(of).collect()
}

/// The windows that a run learns from.
///
/// # Errors
///
/// [`TrainError::Encode`] for the first question that cannot be encoded, [`TrainError::NoQuestion`] where there is none.
pub fn windows(begin: &Begin<'_>) -> Result<Vec<Feature>, TrainError> {
    let settings = &begin.plan.settings;
    let cut = Cut {
        max_tokens: settings
            .max_tokens
            .min(begin.checkpoint.encoder.config.positions),
        stride: settings.stride,
    };
    let features = features(begin.questions, &begin.checkpoint.vocabulary, cut)?;
    if features.is_empty() {
        return Err(TrainError::NoQuestion);
    }
    Ok(features)
}

/// Each of these questions has windows, so that none ends the run behind its first steps.
fn check(
    what: &'static str,
    questions: &[Question],
    begin: &Begin<'_>,
    answering: &AnswerOptions,
) -> Result<(), TrainError> {
    let vocabulary = &begin.checkpoint.vocabulary;
    let positions = begin.checkpoint.encoder.config.positions;
    let max_tokens = answering.max_tokens.min(positions);
    let fault = |question: &Question| {
        let encoded = vocabulary.encode(&question.question, &question.context);
        let windows =
            encoded.and_then(|encoded| encoded.windows(vocabulary, max_tokens, answering.stride));
        windows.err().map(|source| TrainError::Encode {
            what,
            id: question.id.clone(),
            source,
        })
    };
    // The first, whichever thread comes to one first.
    questions
        .par_iter()
        .find_map_first(fault)
        .map_or(Ok(()), Err)
}

/// Seconds that a step of a run takes, in the mean of so many that nothing comes of; the first is not counted.
///
/// # Errors
///
/// As for [`Run::open`] and [`Run::go`].
pub fn timed(begin: &Begin<'_>, steps: u64) -> Result<f64, TrainError> {
    let settings = &begin.plan.settings;
    let windows = windows(begin)?;
    let mut order = Order::new(windows.len(), settings.batch, settings.seed);
    let mut trainer = Trainer::new(begin.checkpoint.clone(), None, settings);
    let mut begun = Instant::now();
    for t in 0..=steps {
        let batch: Vec<&Feature> = order.batch(t + 1).iter().map(|&at| &windows[at]).collect();
        trainer.step(&batch, settings)?;
        if t == 0 {
            begun = Instant::now();
        }
    }
    Ok(begun.elapsed().as_secs_f64() / steps.max(1) as f64)
}

impl<'a> Run<'a> {
    /// Makes the folder, or goes on in it where it holds the same plan.
    ///
    /// # Errors
    ///
    /// [`TrainError::OtherRun`] where it holds another, [`TrainError::Busy`] where another process trains in it,
    /// [`TrainError::NoQuestion`] where there is nothing to learn; and where the folder cannot be used, or a question, of the dev and
    /// the probe questions too, not be encoded.
    pub fn open(folder: &Path, begin: Begin<'a>) -> Result<Self, TrainError> {
        let settings = &begin.plan.settings;
        let features = windows(&begin)?;
        check("dev question", begin.dev, &begin, &begin.answering)?;
        if let Some(probe) = begin.probe {
            let answering = &probe.options.answering;
            check("probe question", probe.questions, &begin, answering)?;
        }
        check_kind(folder, PLAN)?;
        fs::create_dir_all(folder).map_err(failed("made", folder))?;
        // Where a file system has no locks, nothing is locked, and two processes at once would spoil each other's run.
        let path = folder.join(LOCK);
        let lock = try_lock(&path)?.ok_or(TrainError::Busy { path })?;
        let path = folder.join(PLAN);
        match planned(folder)? {
            Some(there) => {
                let differences = there.differences(&begin.plan);
                if !differences.is_empty() {
                    return Err(TrainError::OtherRun { path, differences });
                }
                for folder in ["", LAST, BEST].map(|name| folder.join(name)) {
                    if folder.is_dir() {
                        tidy(&folder)?;
                    }
                }
            }
            None => write_whole(&path, &json(&begin.plan, &path)?)?,
        }
        let parameters = begin.checkpoint.encoder.parameters();
        let names = names(&parameters);
        let sizes: Vec<usize> = parameters.iter().map(|parameter| parameter.len()).collect();
        let state = State::read(&state::file(folder), &names, &sizes)?;
        let trainer = Trainer::new(begin.checkpoint.clone(), state, settings);
        let order = Order::new(features.len(), settings.batch, settings.seed);
        let mut run = Self {
            folder: folder.to_owned(),
            trainer,
            names,
            features,
            order,
            events: Vec::new(),
            begin,
            _lock: lock,
        };
        run.events = events(folder)?;
        run.events
            .retain(|event| event.step() <= run.trainer.state().mark.step);
        Ok(run)
    }

    /// Steps done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.trainer.state().mark.step
    }

    /// Steps in all.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.begin.plan.settings.steps
    }

    /// Windows to learn from.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.features.len()
    }

    /// Steps of an epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.order.steps()
    }

    /// The model as it is now.
    #[must_use]
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// What happened so far.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Trains up to step `until`, or to the last; `watch` is told what happens. The state is written every so many steps, whenever the dev
    /// questions were answered, and at the end.
    ///
    /// # Errors
    ///
    /// Where numbers overflow, a dev question cannot be answered, or files cannot be written. What was written stays.
    pub fn go(&mut self, until: u64, watch: &mut dyn FnMut(&Event)) -> Result<(), TrainError> {
        let settings = self.begin.plan.settings.clone();
        let until = until.min(settings.steps);
        if self.done() == 0 && self.events.is_empty() {
            self.probe(0, watch)?;
        }
        while self.done() < until {
            let begun = Instant::now();
            let batch = self.order.batch(self.done() + 1);
            let windows: Vec<&Feature> = batch.iter().map(|&at| &self.features[at]).collect();
            let step = self.trainer.step(&windows, &settings)?;
            self.trainer.state_mut().mark.seconds += begun.elapsed().as_secs_f64();
            let event = self.event(step);
            watch(&event);
            self.events.push(event);
            let last = step.number == settings.steps;
            let dev = !self.begin.dev.is_empty();
            let evaluate = last || step.number.is_multiple_of(settings.evaluate_every.max(1));
            if dev && evaluate {
                let event = self.evaluate()?;
                watch(&event);
                self.events.push(event);
            }
            let probed = self.probe(step.number, watch)?;
            let due = step.number.is_multiple_of(settings.save_every.max(1));
            if due || evaluate || probed || step.number == until {
                self.save()?;
            }
        }
        // Somebody removed it.
        if self.done() > 0 && !self.folder.join(LAST).join(WEIGHTS).exists() {
            self.save()?;
        }
        Ok(())
    }

    fn event(&self, step: Step) -> Event {
        Event::Step {
            step: step.number,
            epoch: step.number as f64 / self.order.steps() as f64,
            loss: step.loss,
            rate: step.rate,
            norm: step.norm,
            windows: step.windows,
            tokens: step.tokens,
            seconds: self.trainer.state().mark.seconds,
        }
    }

    /// Explains the probe questions, where they are due behind this step.
    fn probe(&mut self, step: u64, watch: &mut dyn FnMut(&Event)) -> Result<bool, TrainError> {
        let plan = &self.begin.plan;
        let (Some(planned), Some(probe)) = (&plan.probe, self.begin.probe) else {
            return Ok(false);
        };
        if !planned.is_due(step, plan.settings.steps) {
            return Ok(false);
        }
        let values = &self.trainer.state().values;
        probe::explain(
            &self.folder,
            planned,
            probe,
            self.trainer.checkpoint(),
            values,
            step,
        )?;
        let event = Event::Probe { step };
        watch(&event);
        self.events.push(event);
        Ok(true)
    }

    /// Answers the dev questions, and keeps the model where it is the best so far.
    fn evaluate(&mut self) -> Result<Event, TrainError> {
        let explainer = Explainer::new(self.trainer.checkpoint().clone());
        let answering = &self.begin.answering;
        let of = |question: &Question| {
            let answered = explainer.answer(&question.question, &question.context, answering);
            let answers = answered.map_err(|source| TrainError::Answer {
                id: question.id.clone(),
                source,
            })?;
            let gold = question.answers.iter().map(|gold| gold.text.as_str());
            Ok(score(&answers.answer.text, gold))
        };
        let scores: Vec<Result<_, TrainError>> = self.begin.dev.par_iter().map(of).collect();
        let scores = scores.into_iter().collect::<Result<Vec<_>, _>>()?;
        let n = scores.len() as f64;
        let exact = 100.0 * scores.iter().map(|score| score.exact).sum::<f64>() / n;
        let f1 = 100.0 * scores.iter().map(|score| score.f1).sum::<f64>() / n;
        let step = self.done();
        let mark = &mut self.trainer.state_mut().mark;
        let best = mark.best.is_none_or(|(best, _)| f1 > best);
        if best {
            mark.best = Some((f1, step));
            self.write(BEST)?;
        }
        Ok(Event::Dev {
            step,
            exact,
            f1,
            questions: scores.len(),
            best,
        })
    }

    /// Writes a checkpoint: files that do not change first, the weights last.
    fn write(&self, name: &str) -> Result<(), TrainError> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).map_err(failed("made", &folder))?;
        for (name, bytes) in self.begin.files {
            let path = folder.join(name);
            if !path.exists() {
                write_whole(&path, bytes)?;
            }
        }
        let bytes = safetensors(
            self.trainer.checkpoint(),
            self.begin.plan.settings.precision(),
        );
        Ok(write_whole(&folder.join(WEIGHTS), &bytes)?)
    }

    /// Writes the checkpoint, what happened, and last the state: killed between, the steps behind the state are done again.
    fn save(&self) -> Result<(), TrainError> {
        self.write(LAST)?;
        let path = self.folder.join(METRICS);
        let mut lines = Vec::new();
        for event in &self.events {
            lines.append(&mut json(event, &path)?);
        }
        write_whole(&path, &lines)?;
        write_whole(&self.folder.join(PICTURE), picture(&self.events).as_bytes())?;
        self.trainer
            .state()
            .write(&state::file(&self.folder), &self.names)
    }
}

/// A line of JSON.
fn json(value: &impl Serialize, path: &Path) -> Result<Vec<u8>, TrainError> {
    let mut line = serde_json::to_vec(value).map_err(|error| TrainError::State {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    line.push(b'\n');
    Ok(line)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
    let path = path.to_owned();
    move |source| TrainError::Io {
        action,
        path,
        source,
    }
}
