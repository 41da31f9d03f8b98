//! One step: a batch forward, its loss, the walk back, AdamW.

use spanlift::checkpoint::Checkpoint;
use spanlift::model::{Layout, Parameter};
use spanlift::train::{Dropout, Gradients, forward};

use crate::TrainError;
use crate::adamw::{Moving, clip, norm};
use crate::features::Feature;
use crate::loss::loss;
use crate::plan::Settings;
use crate::state::State;

/// A model that learns.
#[derive(Debug)]
pub struct Trainer {
    checkpoint: Checkpoint<f32>,
    gradients: Gradients<f32>,
    state: State,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Which, from 1.
    pub number: u64,
    /// The mean loss of its windows, before it.
    pub loss: f64,
    /// The gradients' norm, before it is clipped.
    pub norm: f64,
    /// The rate.
    pub rate: f64,
    /// Windows.
    pub windows: usize,
    /// Their tokens.
    pub tokens: usize,
}

/// A name for each parameter, as files have it.
#[must_use]
pub fn names(parameters: &[Parameter]) -> Vec<String> {
    let name = |p: &Parameter| format!("{:?}.{:?}", p.site, p.side);
    parameters.iter().map(name).collect()
}

impl Trainer {
    /// From a checkpoint, or going on from a state of it.
    #[must_use]
    pub fn new(mut checkpoint: Checkpoint<f32>, state: Option<State>, settings: &Settings) -> Self {
        let wanted = |parameter: &Parameter| settings.trains(parameter);
        let gradients = Gradients::of(&checkpoint.encoder, wanted);
        let state = state.unwrap_or_else(|| State::new(checkpoint.encoder.values()));
        checkpoint.encoder.set_values(&state.values);
        Self {
            checkpoint,
            gradients,
            state,
        }
    }

    /// The model as it is now.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint<f32> {
        &self.checkpoint
    }

    /// All that it needs to go on.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The same, to be written to.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Its parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        self.gradients.parameters()
    }

    /// Learns from these windows once.
    ///
    /// # Errors
    ///
    /// [`TrainError::NotFinite`] where the loss or a gradient overflows; the weights are then as they were.
    pub fn step(&mut self, windows: &[&Feature], settings: &Settings) -> Result<Step, TrainError> {
        let number = self.state.mark.step + 1;
        let encoder = &self.checkpoint.encoder;
        self.gradients.clear();
        let weight = 1.0 / windows.len().max(1) as f64;
        let (mut sum, mut tokens) = (0.0, 0);
        for (at, pack) in packs(windows, settings.pack_tokens).into_iter().enumerate() {
            let layout = Layout::new(pack.iter().map(|window| &*window.segments));
            let ids: Vec<u32> = pack
                .iter()
                .flat_map(|window| window.ids.iter().copied())
                .collect();
            let answers: Vec<[usize; 2]> = pack.iter().map(|window| window.answer).collect();
            // A pass of its own for each pack of each step.
            let pass = number << 16 | at as u64;
            let dropout = Dropout::new(settings.rates(), settings.seed, pass);
            let trace = forward(encoder, &layout, &ids, Some(&dropout));
            let (of_pack, m_logits) = loss(&trace.logits, &layout, &answers, weight);
            self.gradients
                .add(encoder, &trace, &ids, &m_logits, Some(&dropout));
            trace.recycle();
            sum += of_pack;
            tokens += ids.len();
        }
        let norm = norm(self.gradients.values());
        if !sum.is_finite() || !norm.is_finite() {
            return Err(TrainError::NotFinite {
                step: number,
                loss: sum,
                norm,
            });
        }
        let rate = settings.schedule().rate(number);
        let (adamw, scale) = (settings.adamw(), clip(norm, settings.clip));
        let state = &mut self.state;
        let tensors = state
            .values
            .iter_mut()
            .zip(&mut state.first)
            .zip(&mut state.second);
        let gradients = self
            .gradients
            .parameters()
            .iter()
            .zip(self.gradients.values());
        for (((values, first), second), (parameter, gradient)) in tensors.zip(gradients) {
            if gradient.is_empty() {
                continue;
            }
            let decays = parameter.decays();
            adamw.step(
                number,
                rate,
                scale,
                Moving {
                    values,
                    gradient,
                    first,
                    second,
                    decays,
                },
            );
        }
        state.mark.step = number;
        self.checkpoint.encoder.set_values(&self.state.values);
        Ok(Step {
            number,
            loss: sum,
            norm,
            rate,
            windows: windows.len(),
            tokens,
        })
    }
}

/// The longest windows first, as many at a time as have so many tokens together; one may have more.
fn packs<'a>(windows: &[&'a Feature], tokens: usize) -> Vec<Vec<&'a Feature>> {
    let mut sorted = windows.to_vec();
    sorted.sort_by_key(|window| std::cmp::Reverse(window.ids.len()));
    let mut packs: Vec<Vec<&Feature>> = Vec::new();
    let mut room = 0;
    for window in sorted {
        match packs.last_mut().filter(|_| window.ids.len() <= room) {
            Some(pack) => pack.push(window),
            None => {
                packs.push(vec![window]);
                room = tokens;
            }
        }
        room = room.saturating_sub(window.ids.len());
    }
    packs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_hold_every_window_once_and_no_more_tokens_than_they_may() {
        let window = |s: usize| Feature {
            ids: vec![0; s].into(),
            segments: vec![0; s].into(),
            answer: [0, 0],
        };
        let windows: Vec<Feature> = [5, 9, 2, 7, 3, 12, 1].into_iter().map(window).collect();
        let all: Vec<&Feature> = windows.iter().collect();
        let lengths: Vec<Vec<usize>> = packs(&all, 10)
            .iter()
            .map(|pack| pack.iter().map(|window| window.ids.len()).collect())
            .collect();
        assert_eq!(
            lengths,
            [vec![12], vec![9], vec![7], vec![5, 3, 2], vec![1]]
        );
    }
}
