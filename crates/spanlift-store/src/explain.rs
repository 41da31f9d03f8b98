//! The questions of a chunk, explained over all cores.
//!
//! A worker is a pool of one thread, and takes one question at a time: nothing waits inside an explanation, what is held at a time is one
//! question for each worker, and its scores are those of `explain`, to the bit, however many workers there are. Questions that share
//! passes are no faster on one thread (measured with the default model: 1, 2, 4 or 8 at a time all make 23 to 24 a second on two
//! cores) and take more memory.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use spanlift::ops::Real;
use spanlift::{AnswerChoice, Explainer, Options};
use spanlift_squad::Question;

use crate::{Asked, GivenAnswers, Keep, QuestionError, Record, StoreError};

/// What explains chunks.
pub struct Job<'a, T> {
    explainer: &'a Explainer<T>,
    options: Options,
    given: Option<&'a GivenAnswers>,
    keep: Keep,
    /// Whether a question that cannot be explained is passed over.
    skip_bad: bool,
    workers: Vec<ThreadPool>,
}

/// What came of each question of a chunk, in order.
pub(crate) type Explained = Vec<Result<Record, QuestionError>>;

impl<'a, T: Real> Job<'a, T> {
    /// With so many workers. What options say of edges and attention is `keep`'s to say.
    ///
    /// # Errors
    ///
    /// Where the system has no more threads.
    pub fn new(
        explainer: &'a Explainer<T>,
        asked: Asked<'a>,
        skip_bad: bool,
        threads: usize,
    ) -> Result<Self, StoreError> {
        let pool = || ThreadPoolBuilder::new().num_threads(1).build();
        let workers: Result<Vec<_>, _> = (0..threads.max(1)).map(|_| pool()).collect();
        Ok(Self {
            explainer,
            options: asked.of_engine(),
            given: asked.given,
            keep: asked.keep,
            skip_bad,
            workers: workers.map_err(|source| StoreError::Threads { source })?,
        })
    }

    /// How many workers there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len()
    }

    fn one(&self, question: &Question) -> Result<Record, QuestionError> {
        let mut options = Cow::Borrowed(&self.options);
        if let Some(given) = self.given {
            let place = given.of(&question.id)?.clone();
            options.to_mut().answer = AnswerChoice::Place(place);
        }
        let (asked, passage) = (&question.question, &question.context);
        let explained = self.explainer.explain(asked, passage, &options)?;
        Ok(Record::new(question, explained, self.keep))
    }

    /// Explains all; `watch` is told of each question that is done. Stops at the first that fails, where none is to be passed over.
    pub(crate) fn explain(
        &self,
        questions: &[Question],
        watch: &(dyn Fn() + Sync),
    ) -> Result<Explained, StoreError> {
        let order = longest_first(questions);
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let done = Mutex::new(Vec::with_capacity(questions.len()));
        let work = || {
            while !stop.load(Ordering::Relaxed) {
                let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    break;
                };
                let explained = self.one(&questions[at]);
                if explained.is_err() && !self.skip_bad {
                    stop.store(true, Ordering::Relaxed);
                }
                // Poisoned by a worker that panicked: the scope then panics as well.
                if let Ok(mut done) = done.lock() {
                    done.push((at, explained));
                }
                watch();
            }
        };
        std::thread::scope(|scope| {
            for worker in &self.workers {
                scope.spawn(|| worker.install(work));
            }
        });
        let mut done = done.into_inner().unwrap_or_default();
        done.sort_by_key(|(at, _)| *at);
        if let Some(at) = done.iter().position(|(_, record)| record.is_err())
            && !self.skip_bad
        {
            let (place, record) = done.swap_remove(at);
            if let Err(source) = record {
                let id = questions[place].id.clone();
                return Err(StoreError::Question { id, source });
            }
        }
        Ok(done.into_iter().map(|(_, record)| record).collect())
    }
}

/// Places of questions by the length of their texts, so that the last ones are short and no worker waits long for another.
fn longest_first(questions: &[Question]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..questions.len()).collect();
    let length = |at: usize| questions[at].question.len() + questions[at].context.len();
    places.sort_by_key(|&at| (Reverse(length(at)), at));
    places
}
