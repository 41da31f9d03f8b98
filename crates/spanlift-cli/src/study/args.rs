//! What `spanlift study` takes.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand, ValueEnum};
use spanlift_study::Format;
use spanlift_study::bootstrap::Bootstrap;
use spanlift_study::cluster::Algorithm;
use spanlift_study::clusters::Representation;

/// Study a run: how the scores shift through the layers, the paper's claims, clusters of questions, a report
#[derive(Debug, Group)]
pub(crate) struct StudyArgs {
    #[command(subcommand)]
    pub(crate) command: StudyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StudyCommand {
    Profile(ProfileArgs),
    Claims(ClaimsArgs),
    Cluster(ClusterArgs),
    Diff(DiffArgs),
    Report(ReportArgs),
    Training(TrainingArgs),
}

/// Show the mean share of each role of tokens, layer by layer
#[derive(Debug, Group)]
pub(crate) struct ProfileArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Which score is shared out
    #[arg(long, value_enum, default_value_t = MeasureArg::Positive)]
    pub(crate) measure: MeasureArg,
    /// A table for each group: question-type, answered, answerable, right, answer-right, article, length, digits, names, overlap or place
    #[arg(long, value_name = "GROUPING", default_value = "all")]
    pub(crate) by: String,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
}

/// Test what the paper claims about the layers
#[derive(Debug, Group)]
pub(crate) struct ClaimsArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) controls: ControlArgs,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
}

/// Cluster the questions by what the model does with them, and tell what each cluster's are
#[derive(Debug, Group)]
pub(crate) struct ClusterArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) clustering: ClusteringArgs,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
}

/// How questions are clustered.
#[derive(Debug, Group)]
pub(crate) struct ClusteringArgs {
    /// What questions are told apart by, with commas between (default: all)
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "REPRESENTATIONS"
    )]
    pub(crate) representation: Vec<RepresentationArg>,
    /// How, with commas between
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "ALGORITHMS",
        default_value = "k-means"
    )]
    pub(crate) algorithm: Vec<AlgorithmArg>,
    /// How many clusters, at most a quarter of the questions (default: as many as have the best silhouette, of 2 to 12)
    #[arg(long, value_name = "K", value_parser = crate::args::at_least_two)]
    pub(crate) k: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RepresentationArg {
    /// Shares by role, layer by layer
    Profile,
    /// The score through each head
    Heads,
    /// Learned from the maps by a recurrent autoencoder
    Maps,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlgorithmArg {
    KMeans,
    /// Gaussian mixture
    Mixture,
    /// Ward's tree of merges
    Agglomerative,
    /// By density; finds its own k, and leaves noise out
    Hdbscan,
}

/// Compare two runs over the same questions: where profiles and answers differ
#[derive(Debug, Group)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// The run that it is compared with
    #[arg(value_name = "OTHER")]
    pub(crate) other: PathBuf,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
}

/// Write one page of all of it: charts, claims, and the heatmaps of the questions
#[derive(Debug, Group)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) controls: ControlArgs,
    #[command(flatten)]
    pub(crate) clustering: ClusteringArgs,
    /// Write every table as a file of this format, into the folder of --tables
    #[arg(long, value_enum, requires = "tables")]
    pub(crate) format: Option<FormatArg>,
    /// The folder
    #[arg(long, value_name = "DIR", requires = "format")]
    pub(crate) tables: Option<PathBuf>,
    /// Questions whose heatmaps are in the page, the clusters' typical ones and the first of the run: 2 kB each for a small model, 5 kB for one of 24 layers
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) maps: usize,
    /// The page, .html
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// Show how the attention forms in a training: its probe questions at each step marked
#[derive(Debug, Group)]
pub(crate) struct TrainingArgs {
    /// The folder of `train --probe`
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// A page with a slider through the steps, .html
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Probe questions whose heatmaps are in the page
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) maps: usize,
    /// Write every table as a file of this format, into the folder of --tables
    #[arg(long, value_enum, requires = "tables")]
    pub(crate) format: Option<FormatArg>,
    /// The folder
    #[arg(long, value_name = "DIR", requires = "format")]
    pub(crate) tables: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) drawing: DrawingArgs,
}

/// The run, and how it is looked at.
#[derive(Debug, Group)]
pub(crate) struct RunArgs {
    /// The folder of a run that `attribute` made
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    #[command(flatten)]
    pub(crate) drawing: DrawingArgs,
}

/// What is drawn, and on how many threads.
#[derive(Debug, Group)]
pub(crate) struct DrawingArgs {
    /// How often passages are resampled for an interval
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = crate::args::resamples)]
    pub(crate) resamples: usize,
    /// What everything random is drawn by
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Threads (default: one for each core)
    #[arg(long, value_name = "N", value_parser = crate::args::threads)]
    pub(crate) threads: Option<usize>,
}

/// Runs over the same questions that a claim is held against.
#[derive(Debug, Group)]
pub(crate) struct ControlArgs {
    /// A run of `attribute --answers random:SEED`: what it shows too has nothing to do with the answer
    #[arg(long, value_name = "RUN")]
    pub(crate) random_spans: Option<PathBuf>,
    /// A run of `attribute --randomise all:SEED --answers RUN`: what it shows too was not learned
    #[arg(long, value_name = "RUN")]
    pub(crate) random_weights: Option<PathBuf>,
}

/// Tables as files.
#[derive(Debug, Group)]
pub(crate) struct TableArgs {
    /// Write the tables as files of this format, into the folder of --output
    #[arg(long, value_enum, requires = "output")]
    pub(crate) format: Option<FormatArg>,
    /// The folder
    #[arg(short, long, value_name = "DIR", requires = "format")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatArg {
    Csv,
    Json,
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MeasureArg {
    Positive,
    Negative,
    Absolute,
}

impl FormatArg {
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Json => Format::Json,
            Self::Parquet => Format::Parquet,
        }
    }
}

impl DrawingArgs {
    pub(crate) fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            resamples: self.resamples,
            seed: self.seed,
        }
    }
}

impl ClusteringArgs {
    pub(crate) fn representations(&self) -> Vec<RepresentationArg> {
        if self.representation.is_empty() {
            return RepresentationArg::value_variants().to_vec();
        }
        self.representation.clone()
    }
}

impl RepresentationArg {
    pub(crate) fn representation(self) -> Representation {
        match self {
            Self::Profile => Representation::Profile,
            Self::Heads => Representation::Heads,
            Self::Maps => Representation::Maps,
        }
    }
}

impl AlgorithmArg {
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::KMeans => Algorithm::KMeans,
            Self::Mixture => Algorithm::Mixture,
            Self::Agglomerative => Algorithm::Agglomerative,
            Self::Hdbscan => Algorithm::Hdbscan,
        }
    }
}
