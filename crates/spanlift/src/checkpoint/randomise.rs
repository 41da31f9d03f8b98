//! Weights drawn anew, as a BERT has them that was never trained: config, tokenizer and shapes stay, what was learnt goes.
//!
//! Linear maps and tables of embeddings ~ N(0, σ²), σ the config's `initializer_range`; biases 0; of norms γ = 1, β = 0:
//! [`_init_weights`](https://github.com/huggingface/transformers/blob/004ad5f50b627b59bf0d581c31bc0052b6cfd40b/src/transformers/models/bert/modeling_bert.py),
//! the same in every family. That sets the row of `[PAD]` to 0 as well; here it is drawn like the others.
//!
//! Each tensor's numbers belong to the seed and to its name: whatever else is drawn, they are the same. They are rounded
//! to f32, so that f32 and f64 compute with the same weights.

use std::collections::BTreeSet;
use std::fmt;

use rand::distr::Distribution as _;
use rand_distr::StandardNormal;

use crate::lot;
use crate::ops::Real;

/// Which weights are drawn anew, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Randomise {
    /// Which.
    pub parts: Parts,
    /// What they are drawn by.
    pub seed: u64,
}

/// Parts of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts {
    /// The whole model.
    All,
    /// Some.
    Some(BTreeSet<ModelPart>),
}

/// A part of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelPart {
    /// All before the first layer, and DeBERTa's table of relative positions, which its layers share.
    Embeddings,
    /// A layer, from 1.
    Layer(usize),
    /// `qa_outputs`.
    Head,
}

impl Randomise {
    /// The same with all parts as [`Parts::All`]; the layer that there is not, where one of them is none of `layers`.
    pub(super) fn of(&self, layers: usize) -> Result<Self, usize> {
        let all = (1..=layers).map(ModelPart::Layer);
        let all = all.chain([ModelPart::Embeddings, ModelPart::Head]);
        let all: BTreeSet<_> = all.collect();
        let mut resolved = self.clone();
        if let Parts::Some(parts) = &self.parts {
            for part in parts.difference(&all) {
                if let ModelPart::Layer(layer) = part {
                    return Err(*layer);
                }
            }
            if *parts == all {
                resolved.parts = Parts::All;
            }
        }
        Ok(resolved)
    }
}

impl Parts {
    pub(super) fn hold(&self, part: ModelPart) -> bool {
        match self {
            Self::All => true,
            Self::Some(parts) => parts.contains(&part),
        }
    }
}

/// As names of models and plans of runs say it: `all, seed 1`; `embeddings, layers 1 3 4, head, seed 0`.
impl fmt::Display for Randomise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parts {
            Parts::All => write!(f, "all, ")?,
            Parts::Some(parts) => {
                if parts.contains(&ModelPart::Embeddings) {
                    write!(f, "embeddings, ")?;
                }
                let layers = parts.iter().filter_map(|part| match part {
                    ModelPart::Layer(layer) => Some(layer.to_string()),
                    ModelPart::Embeddings | ModelPart::Head => None,
                });
                let layers: Vec<String> = layers.collect();
                match &layers[..] {
                    [] => {}
                    [layer] => write!(f, "layer {layer}, ")?,
                    layers => write!(f, "layers {}, ", layers.join(" "))?,
                }
                if parts.contains(&ModelPart::Head) {
                    write!(f, "head, ")?;
                }
            }
        }
        write!(f, "seed {}", self.seed)
    }
}

/// What draws.
pub(super) struct Drawing {
    pub(super) randomise: Randomise,
    /// σ.
    pub(super) deviation: f64,
}

impl Drawing {
    /// A tensor of `sides` sides, row by row. `name` is that without the family's prefix.
    pub(super) fn draw<T: Real>(&self, name: &str, sides: usize, to: &mut [T]) {
        if sides > 1 {
            let mut lot = lot::generator(self.randomise.seed, name.bytes());
            for to in to {
                let draw: f64 = StandardNormal.sample(&mut lot);
                *to = T::of_f32((self.deviation * draw) as f32);
            }
        } else if name.ends_with(".bias") || name.ends_with(".beta") {
            to.fill(T::ZERO);
        } else {
            to.fill(T::ONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(parts: &[ModelPart]) -> Randomise {
        Randomise {
            parts: Parts::Some(parts.iter().copied().collect()),
            seed: 3,
        }
    }

    #[test]
    fn parts_are_named_in_the_model_s_order_and_all_of_them_are_all() {
        use ModelPart::{Embeddings, Head, Layer};
        let named = |parts: &[ModelPart]| some(parts).of(2).unwrap().to_string();
        assert_eq!(named(&[Head, Layer(2)]), "layer 2, head, seed 3");
        assert_eq!(named(&[Layer(2), Layer(1)]), "layers 1 2, seed 3");
        assert_eq!(named(&[Embeddings]), "embeddings, seed 3");
        let all = [Head, Layer(2), Embeddings, Layer(1)];
        assert_eq!(named(&all), "all, seed 3");
        let whole = Randomise {
            parts: Parts::All,
            seed: 3,
        };
        assert_eq!(some(&all).of(2), Ok(whole));
        assert_eq!(some(&all).of(3).unwrap(), some(&all));
        assert_eq!(some(&all).of(1), Err(2));
        assert_eq!(some(&[Layer(0)]).of(2), Err(0));
    }

    /// Mean 0 and the config's deviation, each within five standard errors; a fifth of 1 % beyond 3σ would be 27 of 10,000.
    #[test]
    fn draws_are_normal_with_the_config_s_deviation() {
        let drawing = Drawing {
            randomise: some(&[]),
            deviation: 0.5,
        };
        let mut numbers = vec![0.0_f64; 10_000];
        drawing.draw("encoder.layer.0.output.dense.weight", 2, &mut numbers);
        let n = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / n;
        let square = numbers.iter().map(|x| x * x).sum::<f64>() / n;
        assert!(mean.abs() < 5.0 * 0.5 / n.sqrt(), "{mean}");
        // The variance of x² is 2σ⁴.
        let off = square - 0.25;
        assert!(off.abs() < 5.0 * 0.25 * (2.0 / n).sqrt(), "{square}");
        let far = numbers.iter().filter(|x| x.abs() > 1.5).count();
        assert!((10..50).contains(&far), "{far}");
    }
}
