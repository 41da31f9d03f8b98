//! What a run of training is, before it begins: base, data, settings. The same plan gives the same weights to the bit, on the same
//! kind of CPU.

use serde::{Deserialize, Serialize};
use spanlift::checkpoint::Precision;
use spanlift::model::{Parameter, Site};
use spanlift::train::Rates;
use spanlift_explanation::ModelInfo;
use spanlift_store::Data;

use crate::adamw::AdamW;
use crate::probe::ProbePlan;
use crate::schedule::Schedule;

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Windows of a step.
    pub batch: usize,
    /// The most tokens that go through the network at once; a batch of more goes in several packs, whose gradients add up.
    pub pack_tokens: usize,
    /// Steps in all.
    pub steps: u64,
    /// The highest rate.
    pub rate: f64,
    /// The share of the steps in which the rate rises.
    pub warm_up: f64,
    /// λ of AdamW, of all but biases and norms.
    pub weight_decay: f64,
    /// The share of hidden units that are dropped.
    pub dropout: f64,
    /// The share of attention probabilities that are dropped.
    #[serde(default)]
    pub attention_dropout: f64,
    /// The most that the gradients' norm may be.
    pub clip: f64,
    /// What order and dropout are drawn by.
    pub seed: u64,
    /// The longest window, in tokens.
    pub max_tokens: usize,
    /// Passage tokens from the start of one window to the next.
    pub stride: usize,
    /// The embeddings stay as they are.
    pub freeze_embeddings: bool,
    /// So many of the first layers stay as they are.
    pub freeze_layers: usize,
    /// Steps after which the state is written.
    pub save_every: u64,
    /// Steps after which the dev questions are answered.
    pub evaluate_every: u64,
    /// Checkpoints are written in half precision.
    #[serde(default)]
    pub f16: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch: 16,
            pack_tokens: 4096,
            steps: 1000,
            rate: 5e-5,
            warm_up: 0.1,
            weight_decay: 0.01,
            dropout: 0.1,
            attention_dropout: 0.1,
            clip: 1.0,
            seed: 0,
            max_tokens: 384,
            stride: 128,
            freeze_embeddings: false,
            freeze_layers: 0,
            save_every: 200,
            evaluate_every: 1000,
            f16: false,
        }
    }
}

impl Settings {
    /// AdamW with its own β and ε.
    #[must_use]
    pub fn adamw(&self) -> AdamW {
        AdamW {
            weight_decay: self.weight_decay,
            ..AdamW::default()
        }
    }

    /// The rate of each step.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        Schedule {
            peak: self.rate,
            // The peak is reached, however few steps there are.
            warm_up: ((self.warm_up * self.steps as f64).round() as u64).max(1),
            steps: self.steps,
        }
    }

    /// What share of the elements is dropped.
    #[must_use]
    pub fn rates(&self) -> Rates {
        Rates {
            hidden: self.dropout,
            attention: self.attention_dropout,
        }
    }

    /// How checkpoints are written.
    #[must_use]
    pub fn precision(&self) -> Precision {
        if self.f16 {
            Precision::F16
        } else {
            Precision::F32
        }
    }

    /// Whether a parameter is trained.
    #[must_use]
    pub fn trains(&self, parameter: &Parameter) -> bool {
        match parameter.site {
            Site::Head => true,
            Site::Layer(l, _) => l >= self.freeze_layers,
            _ => !self.freeze_embeddings,
        }
    }
}

/// What a run of training is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainPlan {
    /// Always `spanlift.train`.
    pub format: String,
    /// Always 1.
    pub version: u32,
    /// The version of this program.
    pub spanlift: String,
    /// What it begins from.
    pub base: ModelInfo,
    /// SHA-256 of that.
    pub base_sha256: String,
    /// The questions that it learns.
    pub data: Data,
    /// The questions that it is measured on.
    pub dev: Option<Data>,
    /// The questions that are explained on the way.
    #[serde(default)]
    pub probe: Option<ProbePlan>,
    /// How.
    pub settings: Settings,
}

impl TrainPlan {
    /// The format's name.
    pub const FORMAT: &'static str = "spanlift.train";
    /// The version of the format.
    pub const VERSION: u32 = 1;

    /// Where two plans differ: what each has, a line a field. Names of files decide nothing.
    #[must_use]
    pub fn differences(&self, asked: &Self) -> Vec<String> {
        let value = |plan: &Self| serde_json::to_value(plan).unwrap_or_default();
        let mut found = spanlift_store::differences(&value(self), &value(asked));
        found.retain(|difference| {
            !["data.name", "dev.name", "probe.data.name", "base.name"]
                .iter()
                .any(|field| difference.starts_with(field))
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_from_before_attention_dropout_had_none() {
        let mut plan = serde_json::to_value(Settings::default()).unwrap();
        plan.as_object_mut()
            .unwrap()
            .remove("attention_dropout")
            .unwrap();
        let before: Settings = serde_json::from_value(plan).unwrap();
        let none = Settings {
            attention_dropout: 0.0,
            ..Settings::default()
        };
        assert_eq!(before, none);
        assert_ne!(before, Settings::default());
    }
}
