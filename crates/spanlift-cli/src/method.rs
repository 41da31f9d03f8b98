//! `--method` and what belongs to it.

use std::str::FromStr;

use anyhow::ensure;
use clap::{Args as Group, ValueEnum};

use spanlift::attribute::Reference;
use spanlift::attribute::rules::{GRADIENT, LRP, Preset};
use spanlift::methods::Method;
use spanlift::methods::attention::Flow;
use spanlift::methods::integrated::{BOUND, LAST, Nodes, Path, Steps};
use spanlift::methods::occlusion::Unit;
use spanlift::{Options, Scored};
use spanlift_explanation::Scope;

use crate::args::{ExplainArgs, RuleArg};

/// How the scores are made.
#[derive(Debug, Group)]
pub(crate) struct MethodArgs {
    /// How the scores are made. But for deeplift (by --rule rescale or reveal-cancel) no method makes them add up to Δt exactly: the error is printed
    #[arg(long, value_enum, default_value_t = MethodArg::Deeplift)]
    pub(crate) method: MethodArg,
    /// Put the question to every method: a table, words as rows, methods as columns; -o FILE.json writes all of it
    #[arg(long, conflicts_with_all = ["method", "all_windows", "figures", "check", "edges", "attention"])]
    pub(crate) compare: bool,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// What the methods take.
#[derive(Debug, Group)]
pub(crate) struct SettingArgs {
    /// Points on the path of integrated-gradients, or auto: as many as bring every cut's error under 1e-3
    #[arg(long, value_name = "N|auto", default_value = "50", value_parser = steps)]
    pub(crate) steps: Steps,
    /// Where those points lie
    #[arg(long, value_enum, default_value_t = NodesArg::GaussLegendre)]
    pub(crate) nodes: NodesArg,
    /// What occlusion replaces at a time: token, word, or window:N (so many neighbouring tokens)
    #[arg(long, value_name = "token|word|window:N", default_value = "word", value_parser = unit)]
    pub(crate) occlude: Unit,
    /// What random draws from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodArg {
    /// Exactly complete, from one walk back
    Deeplift,
    /// Its mean over several references: those of --reference A+B, or else mask, pad, unk, zero and mean
    DeepShap,
    /// The gradient times the difference to the reference
    GradientXInput,
    /// The gradient along the path from the reference
    IntegratedGradients,
    /// Layer-wise relevance propagation as AttnLRP has it (its authors hold a patent); without a reference
    Lrp,
    /// What the target loses without the word
    Occlusion,
    /// Where the target's tokens look, in each layer
    Attention,
    /// The same, multiplied from the output down
    Rollout,
    /// Noise: the floor
    Random,
}

impl MethodArg {
    /// Whether it walks by DeepLIFT's rules.
    fn ruled(self) -> bool {
        matches!(self, Self::Deeplift | Self::DeepShap)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NodesArg {
    /// The roots of a Legendre polynomial: few points, small error
    GaussLegendre,
    /// The middles of equal parts
    Riemann,
}

fn steps(text: &str) -> Result<Steps, String> {
    if text == "auto" {
        return Ok(Steps::Auto { bound: BOUND });
    }
    let number = text.parse().ok().filter(|n| (1..=MOST).contains(n));
    number
        .map(Steps::Fixed)
        .ok_or_else(|| format!("expected auto or a whole number from 1 to {MOST}"))
}

/// More than any completeness needs.
const MOST: usize = 16 * LAST;

fn unit(text: &str) -> Result<Unit, String> {
    let window = |text: &str| text.strip_prefix("window:")?.parse().ok();
    match text {
        "token" => Ok(Unit::Token),
        "word" => Ok(Unit::Word),
        _ => match window(text) {
            Some(size) if size > 0 => Ok(Unit::Window(size)),
            _ => Err("expected token, word or window:N with N of at least 1".to_owned()),
        },
    }
}

impl SettingArgs {
    /// Refuses a setting that none of these methods has; `typed` is how they were asked for.
    pub(crate) fn check(&self, methods: &[MethodArg], typed: &str) -> anyhow::Result<()> {
        let steps = self.steps != Path::default().steps;
        let nodes = self.nodes != NodesArg::GaussLegendre;
        let occlude = self.occlude != Unit::Word;
        for (option, own, name, set) in [
            (
                "--steps",
                MethodArg::IntegratedGradients,
                "integrated-gradients",
                steps,
            ),
            (
                "--nodes",
                MethodArg::IntegratedGradients,
                "integrated-gradients",
                nodes,
            ),
            ("--occlude", MethodArg::Occlusion, "occlusion", occlude),
        ] {
            ensure!(
                !set || methods.contains(&own),
                "{option}: it is a setting of {name}, got {typed}"
            );
        }
        Ok(())
    }

    /// What a method is; rules and references are DeepLIFT's.
    pub(crate) fn of(&self, method: MethodArg, options: &Options) -> Scored {
        let (scores, preset) = self.rules(method, options.preset);
        let several = options.reference.count() > 1;
        Scored {
            method: scores,
            preset,
            reference: (method == MethodArg::DeepShap && !several).then(Reference::all_words),
        }
    }

    fn rules(&self, method: MethodArg, preset: Preset) -> (Method, Preset) {
        let nodes = match self.nodes {
            NodesArg::GaussLegendre => Nodes::GaussLegendre,
            NodesArg::Riemann => Nodes::Riemann,
        };
        let steps = self.steps;
        match method {
            MethodArg::Deeplift | MethodArg::DeepShap => (Method::Walk, preset),
            MethodArg::GradientXInput => (Method::Walk, GRADIENT),
            MethodArg::Lrp => (Method::Walk, LRP),
            MethodArg::IntegratedGradients => {
                (Method::IntegratedGradients(Path { nodes, steps }), preset)
            }
            MethodArg::Occlusion => (Method::Occlusion(self.occlude), preset),
            MethodArg::Attention => (Method::Attention(Flow::Raw), preset),
            MethodArg::Rollout => (Method::Attention(Flow::Rollout), preset),
            MethodArg::Random => (Method::Random(self.seed), preset),
        }
    }

    /// Every method, in the order of `--help`; where the reference is several already, DeepLIFT is DeepSHAP.
    pub(crate) fn all(&self, options: &Options) -> Vec<Scored> {
        let several = options.reference.count() > 1;
        let all = MethodArg::value_variants().iter();
        all.filter(|method| !(several && **method == MethodArg::DeepShap))
            .map(|&method| self.of(method, options))
            .collect()
    }
}

/// A method of a comparison: DeepLIFT may have rules of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuledArg {
    method: MethodArg,
    rule: Option<RuleArg>,
}

impl RuledArg {
    /// The method alone.
    pub(crate) fn method(self) -> MethodArg {
        self.method
    }

    /// What it is.
    pub(crate) fn scored(self, settings: &SettingArgs, options: &Options) -> Scored {
        let preset = self.rule.map_or(options.preset, RuleArg::preset);
        let options = Options {
            preset,
            ..options.clone()
        };
        settings.of(self.method, &options)
    }
}

impl FromStr for RuledArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (method, rule) = match text.split_once(':') {
            Some((method, rule)) => (method, Some(rule)),
            None => (text, None),
        };
        let method = value::<MethodArg>(method)?;
        let rule = rule.map(value::<RuleArg>).transpose()?;
        if rule.is_some() && !method.ruled() {
            return Err("expected a rule of deeplift or deep-shap alone".to_owned());
        }
        Ok(Self { method, rule })
    }
}

/// One of an enumeration's values.
fn value<E: ValueEnum>(text: &str) -> Result<E, String> {
    E::from_str(text, false).map_err(|_| {
        let names = E::value_variants().iter().filter_map(E::to_possible_value);
        let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
        format!("expected one of {}, got `{text}`", names.join(", "))
    })
}

/// Refuses, before the work, what the method cannot give.
pub(crate) fn check(args: &ExplainArgs) -> anyhow::Result<()> {
    let method = args.method.method;
    let typed = method.to_possible_value();
    let name = typed.as_ref().map_or("", |typed| typed.get_name());
    let preset = args.common.rule.preset();
    let (scores, rules) = args.method.settings.rules(method, preset);
    if !method.ruled() {
        ensure!(
            !args.all_windows,
            "--all-windows: expected --method deeplift or deep-shap, got `{name}`"
        );
        ensure!(
            preset == spanlift::attribute::rules::RESCALE,
            "--rule: it is a rule of --method deeplift or deep-shap, got `{name}`"
        );
    }
    args.method
        .settings
        .check(&[method], &format!("--method {name}"))?;
    ensure!(
        method == MethodArg::Random || args.method.settings.seed == 0,
        "--seed: it is a setting of random, got --method {name}"
    );
    ensure!(
        scores.compares(rules) || args.reference == "mask",
        "--reference: --method {name} compares the input with nothing, got `{}`",
        args.reference
    );
    ensure!(
        args.edges.is_none() || scores == Method::Walk && rules != LRP,
        "--edges: expected --method deeplift, deep-shap or gradient-x-input, got `{name}`, which has no edge scores"
    );
    ensure!(
        args.pictures.figures.is_none() || scores.scope() != Scope::Words,
        "--figures: expected a method that scores every layer, got `{name}`, which scores the words alone"
    );
    let page = args.pictures.outputs.iter().find(|path| {
        let ending = path.extension().unwrap_or_default();
        ending.eq_ignore_ascii_case("html") || ending.eq_ignore_ascii_case("htm")
    });
    if let Some(page) = page {
        ensure!(
            scores.scope() == Scope::All,
            "--output: `{}`: a page needs scores of every head and layer, which `{name}` does not give; take .svg, .png or .json",
            page.display()
        );
    }
    Ok(())
}
