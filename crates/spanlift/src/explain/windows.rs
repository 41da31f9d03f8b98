//! A passage of several windows: what the model says of each, and the explanation of every one.

use std::collections::VecDeque;
use std::rc::Rc;

use super::choice::{Choice, choose};
use super::{AnswerChoice, ExplainError, Explained, Explainer, Item, Options, PACK_BYTES, Ready};
use crate::answer::{Logits, Reading};
use crate::encode::Windows;
use crate::model::{Layout, logits};
use crate::ops::{Matrix, Real, embedding};

/// Windows are read several in one pass while they have no more tokens than this together: a quarter less processor time
/// than one by one for windows of 384 tokens and half for windows of 64; more tokens gain nothing.
const READ_TOKENS: usize = 1024;

/// The explanation of every window of a passage, one after the other: see [`Explainer::explain_windows`].
#[derive(Debug)]
pub struct WindowExplanations<'a, T> {
    explainer: &'a Explainer<T>,
    item: Item<'a>,
    options: &'a Options,
    windows: Rc<Windows>,
    logits: Vec<Logits>,
    answer_window: usize,
    /// What is explained of that window, until its turn comes.
    answer: Option<Choice>,
    /// The first window that no pass has taken.
    next: usize,
    made: VecDeque<Result<Explained<T>, ExplainError>>,
}

impl<T: Real> Explainer<T> {
    /// Explains every window of a passage, in order, each made when it is asked for (small ones several in one pass): what is
    /// held at a time does not grow with the passage, but for its tokens and logits.
    ///
    /// The window of the passage's answer has the very explanation that [`explain`](Self::explain) gives. Every other
    /// window is asked the same question for itself and explained for what it says alone, its best span or no answer, as
    /// if it were the whole passage: a window that lacks the passage's answer has no score of that answer to explain.
    ///
    /// `watch` is told how many windows have been read, and of how many, before the first is explained.
    ///
    /// # Errors
    ///
    /// As for [`explain`](Self::explain), and where [`Options::answer`] is a place, or that or [`Options::versus`] a text of the
    /// passage, which not every window can hold.
    pub fn explain_windows<'a>(
        &'a self,
        item: Item<'a>,
        options: &'a Options,
        watch: &mut dyn FnMut(usize, usize),
    ) -> Result<WindowExplanations<'a, T>, ExplainError> {
        for (field, text) in options.texts() {
            if !text.is_empty() {
                let got = text.to_owned();
                return Err(ExplainError::OneText { field, got });
            }
        }
        if let AnswerChoice::Place(place) = &options.answer {
            let window = place.window.index;
            return Err(ExplainError::OnePlace { window });
        }
        let windows = self.windows(item.question, item.passage, &options.answering)?;
        let logits = self.read(&windows, watch)?;
        let answer = choose(item, reading(&windows, 0, &logits), options)?;
        Ok(WindowExplanations {
            explainer: self,
            item,
            options,
            windows: Rc::new(windows),
            logits,
            answer_window: answer.window,
            answer: Some(answer),
            next: 0,
            made: VecDeque::new(),
        })
    }

    /// The logits of each window. No activations are kept, so that memory does not grow with the passage.
    pub(super) fn read(
        &self,
        windows: &Windows,
        watch: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Logits>, ExplainError> {
        let count = windows.count();
        let mut read = Vec::with_capacity(count);
        watch(0, count);
        while read.len() < count {
            let mut inputs = Vec::new();
            let mut tokens = 0;
            for window in read.len()..count {
                tokens += windows.tokens(window);
                if tokens > READ_TOKENS && !inputs.is_empty() {
                    break;
                }
                inputs.push(windows.input(window));
            }
            let ids = inputs.iter().flat_map(|(ids, _)| ids).copied().collect();
            let layout = Layout::new(inputs.iter().map(|(_, segments)| &segments[..]));
            read.append(&mut self.logits(ids, &layout)?);
            watch(read.len(), count);
        }
        Ok(read)
    }

    /// The logits of packed sequences.
    pub(super) fn logits(
        &self,
        ids: Vec<u32>,
        layout: &Layout,
    ) -> Result<Vec<Logits>, ExplainError> {
        let encoder = &self.checkpoint.encoder;
        let words = embedding::words(&encoder.embeddings, &ids);
        let logits = logits(encoder, layout, words);
        let sequences = 0..layout.sequences();
        sequences
            .map(|b| logits_of::<T>(&logits, layout, b))
            .collect()
    }
}

/// The logits of sequence `b`, where they are finite.
pub(super) fn logits_of<T: Real>(
    logits: &Matrix<T>,
    layout: &Layout,
    b: usize,
) -> Result<Logits, ExplainError> {
    let logits = Logits::of(logits, layout.starts[b], layout.tokens(b).len());
    if logits.is_finite() {
        Ok(logits)
    } else {
        Err(ExplainError::NotFinite {
            what: "logits",
            precision: T::NAME,
        })
    }
}

/// Windows from `first` on, one for each of the logits.
pub(super) fn reading<'a>(windows: &'a Windows, first: usize, logits: &'a [Logits]) -> Reading<'a> {
    Reading {
        windows,
        first,
        logits,
    }
}

impl<'a, T: Real> WindowExplanations<'a, T> {
    /// The window that holds the passage's answer.
    #[must_use]
    pub fn answer_window(&self) -> usize {
        self.answer_window
    }

    /// How many windows there are, explained or not.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.windows.count()
    }

    /// One pass over as many windows as fit.
    fn pass(&mut self) {
        let (mut pack, mut placed, mut bytes) = (Vec::new(), Vec::new(), 0);
        while self.next < self.windows() {
            let window = self.next;
            let more = self
                .explainer
                .trace_bytes(self.windows.tokens(window), self.options);
            if bytes + more > PACK_BYTES && bytes > 0 {
                break;
            }
            bytes += more;
            self.next += 1;
            match self.ready(window) {
                Ok(ready) => pack.push(ready),
                Err(error) => placed.push((window, Err(error))),
            }
        }
        if !pack.is_empty() {
            placed.append(&mut self.explainer.explain_pack(pack, self.options));
        }
        placed.sort_by_key(|(window, _)| *window);
        self.made = placed.into_iter().map(|(_, result)| result).collect();
    }

    fn ready(&mut self, window: usize) -> Result<Ready<'a, T>, ExplainError> {
        let choice = match self.answer.take_if(|answer| answer.window == window) {
            Some(answer) => answer,
            None => {
                let own = &self.logits[window..=window];
                choose(self.item, reading(&self.windows, window, own), self.options)?
            }
        };
        let mut ready = Ready {
            at: window,
            item: self.item,
            encoding: self.windows.encoding(window),
            windows: Rc::clone(&self.windows),
            choice: Some(choice),
            references: Vec::new(),
        };
        self.explainer.add_references(&mut ready, self.options)?;
        Ok(ready)
    }
}

impl<T: Real> Iterator for WindowExplanations<'_, T> {
    type Item = Result<Explained<T>, ExplainError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.made.is_empty() {
            self.pass();
        }
        self.made.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.made.len() + self.windows() - self.next;
        (left, Some(left))
    }
}

impl<T: Real> ExactSizeIterator for WindowExplanations<'_, T> {}
