//! `spanlift train`: an encoder fine-tuned on a data set, in a folder that goes on where it stopped.

use std::collections::VecDeque;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args as Group;

use spanlift::checkpoint::{CheckpointError, ModelPart, Parts, Problem, Randomise};
use spanlift::{Explainer, Options};
use spanlift_squad::Question;
use spanlift_store::{Data, Selection};
use spanlift_train::TrainError;
use spanlift_train::plan::{Settings, TrainPlan};
use spanlift_train::probe::{Probe, ProbePlan};
use spanlift_train::run::{Begin, Event, Run, planned, timed};

use crate::args::{AnsweringArgs, at_least_one, finite, reference_of_all};
use crate::data;
use crate::model::Model;
use crate::output::{self, Outcome, count};

/// Fine-tune an encoder on a data set of questions and answers
///
/// The folder holds the state of the run, what happened at each step (metrics.jsonl, loss.svg), and checkpoints that Hugging Face and `--model`
/// read: `last`, and `best` by F1 on the dev questions. Killed at any moment, the same command goes on, to the same weights (on the same kind of CPU).
#[derive(Debug, Group)]
pub(crate) struct TrainArgs {
    /// What to begin from: a checkpoint folder or a model of the hub, with a question-answering head or without (a fresh one is
    /// drawn); without it the embedded default model
    #[arg(long, value_name = "DIR|ORG/NAME[@REVISION]")]
    pub(crate) base: Option<PathBuf>,
    /// The questions to learn: SQuAD JSON, JSON lines or Parquet; plain, .gz or .zst
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Questions to be measured on
    #[arg(long, value_name = "FILE")]
    pub(crate) dev: Option<PathBuf>,
    /// The run's folder
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Only the first N questions of the data
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: Option<usize>,
    /// Of the dev questions so many are answered on the way and at the end, drawn by --seed
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub(crate) dev_sample: usize,
    /// How often all windows are gone through
    #[arg(long, value_name = "X", default_value_t = 2.0, value_parser = positive, conflicts_with_all = ["steps", "minutes"])]
    pub(crate) epochs: f64,
    /// So many steps
    #[arg(long, value_name = "N", value_parser = whole, conflicts_with = "minutes")]
    pub(crate) steps: Option<u64>,
    /// As many steps as fit into so many minutes, by the time of three behind the first; answering the dev questions, explaining the probe
    /// questions and writing come on top
    #[arg(long, value_name = "X", value_parser = minutes)]
    pub(crate) minutes: Option<f64>,
    /// Windows of a step
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub(crate) batch: usize,
    /// The most tokens that are in memory at once; a larger batch goes in packs, whose gradients add up
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = at_least_one)]
    pub(crate) pack_tokens: usize,
    /// The highest rate: reached by a line upwards, left by a line down to 0
    #[arg(long, value_name = "X", default_value_t = 5e-5, value_parser = positive)]
    pub(crate) rate: f64,
    /// The share of the steps in which the rate rises
    #[arg(long, value_name = "X", default_value_t = 0.1, value_parser = share)]
    pub(crate) warm_up: f64,
    /// Weight decay of all but biases and norms
    #[arg(long, value_name = "X", default_value_t = 0.01, value_parser = share)]
    pub(crate) weight_decay: f64,
    /// The share of hidden units that are dropped behind the embeddings, the attention and the feed-forward blocks
    #[arg(long, value_name = "X", default_value_t = 0.1, value_parser = share)]
    pub(crate) dropout: f64,
    /// The share of attention probabilities that are dropped
    #[arg(long, value_name = "X", default_value_t = 0.1, value_parser = share)]
    pub(crate) attention_dropout: f64,
    /// The most that the gradients' norm may be
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub(crate) clip: f64,
    /// What order, dropout, a fresh head and the dev sample are drawn by
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// The embeddings stay as they are
    #[arg(long)]
    pub(crate) freeze_embeddings: bool,
    /// The first N layers stay as they are
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) freeze_layers: usize,
    /// The longest window, in tokens
    #[arg(long, value_name = "N", default_value_t = 384, value_parser = at_least_one)]
    pub(crate) max_tokens: usize,
    /// Passage tokens from the start of one window to the next
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    pub(crate) stride: usize,
    /// Steps after which the state is written
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = whole)]
    pub(crate) save_every: u64,
    /// Steps after which the dev questions are answered
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = whole)]
    pub(crate) evaluate_every: u64,
    /// Questions that are explained on the way, into DIR/probes: `spanlift study training DIR` shows how the attention forms
    #[arg(long, value_name = "FILE")]
    pub(crate) probe: Option<PathBuf>,
    /// Steps from one time that the probe questions are explained to the next; also before the first step and behind the last
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = whole, requires = "probe")]
    pub(crate) every: u64,
    /// What the probe questions are compared with: mask, pad, unk, zero, mean, passage, question, or several averaged (mask+zero)
    #[arg(long, value_name = "NAME", default_value = "mask", requires = "probe")]
    pub(crate) reference: String,
    /// Write checkpoints in half precision
    #[arg(long)]
    pub(crate) f16: bool,
    /// Take a model of the hub from the cache and ask nothing (as HF_HUB_OFFLINE=1)
    #[arg(long)]
    pub(crate) offline: bool,
    /// Threads; without it one for each core
    #[arg(long, value_name = "N", value_parser = crate::args::threads)]
    pub(crate) threads: Option<usize>,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = finite(text)?;
    (number > 0.0)
        .then_some(number)
        .ok_or_else(|| "expected a number above 0".to_owned())
}

/// Two years.
const MOST_MINUTES: f64 = 1e6;

fn minutes(text: &str) -> Result<f64, String> {
    let number = positive(text)?;
    (number <= MOST_MINUTES)
        .then_some(number)
        .ok_or_else(|| format!("expected at most {MOST_MINUTES}"))
}

fn whole(text: &str) -> Result<u64, String> {
    at_least_one(text).map(|n| n as u64)
}

fn share(text: &str) -> Result<f64, String> {
    let number = finite(text)?;
    let inside = (0.0..1.0).contains(&number);
    inside
        .then_some(number)
        .ok_or_else(|| "expected a number from 0 to below 1".to_owned())
}

/// Losses that the bar's number is the mean of.
const SHOWN: usize = 50;

pub(crate) fn run(args: &TrainArgs) -> anyhow::Result<Outcome> {
    output::check_folder_to_be("--out", &args.out)?;
    let answering = AnsweringArgs {
        model: args.base.clone(),
        offline: args.offline,
        randomise: None,
        null_threshold: 0.0,
        max_tokens: args.max_tokens,
        stride: args.stride,
        threads: args.threads,
    };
    answering.start_threads()?;
    let (mut questions, bad_records) = data::questions("--data", &args.data, false)?;
    let of = questions.len();
    questions.truncate(args.limit.unwrap_or(usize::MAX));
    let learned = described(&args.data, &questions, of, bad_records);
    let (dev, dev_data) = match &args.dev {
        Some(file) => {
            let (all, bad_records) = data::questions("--dev", file, false)?;
            let of = all.len();
            let selection = Selection {
                limit: None,
                sample: Some(args.dev_sample),
                seed: args.seed,
            };
            let dev = selection.of(all);
            let data = described(file, &dev, of, bad_records);
            (dev, Some(data))
        }
        None => (Vec::new(), None),
    };
    let (probed, probe_data) = match &args.probe {
        Some(file) => {
            let (all, bad_records) = data::questions("--probe", file, false)?;
            let data = described(file, &all, all.len(), bad_records);
            (all, Some(data))
        }
        None => (Vec::new(), None),
    };
    let explained = Options {
        answering: answering.options(),
        reference: reference_of_all(&args.reference)?,
        ..Options::default()
    };
    let model = Model::find_as("--base", &answering)?;
    let explainer = load(&model, args.seed)?;
    let info = explainer.model_info();
    ensure!(
        args.freeze_layers <= info.layers,
        "--freeze-layers: the model has {}, got {}",
        count(info.layers, "layer"),
        args.freeze_layers
    );
    let checkpoint = explainer.into_checkpoint();
    let settings = args.settings();
    let files = model.files()?;
    let files = spanlift_train::files::for_answering(
        files,
        checkpoint.encoder.config.family,
        settings.precision(),
    )
    .context("--base")?;
    let mut begin = Begin {
        plan: TrainPlan {
            format: TrainPlan::FORMAT.to_owned(),
            version: TrainPlan::VERSION,
            spanlift: env!("CARGO_PKG_VERSION").to_owned(),
            base: info,
            base_sha256: model.hash()?,
            data: learned,
            dev: dev_data,
            probe: probe_data.map(|data| ProbePlan {
                data,
                reference: explained.method().reference,
                every: args.every,
            }),
            settings,
        },
        checkpoint,
        files: &files,
        questions: &questions,
        dev: &dev,
        answering: answering.options(),
        probe: args.probe.is_some().then_some(Probe {
            questions: &probed,
            options: &explained,
        }),
    };
    begin.plan.settings.steps = steps(args, &begin)?;
    let mut run = Run::open(&args.out, begin).map_err(named)?;
    if run.done() == run.steps() {
        output::note(&format!(
            "`{}`: all {} are done",
            args.out.display(),
            count(usize::try_from(run.steps()).unwrap_or(usize::MAX), "step")
        ));
    } else if run.done() > 0 {
        output::note(&format!(
            "`{}`: going on after step {} of {}",
            args.out.display(),
            run.done(),
            run.steps()
        ));
    }
    let bar = output::progress(usize::try_from(run.steps()).unwrap_or(usize::MAX), "train");
    bar.inc(run.done());
    bar.reset_eta();
    let mut losses: VecDeque<f64> = VecDeque::new();
    let mut watch = |event: &Event| match event {
        Event::Step { loss, rate, .. } => {
            losses.push_back(*loss);
            if losses.len() > SHOWN {
                losses.pop_front();
            }
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            // First the step: what is drawn before it would take the time since the last one for standing still.
            bar.inc(1);
            bar.set_prefix(format!("loss {mean:.3}, rate {rate:.1e}"));
        }
        Event::Dev {
            step,
            exact,
            f1,
            questions,
            best,
        } => bar.suspend(|| {
            let best = if *best { ", the best so far" } else { "" };
            output::note(&format!(
                "step {step}: exact {exact:.2}, F1 {f1:.2} of {questions} dev questions{best}"
            ));
        }),
        Event::Probe { .. } => {}
    };
    let trained = run.go(u64::MAX, &mut watch);
    bar.finish_and_clear();
    trained.map_err(|error| {
        let folder = args.out.display();
        let context = match error {
            // The same command would come to the same.
            TrainError::NotFinite { .. } => format!("--out: `{folder}`"),
            _ => format!("--out: `{folder}` (what is done is kept: the same command goes on)"),
        };
        anyhow::Error::new(error).context(context)
    })?;
    output::print(&closing(args, &run))?;
    Ok(Outcome::Done)
}

impl TrainArgs {
    /// But for the number of steps.
    fn settings(&self) -> Settings {
        Settings {
            batch: self.batch,
            pack_tokens: self.pack_tokens,
            steps: 1,
            rate: self.rate,
            warm_up: self.warm_up,
            weight_decay: self.weight_decay,
            dropout: self.dropout,
            attention_dropout: self.attention_dropout,
            clip: self.clip,
            seed: self.seed,
            max_tokens: self.max_tokens,
            stride: self.stride,
            freeze_embeddings: self.freeze_embeddings,
            freeze_layers: self.freeze_layers,
            save_every: self.save_every,
            evaluate_every: self.evaluate_every,
            f16: self.f16,
        }
    }
}

fn described(
    file: &std::path::Path,
    questions: &[Question],
    of: usize,
    bad_records: usize,
) -> Data {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Data::new(&name, questions, of, bad_records)
}

/// The base; where it has no head, with one that is drawn.
fn load(model: &Model, seed: u64) -> anyhow::Result<Explainer<f32>> {
    let error = match model.load() {
        Ok(explainer) => return Ok(explainer),
        Err(error) => error,
    };
    let headless = match error.downcast_ref::<CheckpointError>() {
        Some(CheckpointError::Invalid { problems, .. }) => {
            matches!(problems[..], [Problem::NoHead { .. }])
        }
        _ => false,
    };
    if !headless {
        // The place where it was is --model's elsewhere.
        return Err(error.context("--base"));
    }
    output::note("the base has no question-answering head: a fresh one is drawn");
    let parts = Parts::Some([ModelPart::Head].into());
    model.load_with(Some(&Randomise { parts, seed }))
}

/// With the option that it is of.
fn named(error: TrainError) -> anyhow::Error {
    let option = match &error {
        TrainError::Encode { what, .. } if what.starts_with("dev") => "--dev",
        TrainError::Encode { what, .. } if what.starts_with("probe") => "--probe",
        TrainError::Encode { .. } | TrainError::NoQuestion => "--data",
        _ => "--out",
    };
    anyhow::Error::new(error).context(option)
}

/// How many steps were asked for. A run that is there keeps the number that its first minutes gave.
fn steps(args: &TrainArgs, begin: &Begin<'_>) -> anyhow::Result<u64> {
    if let Some(steps) = args.steps {
        return Ok(steps);
    }
    let Some(minutes) = args.minutes else {
        let windows = spanlift_train::run::windows(begin).map_err(named)?;
        let steps = args.epochs * windows.len() as f64 / args.batch as f64;
        return Ok((steps.ceil() as u64).max(1));
    };
    if let Some(there) = planned(&args.out).context("--out")? {
        return Ok(there.settings.steps);
    }
    let seconds = timed(begin, 3).map_err(named)?;
    if !seconds.is_finite() || seconds <= 0.0 {
        bail!("--minutes: expected a step to take some time, got {seconds} s");
    }
    let steps = (60.0 * minutes / seconds) as u64;
    output::note(&format!(
        "a step takes {seconds:.2} s: {} in {minutes} minutes",
        count(usize::try_from(steps.max(1)).unwrap_or(usize::MAX), "step")
    ));
    Ok(steps.max(1))
}

fn closing(args: &TrainArgs, run: &Run<'_>) -> String {
    let mark = &run.trainer().state().mark;
    let steps = run.events().iter().rev().filter_map(|event| match event {
        Event::Step { loss, .. } => Some(*loss),
        Event::Dev { .. } | Event::Probe { .. } => None,
    });
    let losses: Vec<f64> = steps.take(SHOWN).collect();
    let loss = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
    let epochs = run.done() as f64 / run.epoch() as f64;
    let mut text = format!(
        "{}, {epochs:.2} epochs of {} in {:.0} s; loss {loss:.3} over the last {}\n",
        count(usize::try_from(run.done()).unwrap_or(usize::MAX), "step"),
        count(run.windows(), "window"),
        mark.seconds,
        count(losses.len(), "step"),
    );
    let folder = args.out.display();
    if let Some((f1, step)) = mark.best.filter(|_| args.out.join("best").is_dir()) {
        text.push_str(&format!(
            "best F1 {f1:.2} on the dev questions, at step {step}: {folder}/best\n"
        ));
    }
    text.push_str(&format!(
        "the last: {folder}/last\nthe loss: {folder}/loss.svg\n"
    ));
    if args.probe.is_some() {
        text.push_str(&format!(
            "the probe questions: spanlift study training {folder} -o training.html\n"
        ));
    }
    text
}
