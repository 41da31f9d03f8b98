//! Codes of questions, learned from how their maps go through the layers: a recurrent autoencoder.
//!
//! ```text
//! maps (T × B) -- GRU --> last state (H) -- linear --> code (C)
//! code (C) -- linear, tanh --> state (H) -- GRU, the code at every step --> states (T × H) -- linear --> maps (T × B)
//! ```
//!
//! Encoder and decoder as in Cho et al. 2014 (which has the GRU, eqs. 5 to 8) and Srivastava et al. 2015 (reconstruction, its decoder not fed its own output); layers,
//! gradients and Adam (Kingma and Ba 2015) of candle. Maps are centred by the mean map of the training questions and divided by one standard deviation of all; the loss is the mean
//! squared error. 70 % of the questions train, 15 % say when to stop, and the last 15 % are what the errors are reported of; the questions of a passage stay together, as they share
//! its tokens. All that is
//! random (weights, uniform within ±1/√H; order) comes from the seed, and the arithmetic runs on one thread: the same numbers to the bit each time on one machine.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::rnn::{GRU, GRUConfig, GRUState, RNN};
use candle_nn::{AdamW, Linear, Module, Optimizer, ParamsAdamW, VarBuilder};
use linfa_linalg::eigh::{EigSort, Eigh};
use ndarray::Array2;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::StudyError;
use crate::cluster::generator;

/// The fewest questions that are learned from.
const LEAST: usize = 40;

/// The fewest passages: some to train with, one to stop by, one held out.
const PASSAGES: usize = 3;

/// Learning rate of Adam.
const RATE: f64 = 3e-3;

/// How the autoencoder is built and trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Training {
    /// Numbers of a code.
    pub code: usize,
    /// Numbers of a state.
    pub hidden: usize,
    /// Passes over the training questions, at most.
    pub epochs: usize,
    /// Passes without a smaller error on the questions that say when to stop, until it stops.
    pub patience: usize,
    /// Questions of a step.
    pub batch: usize,
    /// Of weights, split and order.
    pub seed: u64,
}

/// What was learned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Learned {
    /// The code of each question.
    pub codes: Vec<Vec<f64>>,
    /// Mean squared error of a number of a map, of held-out questions.
    pub error: f64,
    /// The same of the trivial predictor: the mean map of the training questions.
    pub mean_error: f64,
    /// The same of as many principal components of the training questions' maps as a code has numbers.
    pub pca_error: f64,
    /// Questions that the errors are of.
    pub held_out: usize,
    /// Passes that were made.
    pub epochs: usize,
    /// After each pass, the errors on the questions trained with (during it) and on those that say when to stop.
    pub course: Vec<(f64, f64)>,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            code: 8,
            hidden: 48,
            epochs: 300,
            patience: 20,
            batch: 64,
            seed: 0,
        }
    }
}

/// Trains on the questions' maps, each question with as many maps of as many bins as the others, and gives the code of each. `passages`
/// has the number of each question's passage.
///
/// # Errors
///
/// [`StudyError::Rows`] for fewer than forty questions or three passages, [`StudyError::Maps`] where a map differs in shape or has a number that is not finite, [`StudyError::Setting`],
/// [`StudyError::Constant`] where all questions have the same maps, [`StudyError::Failed`].
pub fn learn(
    maps: &[Vec<Vec<f32>>],
    passages: &[usize],
    training: &Training,
) -> Result<Learned, StudyError> {
    let (steps, bins) = shape(maps, training)?;
    if passages.len() != maps.len() {
        return Err(StudyError::Maps {
            what: "passages".to_owned(),
            expected: format!("one of each of {} questions", maps.len()),
            got: passages.len().to_string(),
        });
    }
    let flat: Vec<Vec<f32>> = maps.iter().map(|maps| maps.concat()).collect();
    // Candle and its products use the pool they are called from.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| failed(&error.to_string()))?;
    pool.install(|| run(&flat, passages, steps, bins, training))
}

fn failed(reason: &str) -> StudyError {
    StudyError::Failed {
        what: "autoencoder",
        reason: reason.to_owned(),
    }
}

impl From<candle_core::Error> for StudyError {
    fn from(error: candle_core::Error) -> Self {
        failed(&error.to_string())
    }
}

/// The number of maps of a question and of bins of a map.
fn shape(maps: &[Vec<Vec<f32>>], training: &Training) -> Result<(usize, usize), StudyError> {
    let counts = [
        ("code", training.code),
        ("hidden", training.hidden),
        ("epochs", training.epochs),
        ("batch", training.batch),
    ];
    if let Some((setting, got)) = counts.into_iter().find(|(_, count)| *count == 0) {
        return Err(StudyError::Setting {
            setting,
            expected: "at least 1",
            got: got.to_string(),
        });
    }
    if maps.len() < LEAST {
        return Err(StudyError::Rows {
            what: "autoencoder",
            expected: LEAST,
            got: maps.len(),
        });
    }
    let (steps, bins) = (maps[0].len(), maps[0].first().map_or(0, Vec::len));
    for (question, maps) in maps.iter().enumerate() {
        let odd = maps.iter().find(|map| map.len() != bins);
        let refused = |expected: String, got: String| StudyError::Maps {
            what: format!("maps of question {question}"),
            expected,
            got,
        };
        if maps.len() != steps || odd.is_some() {
            return Err(refused(
                format!("{steps} maps of {bins} bins"),
                format!("{} of {}", maps.len(), odd.map_or(bins, Vec::len)),
            ));
        }
        if let Some(number) = maps.iter().flatten().find(|number| !number.is_finite()) {
            return Err(refused("finite numbers".to_owned(), number.to_string()));
        }
    }
    if steps * bins == 0 {
        return Err(StudyError::Maps {
            what: "maps of every question".to_owned(),
            expected: "at least 1 of at least 1 bin".to_owned(),
            got: format!("{steps} of {bins}"),
        });
    }
    Ok((steps, bins))
}

fn run(
    maps: &[Vec<f32>],
    passages: &[usize],
    steps: usize,
    bins: usize,
    training: &Training,
) -> Result<Learned, StudyError> {
    let mut rng = generator(training.seed, 0);
    let [test, stop, mut train] = split(passages, &mut rng)?;
    let scale = Scale::of(maps, &train)?;
    let model = Model::new(steps, bins, training)?;
    let settings = ParamsAdamW {
        lr: RATE,
        weight_decay: 0.0,
        ..ParamsAdamW::default()
    };
    let mut adam = AdamW::new(model.vars.clone(), settings)?;
    let batch = |rows: &[usize]| -> Result<Tensor, StudyError> {
        let numbers: Vec<f32> = rows
            .iter()
            .flat_map(|&row| scale.apply(&maps[row]))
            .collect();
        Ok(Tensor::from_vec(
            numbers,
            (rows.len(), steps, bins),
            &Device::Cpu,
        )?)
    };
    // Mean squared error in the maps' own units.
    let error = |rows: &[usize]| -> Result<f64, StudyError> {
        let mut sum = 0.0;
        for rows in rows.chunks(1024) {
            let maps = batch(rows)?;
            let loss = model.loss(&maps)?.to_scalar::<f32>()?;
            sum += f64::from(loss) * rows.len() as f64;
        }
        Ok(sum / rows.len() as f64 * scale.sd * scale.sd)
    };
    let (mut least, mut kept, mut since) = (f64::INFINITY, model.weights()?, 0);
    let mut course = Vec::new();
    for _ in 0..training.epochs {
        train.shuffle(&mut rng);
        let mut sum = 0.0;
        for rows in train.chunks(training.batch) {
            let loss = model.loss(&batch(rows)?)?;
            adam.backward_step(&loss)?;
            sum += f64::from(loss.to_scalar::<f32>()?) * rows.len() as f64;
        }
        let now = error(&stop)?;
        course.push((sum / train.len() as f64 * scale.sd * scale.sd, now));
        if now < least {
            (least, kept, since) = (now, model.weights()?, 0);
        } else {
            since += 1;
        }
        if since >= training.patience || !now.is_finite() {
            break;
        }
    }
    if !least.is_finite() {
        return Err(failed("the error is not finite"));
    }
    model.restore(&kept)?;
    let mut codes = Vec::with_capacity(maps.len());
    let all: Vec<usize> = (0..maps.len()).collect();
    for rows in all.chunks(1024) {
        let code = model.code(&batch(rows)?)?.to_vec2::<f32>()?;
        codes.extend(
            code.into_iter()
                .map(|c| c.into_iter().map(f64::from).collect()),
        );
    }
    Ok(Learned {
        codes,
        error: error(&test)?,
        mean_error: scale.mean_error(maps, &test),
        pca_error: pca_error(maps, &train, &test, &scale, training.code)?,
        held_out: test.len(),
        epochs: course.len(),
        course,
    })
}

/// The questions that are held out, those that say when to stop, and those that train: whole passages, in an order that is drawn, until
/// the first two have 15 % of the questions each.
fn split(passages: &[usize], rng: &mut ChaCha8Rng) -> Result<[Vec<usize>; 3], StudyError> {
    let mut of_passage: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (question, passage) in passages.iter().enumerate() {
        of_passage.entry(*passage).or_default().push(question);
    }
    if of_passage.len() < PASSAGES {
        return Err(StudyError::Rows {
            what: "passages of the autoencoder",
            expected: PASSAGES,
            got: of_passage.len(),
        });
    }
    let mut order: Vec<Vec<usize>> = of_passage.into_values().collect();
    order.shuffle(rng);
    let enough = (passages.len() * 15 / 100).max(1);
    let mut parts: [Vec<usize>; 3] = Default::default();
    let mut left = order.len();
    for questions in order {
        // A passage is left for each part that is still to come.
        let part = (0..2).find(|&part| parts[part].len() < enough && left > 2 - part);
        parts[part.unwrap_or(2)].extend(questions);
        left -= 1;
    }
    let [test, stop, train] = parts;
    Ok([test, stop, train])
}

/// The mean map of the training questions, and the standard deviation of all their numbers from it.
struct Scale {
    mean: Vec<f64>,
    sd: f64,
}

impl Scale {
    fn of(maps: &[Vec<f32>], rows: &[usize]) -> Result<Self, StudyError> {
        let width = maps[0].len();
        let mut mean = vec![0.0; width];
        for &row in rows {
            for (mean, &number) in mean.iter_mut().zip(&maps[row]) {
                *mean += f64::from(number) / rows.len() as f64;
            }
        }
        let mut scale = Self { mean, sd: 1.0 };
        scale.sd = scale.mean_error(maps, rows).sqrt();
        if scale.sd < 1e-12 {
            return Err(StudyError::Constant { columns: width });
        }
        Ok(scale)
    }

    fn apply<'a>(&'a self, maps: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let pairs = maps.iter().zip(&self.mean);
        pairs.map(|(&number, mean)| ((f64::from(number) - mean) / self.sd) as f32)
    }

    /// Mean squared distance of the maps' numbers from the mean map.
    fn mean_error(&self, maps: &[Vec<f32>], rows: &[usize]) -> f64 {
        let of_row = |&row: &usize| -> f64 {
            let pairs = maps[row].iter().zip(&self.mean);
            pairs.map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum()
        };
        let sum: f64 = rows.iter().map(of_row).sum();
        sum / (rows.len() * self.mean.len()) as f64
    }
}

/// Mean squared error of `test` from its projection on the first components of `train`.
fn pca_error(
    maps: &[Vec<f32>],
    train: &[usize],
    test: &[usize],
    scale: &Scale,
    count: usize,
) -> Result<f64, StudyError> {
    let centred = |rows: &[usize]| {
        Array2::from_shape_fn((rows.len(), scale.mean.len()), |(row, column)| {
            f64::from(maps[rows[row]][column]) - scale.mean[column]
        })
    };
    let (train, test) = (centred(train), centred(test));
    let eigen = train.t().dot(&train).eigh();
    let (_, vectors) = eigen
        .map_err(|error| failed(&error.to_string()))?
        .sort_eig_desc();
    let axes = vectors.slice(ndarray::s![.., ..count.min(vectors.ncols())]);
    let rest = &test - &test.dot(&axes).dot(&axes.t());
    Ok(rest.iter().map(|x| x * x).sum::<f64>() / rest.len() as f64)
}

/// The layers, with T, B, H, C as in the module's picture.
struct Model {
    steps: usize,
    encoder: GRU,      // B -> H
    squeeze: Linear,   // H -> C
    unsqueeze: Linear, // C -> H
    decoder: GRU,      // C -> H
    output: Linear,    // H -> B
    vars: Vec<Var>,
}

impl Model {
    fn new(steps: usize, bins: usize, training: &Training) -> Result<Self, StudyError> {
        let (hidden, code) = (training.hidden, training.code);
        let mut rng = generator(training.seed, 1);
        let bound = 1.0 / (hidden as f32).sqrt();
        let mut vars = Vec::new();
        let mut tensors = HashMap::new();
        let mut draw = |name: String, shape: &[usize]| -> Result<Tensor, StudyError> {
            let count = shape.iter().product();
            let numbers: Vec<f32> = (0..count)
                .map(|_| rng.random_range(-bound..=bound))
                .collect();
            let var = Var::from_vec(numbers, shape, &Device::Cpu)?;
            tensors.insert(name, var.as_tensor().clone());
            vars.push(var.clone());
            Ok(var.as_tensor().clone())
        };
        for (name, from) in [("encoder", bins), ("decoder", code)] {
            draw(format!("{name}.weight_ih_l0"), &[3 * hidden, from])?;
            draw(format!("{name}.weight_hh_l0"), &[3 * hidden, hidden])?;
            draw(format!("{name}.bias_ih_l0"), &[3 * hidden])?;
            draw(format!("{name}.bias_hh_l0"), &[3 * hidden])?;
        }
        let mut linear = |name: &str, from, to| -> Result<Linear, StudyError> {
            let weight = draw(format!("{name}.weight"), &[to, from])?;
            let bias = draw(format!("{name}.bias"), &[to])?;
            Ok(Linear::new(weight, Some(bias)))
        };
        let squeeze = linear("squeeze", hidden, code)?;
        let unsqueeze = linear("unsqueeze", code, hidden)?;
        let output = linear("output", hidden, bins)?;
        let named = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let gru = |name: &str, from| GRU::new(from, hidden, GRUConfig::default(), named.pp(name));
        Ok(Self {
            steps,
            encoder: gru("encoder", bins)?,
            squeeze,
            unsqueeze,
            decoder: gru("decoder", code)?,
            output,
            vars,
        })
    }

    /// (N, T, B) -> (N, C)
    fn code(&self, maps: &Tensor) -> Result<Tensor, candle_core::Error> {
        let mut state = self.encoder.zero_state(maps.dim(0)?)?;
        for step in 0..self.steps {
            let map = maps.narrow(1, step, 1)?.squeeze(1)?.contiguous()?;
            state = self.encoder.step(&map, &state)?;
        }
        self.squeeze.forward(&state.h)
    }

    /// (N, C) -> (N, T, B)
    fn maps(&self, code: &Tensor) -> Result<Tensor, candle_core::Error> {
        let h = self.unsqueeze.forward(code)?.tanh()?;
        let mut state = GRUState { h };
        let mut maps = Vec::with_capacity(self.steps);
        for _ in 0..self.steps {
            state = self.decoder.step(code, &state)?;
            maps.push(self.output.forward(&state.h)?);
        }
        Tensor::stack(&maps, 1)
    }

    /// Mean squared error.
    fn loss(&self, maps: &Tensor) -> Result<Tensor, candle_core::Error> {
        candle_nn::loss::mse(&self.maps(&self.code(maps)?)?, maps)
    }

    fn weights(&self) -> Result<Vec<Tensor>, candle_core::Error> {
        self.vars.iter().map(|var| var.as_tensor().copy()).collect()
    }

    fn restore(&self, weights: &[Tensor]) -> Result<(), candle_core::Error> {
        let mut pairs = self.vars.iter().zip(weights);
        pairs.try_for_each(|(var, weight)| var.set(weight))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_passage_is_in_one_part() {
        let passages: Vec<usize> = (0..400).map(|question| question / 7).collect();
        let parts = split(&passages, &mut generator(1, 0)).unwrap();
        let [test, stop, train] = parts
            .each_ref()
            .map(|part| part.iter().map(|&q| passages[q]).collect::<BTreeSet<_>>());
        assert!(test.is_disjoint(&stop) && test.is_disjoint(&train) && stop.is_disjoint(&train));
        let sizes = parts.each_ref().map(Vec::len);
        assert_eq!(sizes.iter().sum::<usize>(), 400);
        assert!(
            sizes[..2].iter().all(|size| (60..67).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn however_unequal_passages_are_no_part_is_empty() {
        for large in 0..3 {
            let passages: Vec<usize> = (0..40)
                .map(|q| if q < 2 { (large + 1 + q) % 3 } else { large })
                .collect();
            for seed in 0..9 {
                let parts = split(&passages, &mut generator(seed, 0)).unwrap();
                assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}");
            }
        }
        let error = split(&[0, 0, 1], &mut generator(1, 0)).unwrap_err();
        assert!(
            error.to_string().contains("passages of the autoencoder"),
            "{error}"
        );
    }
}
