//! What can be typed.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args as Group, Parser, Subcommand, ValueEnum};

use spanlift::answer::AnswerOptions;
use spanlift::attribute::Reference;
use spanlift::attribute::rules::{
    Preset, RESCALE, REVEAL_CANCEL, SIGMA_FIXED, SOFTMAX_FIXED, SOFTMAX_GRADIENT, SOFTMAX_PATH,
};
use spanlift::checkpoint::Randomise;
use spanlift::{AnswerChoice, Options};
use spanlift_explanation::TargetKind;
use spanlift_render::colour::{Palette, Ramp};
use spanlift_render::{Options as RenderOptions, Scale as RenderScale, TerminalOptions, Unit};
use spanlift_store::{Keep, Plan, Selection};

use crate::compare::CompareArgs;
use crate::controls::{self, AnswersArg};
use crate::method::MethodArgs;
use crate::output;
use crate::study::args::StudyArgs;
use crate::train::TrainArgs;

/// Why did a BERT question-answering model give its answer?
///
/// DeepLIFT once back through the whole network: a signed score for every token at every layer and every attention
/// head, and at each layer the scores add up exactly.
///
/// Exit codes: 0 done; 1 done, but a check failed or sums did not hold; 2 bad input or failure.
#[derive(Debug, Parser)]
#[command(name = "spanlift", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(Box<ExplainArgs>),
    Render(RenderArgs),
    Audit(AuditArgs),
    Evaluate(EvaluateArgs),
    Attribute(AttributeArgs),
    Show(ShowArgs),
    Compare(CompareArgs),
    Study(StudyArgs),
    Train(TrainArgs),
}

/// Answer a question about a passage and show why
#[derive(Debug, Group)]
pub(crate) struct ExplainArgs {
    /// The question
    #[arg(required_unless_present = "data")]
    pub(crate) question: Option<String>,
    /// The passage: a UTF-8 text file, or - for standard input
    #[arg(long, value_name = "FILE", required_unless_present = "data")]
    pub(crate) passage: Option<PathBuf>,
    /// Take question and passage from a data set: SQuAD JSON, JSON lines or Parquet; plain, .gz or .zst
    #[arg(long, value_name = "FILE", requires = "id", conflicts_with_all = ["question", "passage"])]
    pub(crate) data: Option<PathBuf>,
    /// The question's id in that file
    #[arg(long, requires = "data")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    pub(crate) method: MethodArgs,
    /// What to compare the input with: mask, pad, unk, zero, mean, passage, question, several of these averaged (mask+zero), or
    /// tokens:FILE (JSON: one id for each token of the explained window, as an explanation's `tokens` have them; or several such lists, to average)
    #[arg(long, default_value = "mask")]
    pub(crate) reference: String,
    /// The number to explain: span (start + end logit of the answer), start, end, or margin (best span − no answer)
    #[arg(long, value_enum, default_value_t = TargetArg::Span)]
    pub(crate) target: TargetArg,
    /// Explain the answer against another span of the passage ("" for no answer)
    #[arg(long, value_name = "TEXT", conflicts_with = "target")]
    pub(crate) versus: Option<String>,
    /// Explain this span of the passage in place of the model's own answer ("" for no answer)
    #[arg(long, value_name = "TEXT")]
    pub(crate) answer: Option<String>,
    /// Explain every window of a long passage, each for its own best span or no answer (the answer's window for the
    /// answer), and show them as one document; -o FILE.json writes all of them
    #[arg(long, conflicts_with_all = ["figures", "check", "edges", "attention"])]
    pub(crate) all_windows: bool,
    /// How many of the best spans to keep
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub(crate) n_best: usize,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
    /// Mask the five words with the highest scores and compare the target's drop with random words (exit code 1 where
    /// they do not beat nine of ten draws)
    #[arg(long)]
    pub(crate) check: bool,
    /// Write all edge scores: pattern.LAYER and content.LAYER, (heads, tokens, tokens) each, layers from 1
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) edges: Option<PathBuf>,
    /// Write the attention probabilities: attention.LAYER, (heads, tokens, tokens) each, layers from 1
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) attention: Option<PathBuf>,
}

/// Draw a saved explanation again
#[derive(Debug, Group)]
pub(crate) struct RenderArgs {
    /// An explanation that `explain -o x.json` wrote
    #[arg(value_name = "FILE.json")]
    pub(crate) explanation: PathBuf,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
}

/// How an explanation is drawn and where it is written.
#[derive(Debug, Group)]
pub(crate) struct PictureArgs {
    /// Write the explanation to a file; its name's ending chooses the format: .json, .html, .svg, .png
    #[arg(short, long = "output", value_name = "FILE")]
    pub(crate) outputs: Vec<PathBuf>,
    /// Write the paper's set of figures, SVG and PNG: one for each layer and one for the output
    #[arg(long, value_name = "DIR")]
    pub(crate) figures: Option<PathBuf>,
    /// A colour scale for each layer, as in the paper, or one for all
    #[arg(long, value_enum, default_value_t = ScaleArg::Layer)]
    pub(crate) scale: ScaleArg,
    /// Colours of pictures and pages
    #[arg(long, value_enum, default_value_t = PaletteArg::RedBlue)]
    pub(crate) palette: PaletteArg,
    /// How a score becomes a colour: in proportion, or by its square root, which shows small scores beside large ones
    /// (the legend has the true numbers)
    #[arg(long, value_enum, default_value_t = RampArg::Linear)]
    pub(crate) ramp: RampArg,
    /// What has a colour and is listed: whole words, or the wordpieces that the model saw (a page begins with it)
    #[arg(long, value_enum, default_value_t = UnitArg::Words)]
    pub(crate) unit: UnitArg,
    /// When to use colours in the terminal (through a pager: --color always, and less -R)
    #[arg(long, value_enum, default_value_t = ColourArg::Auto)]
    pub(crate) color: ColourArg,
}

/// Explain the questions of a data set and report how exactly the scores add up
#[derive(Debug, Group)]
pub(crate) struct AuditArgs {
    /// A data set: SQuAD JSON, JSON lines or Parquet; plain, .gz or .zst
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Only the first N questions
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: Option<usize>,
    /// What to compare the input with; several, separated by commas, are audited in turn
    #[arg(long, value_delimiter = ',', default_value = "mask")]
    pub(crate) reference: Vec<String>,
    /// Explain each question in this precision as well, and report how far apart the scores are
    #[arg(long, value_enum, value_name = "PRECISION")]
    pub(crate) against: Option<PrecisionArg>,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Answer all questions of a data set and score the answers as the official script of SQuAD 2.0 does
#[derive(Debug, Group)]
pub(crate) struct EvaluateArgs {
    /// A data set: SQuAD JSON, or the flat records of Hugging Face `datasets` as JSON lines or Parquet; plain, .gz or .zst
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Only the first N questions
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: Option<usize>,
    /// Count and list bad records, and questions that cannot be put to the model, and go on without them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Write predictions.json, null_odds.json and metrics.json into this folder; an interrupted run goes on from there
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Score these predictions (a JSON object from ids to texts) in place of a model's
    #[arg(long, value_name = "FILE",
          conflicts_with_all = ["model", "offline", "randomise", "null_threshold", "max_tokens", "stride", "threads"])]
    pub(crate) predictions: Option<PathBuf>,
    /// Their null odds (a JSON object from ids to numbers), for the best thresholds
    #[arg(long, value_name = "FILE", requires = "predictions")]
    pub(crate) null_odds: Option<PathBuf>,
    /// With larger null odds a given prediction counts as no answer
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true, value_parser = finite,
          requires = "null_odds")]
    pub(crate) na_prob_thresh: f64,
    #[command(flatten)]
    pub(crate) answering: AnsweringArgs,
}

/// Explain every question of a data set, into a folder of Parquet files
///
/// The work is done in chunks of the data set, each a file that is there whole or not at all: killed at any moment, the same
/// command goes on where it was. The same command with --chunks, in as many processes or machines as you like, does parts of
/// it; whoever does the last of them finishes the run.
#[derive(Debug, Group)]
pub(crate) struct AttributeArgs {
    /// A data set: SQuAD JSON, or the flat records of Hugging Face `datasets` as JSON lines or Parquet; plain, .gz or .zst
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// The run's folder: run.json, and the Parquet files in parts/
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Only the first N questions
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "sample")]
    pub(crate) limit: Option<usize>,
    /// Only N questions drawn at random, in the order of the file
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) sample: Option<usize>,
    /// What they are drawn by
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "sample",
        conflicts_with = "limit"
    )]
    pub(crate) seed: u64,
    /// Only these chunks, from A up to but without B, counted from 0
    #[arg(long, value_name = "A..B", value_parser = range)]
    pub(crate) chunks: Option<Range<usize>>,
    /// Questions of a chunk (another number makes another run)
    #[arg(long, value_name = "N", default_value_t = Plan::CHUNK, value_parser = chunk_size)]
    pub(crate) chunk_size: usize,
    /// Count and list bad records, and questions that cannot be put to the model, and go on without them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// What to compare the input with: mask, pad, unk, zero, mean, passage, question, or several averaged (mask+zero)
    #[arg(long, default_value = "mask")]
    pub(crate) reference: String,
    /// The number to explain: span (start + end logit of the answer), start, end, or margin (best span − no answer)
    #[arg(long, value_enum, default_value_t = TargetArg::Span)]
    pub(crate) target: TargetArg,
    /// The answers to explain: own (the model's), random[:SEED] (as a control: in the explained window a span of as many tokens as
    /// the model's best, apart from it), or the folder of another run over the same questions: the very spans that it explains
    #[arg(long, value_name = "own|random[:SEED]|RUN_DIR", default_value = "own", value_parser = controls::answers)]
    pub(crate) answers: AnswersArg,
    /// Keep the K strongest edges of each head as well
    #[arg(long, value_name = "edges:K", value_parser = kept_edges)]
    pub(crate) keep: Option<usize>,
    /// Leave out the heads' scores by token, most of the bytes; `show` needs them
    #[arg(long)]
    pub(crate) no_head_tokens: bool,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Show a question of a run as `explain` does, without the model
#[derive(Debug, Group)]
pub(crate) struct ShowArgs {
    /// The folder of a run that `attribute` made, finished or not
    #[arg(value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// The question's id in its data set
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) pictures: PictureArgs,
}

/// What the commands that explain take.
#[derive(Debug, Group)]
pub(crate) struct CommonArgs {
    #[command(flatten)]
    pub(crate) answering: AnsweringArgs,
    /// DeepLIFT's rules: rescale and reveal-cancel add up; the others have another rule for one kind of operation and do not: they are
    /// there to be compared
    #[arg(long, value_enum, default_value_t = RuleArg::Rescale)]
    pub(crate) rule: RuleArg,
    /// Arithmetic
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    pub(crate) precision: PrecisionArg,
    /// Keep each layer's input alone and make the rest again on the way back: a fraction of the memory, half as slow again,
    /// the same numbers
    #[arg(long)]
    pub(crate) lean: bool,
}

/// What every command that asks a model takes.
#[derive(Debug, Group)]
pub(crate) struct AnsweringArgs {
    /// A Hugging Face checkpoint folder or, where there is no such folder, a model on the hub, at its `main` or at another
    /// branch, tag or commit; without it the embedded default model. Private and gated models: HF_TOKEN, or
    /// `hf auth login`. HF_HOME, HF_HUB_CACHE and HF_ENDPOINT count as in Python
    #[arg(long, value_name = "DIR|ORG/NAME[@REVISION]")]
    pub(crate) model: Option<PathBuf>,
    /// Take a model of the hub from the cache and ask nothing (as HF_HUB_OFFLINE=1)
    #[arg(long)]
    pub(crate) offline: bool,
    /// Draw weights anew, as an untrained model has them: all of them, or as PARTS with commas between embeddings, layers (3, or
    /// 2..5 for 2 to 5) and head; by SEED (0)
    #[arg(long, value_name = "all[:SEED]|PARTS[:SEED]", value_parser = controls::randomise)]
    pub(crate) randomise: Option<Randomise>,
    /// No answer where its score leads the best span's by more than this (at 0, by nothing or more)
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true, value_parser = finite)]
    pub(crate) null_threshold: f64,
    /// The longest window, in tokens
    #[arg(long, value_name = "N", default_value_t = 384, value_parser = at_least_one)]
    pub(crate) max_tokens: usize,
    /// Passage tokens from the start of one window to the next
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    pub(crate) stride: usize,
    /// Threads; without it one for each core
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TargetArg {
    Span,
    Start,
    End,
    Margin,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RuleArg {
    /// The feed-forward blocks by Δg/Δu
    Rescale,
    /// Their positive and negative parts apart: about twice the absolute sum, further from Integrated Gradients
    RevealCancel,
    /// The softmax by 64 points of its path: nearly adds up, several times slower
    SoftmaxPath,
    /// The softmax by its derivative at the input
    SoftmaxGradient,
    /// Attention held fixed as it is on the input: nothing passes to queries and keys
    SoftmaxFixed,
    /// The σ of every LayerNorm held fixed as it is on the input
    SigmaFixed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ScaleArg {
    Layer,
    Shared,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PaletteArg {
    RedBlue,
    /// Orange and blue: told apart with any colour vision
    ColourBlind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum UnitArg {
    Words,
    Wordpieces,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RampArg {
    Linear,
    Root,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ColourArg {
    /// Where standard output is a terminal that has them
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArg {
    F32,
    F64,
}

pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least 1".to_owned()),
        Ok(n) => Ok(n),
        Err(_) => Err("expected a whole number of at least 1".to_owned()),
    }
}

pub(crate) fn at_least_two(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number >= 2);
    number.ok_or_else(|| "expected a whole number of at least 2".to_owned())
}

/// The fewest resamples that have percentiles beyond the 2.5th.
const FEWEST_RESAMPLES: usize = 100;

/// Their means are held in memory, for every column of a table.
const MOST_RESAMPLES: usize = 100_000;

pub(crate) fn resamples(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (FEWEST_RESAMPLES..=MOST_RESAMPLES).contains(number));
    number.ok_or_else(|| {
        format!("expected a whole number from {FEWEST_RESAMPLES} to {MOST_RESAMPLES}")
    })
}

/// More than any machine of today has cores, and few enough to be started in a moment.
const MOST_THREADS: usize = 512;

pub(crate) fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=MOST_THREADS).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}

/// Starts the pool of threads that everything runs on: so many, or one for each core.
pub(crate) fn start_threads(threads: Option<usize>) -> anyhow::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    pool.build_global()
        .context("--threads: the threads could not be started")
}

fn chunk_size(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=Plan::MAX_CHUNK).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to {}", Plan::MAX_CHUNK))
}

pub(crate) fn range(text: &str) -> Result<Range<usize>, String> {
    let ends = text.split_once("..");
    let ends = ends.and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    let ends = ends.filter(|ends: &Range<usize>| !ends.is_empty());
    ends.ok_or_else(|| "expected two whole numbers, as 2..5, the first the smaller".to_owned())
}

fn kept_edges(text: &str) -> Result<usize, String> {
    let number = text.strip_prefix("edges:");
    let number = number.and_then(|number| at_least_one(number).ok());
    number.ok_or_else(|| "expected edges:K, with K a whole number of at least 1".to_owned())
}

pub(crate) fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err("expected a finite number".to_owned()),
    }
}

impl ScaleArg {
    pub(crate) fn scale(self) -> RenderScale {
        match self {
            Self::Layer => RenderScale::Layer,
            Self::Shared => RenderScale::Shared,
        }
    }
}

impl RampArg {
    fn ramp(self) -> Ramp {
        match self {
            Self::Linear => Ramp::Linear,
            Self::Root => Ramp::Root,
        }
    }
}

impl UnitArg {
    fn unit(self) -> Unit {
        match self {
            Self::Words => Unit::Words,
            Self::Wordpieces => Unit::Wordpieces,
        }
    }
}

impl RuleArg {
    pub(crate) fn preset(self) -> Preset {
        match self {
            Self::Rescale => RESCALE,
            Self::RevealCancel => REVEAL_CANCEL,
            Self::SoftmaxPath => SOFTMAX_PATH,
            Self::SoftmaxGradient => SOFTMAX_GRADIENT,
            Self::SoftmaxFixed => SOFTMAX_FIXED,
            Self::SigmaFixed => SIGMA_FIXED,
        }
    }
}

impl AnsweringArgs {
    /// Starts the pool of threads that everything runs on.
    pub(crate) fn start_threads(&self) -> anyhow::Result<()> {
        start_threads(self.threads)
    }

    /// How answers are chosen.
    pub(crate) fn options(&self) -> AnswerOptions {
        AnswerOptions {
            null_threshold: self.null_threshold,
            max_tokens: self.max_tokens,
            stride: self.stride,
            ..AnswerOptions::default()
        }
    }
}

impl CommonArgs {
    /// The options that the commands that explain share.
    pub(crate) fn options(&self, reference: Reference) -> Options {
        Options {
            answering: self.answering.options(),
            reference,
            preset: self.rule.preset(),
            lean: self.lean,
            ..Options::default()
        }
    }
}

impl PictureArgs {
    /// What the formats are told.
    pub(crate) fn options(&self) -> RenderOptions {
        RenderOptions {
            scale: self.scale.scale(),
            palette: match self.palette {
                PaletteArg::RedBlue => Palette::RedBlue,
                PaletteArg::ColourBlind => Palette::ColourBlind,
            },
            ramp: self.ramp.ramp(),
            unit: self.unit.unit(),
            ..RenderOptions::default()
        }
    }

    /// What the terminal is told.
    pub(crate) fn terminal(&self) -> TerminalOptions {
        TerminalOptions {
            width: output::width(),
            colour: output::colour_depth(self.color),
            scale: self.scale.scale(),
            ramp: self.ramp.ramp(),
            unit: self.unit.unit(),
        }
    }
}

impl ExplainArgs {
    /// Every file to be written, with the option that asks for it.
    pub(crate) fn targets(&self) -> Vec<(&'static str, &Path)> {
        let outputs = self.pictures.outputs.iter().map(|path| ("--output", path));
        let edges = self.edges.iter().map(|path| ("--edges", path));
        let attention = self.attention.iter().map(|path| ("--attention", path));
        let all = outputs.chain(edges).chain(attention);
        all.map(|(option, path)| (option, path.as_path())).collect()
    }

    /// Every file to be read that a result could take the place of.
    pub(crate) fn inputs(&self) -> Vec<&Path> {
        [&self.passage, &self.data]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    /// Where question and passage come from, for an error that is theirs.
    pub(crate) fn source(&self) -> String {
        match (&self.data, &self.id, &self.passage) {
            (Some(data), Some(id), _) => format!("question `{id}` of `{}`", data.display()),
            (_, _, Some(passage)) => format!("the question about `{}`", passage.display()),
            _ => "the question".to_owned(),
        }
    }

    pub(crate) fn kind(&self) -> TargetKind {
        match &self.versus {
            Some(_) => TargetKind::Versus,
            None => self.target.kind(),
        }
    }
}

impl TargetArg {
    fn kind(self) -> TargetKind {
        match self {
            Self::Span => TargetKind::Span,
            Self::Start => TargetKind::Start,
            Self::End => TargetKind::End,
            Self::Margin => TargetKind::Margin,
        }
    }
}

impl AttributeArgs {
    /// Which questions.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            limit: self.limit,
            sample: self.sample,
            seed: self.seed,
        }
    }

    /// What is kept.
    pub(crate) fn keep(&self) -> Keep {
        Keep {
            edges: self.keep,
            head_tokens: !self.no_head_tokens,
        }
    }

    /// How it is explained.
    pub(crate) fn options(&self) -> anyhow::Result<Options> {
        let reference = reference_of_all(&self.reference)?;
        let mut options = self.common.options(reference);
        options.target = self.target.kind();
        if let AnswersArg::Random(seed) = self.answers {
            options.answer = AnswerChoice::Random(seed);
        }
        Ok(options)
    }
}

/// The reference that was typed, of many questions.
pub(crate) fn reference_of_all(typed: &str) -> anyhow::Result<Reference> {
    ensure!(
        !typed.trim().starts_with("tokens:"),
        "--reference: tokens:FILE is for the tokens of one question; expected {}, or several of these with + between them",
        named_references()
    );
    named_reference(typed, "or several of these with + between them")
}

fn named_references() -> String {
    Reference::NAMED.map(|named| named.name()).join(", ")
}

fn named_reference(typed: &str, or: &str) -> anyhow::Result<Reference> {
    Reference::named(typed.trim()).with_context(|| {
        format!(
            "--reference: expected {}, {or}, got `{typed}`",
            named_references()
        )
    })
}

/// The reference that was typed: a name, several with + between them, or `tokens:FILE`.
pub(crate) fn reference(typed: &str) -> anyhow::Result<Reference> {
    let typed = typed.trim();
    if let Some(file) = typed.strip_prefix("tokens:") {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("--reference: `{file}` cannot be read"))?;
        let one = serde_json::from_str::<Vec<u32>>(&text).map(|ids| vec![ids]);
        let lists = one.or_else(|_| serde_json::from_str(&text)).with_context(|| {
            format!("--reference: `{file}`: expected a JSON list of token ids, or a list of such lists")
        })?;
        return Ok(Reference::Tokens(lists));
    }
    named_reference(
        typed,
        "several of these with + between them, or tokens:FILE",
    )
}
