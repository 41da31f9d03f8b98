//! Which windows make a batch: each epoch in an order of its own, which the seed and the epoch's number decide alone, so that a run
//! that goes on takes them in the order of one that was not stopped.
//!
//! A batch is drawn over all lengths: batches of one length would make steps that are alike, and here they would save nothing, as
//! windows are packed one behind the other and none is padded. The packs of a batch are made by length (`trainer.rs`).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The order of all windows.
#[derive(Clone, Debug)]
pub struct Order {
    windows: usize,
    batch: usize,
    seed: u64,
    /// An epoch, and its order.
    made: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// Of so many windows, `batch` at a time.
    #[must_use]
    pub fn new(windows: usize, batch: usize, seed: u64) -> Self {
        Self {
            windows,
            batch,
            seed,
            made: None,
        }
    }

    /// Steps of an epoch. What is left over at its end makes a smaller batch.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.windows.div_ceil(self.batch) as u64
    }

    /// The windows of step `t`, from 1.
    pub fn batch(&mut self, t: u64) -> &[usize] {
        let (epoch, at) = ((t - 1) / self.steps(), (t - 1) % self.steps());
        if self.made.as_ref().is_none_or(|(made, _)| *made != epoch) {
            let mut order: Vec<usize> = (0..self.windows).collect();
            let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
            chance.set_stream(epoch);
            order.shuffle(&mut chance);
            self.made = Some((epoch, order));
        }
        let order = self.made.as_ref().map_or(&[][..], |(_, order)| order);
        let first = at as usize * self.batch;
        &order[first..order.len().min(first + self.batch)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_every_window_once_and_the_next_another_order() {
        let mut order = Order::new(10, 4, 7);
        let mut epoch = |first: u64| -> Vec<usize> {
            (first..first + 3)
                .flat_map(|t| order.batch(t).to_vec())
                .collect()
        };
        let (one, two) = (epoch(1), epoch(4));
        for epoch in [&one, &two] {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(one, two);
        assert_ne!(one, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_step_needs_none_before_it() {
        let mut all = Order::new(10, 4, 7);
        for t in 1..=9 {
            let want = all.batch(t).to_vec();
            assert_eq!(Order::new(10, 4, 7).batch(t), want);
        }
        assert_ne!(Order::new(10, 4, 8).batch(1), Order::new(10, 4, 7).batch(1));
    }
}
