//! Every window of a passage explained, and one view of the whole: the JSON form `spanlift.windows`.
//!
//! Each window has an [`Explanation`] of its own, complete in itself. The [`Document`] has every token of the passage
//! once, with its scores from the window where it lies deepest inside: with `f` the window's first passage token among
//! all of the passage's and `n` how many it holds, the depth of token `p` is the smaller of `p − f` and `f + n − 1 − p`; the
//! passage's own start and end count as infinitely deep. Ties go to the earlier window. The tokens around
//! the passage (`[CLS] question [SEP]`, and the last `[SEP]`), which every window has, are those of the answer's window.
//!
//! The windows share out different numbers, each its own Δt. So a document's scores say where each window looked;
//! they do not add up to anything, and no sum of them is written.

use serde::{Deserialize, Serialize};

use crate::{Explanation, InvalidWindows, Part, Token};

/// The format name at the head of the JSON form.
pub const WINDOWS_FORMAT: &str = "spanlift.windows";

/// The version of that form which this crate writes and reads.
pub const WINDOWS_VERSION: u32 = 1;

/// How the windows other than the answer's were explained: what [`Document::targets`] says.
pub const OWN_TARGETS: &str = "own";

/// All windows of a passage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Windows {
    /// Always [`WINDOWS_FORMAT`].
    pub format: String,
    /// Always [`WINDOWS_VERSION`] in what this crate writes.
    pub version: u32,
    /// One for each window, in order.
    pub windows: Vec<Explanation>,
    /// The merged view.
    pub document: Document,
}

/// The whole passage with each token's scores from one of the windows. The scores do not add up to one Δt.
///
/// Dimension letters: `D` tokens of the document, `W` windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Whose target each window's scores share out: `own`, the window's own best span or no answer, as if it were the whole
    /// passage; but in the window [`answer_window`](Self::answer_window), the passage's answer over all windows.
    pub targets: String,
    /// The window whose explanation is that of the passage's answer.
    pub answer_window: usize,
    /// Which tokens each window holds; (W).
    pub places: Vec<Place>,
    /// `[CLS] question [SEP]`, all of the passage once, `[SEP]`; (D).
    pub tokens: Vec<Token>,
    /// The window that each token's scores are taken from; (D).
    pub window: Vec<usize>,
    /// Scores at the word embeddings; (D).
    pub word_score: Vec<f32>,
    /// The input of each encoder layer, then `output`; L+1 of them.
    pub layers: Vec<DocumentLayer>,
}

/// The passage tokens of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Index of its first passage token among all of the passage's.
    pub first: usize,
    /// How many it holds.
    pub count: usize,
}

/// The scores of a document at one cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentLayer {
    /// As in [`LayerScores`](crate::LayerScores).
    pub name: String,
    /// (D).
    pub score: Vec<f32>,
}

/// A [`Document`] under construction: window after window, of which only the scores are kept.
#[derive(Clone, Debug)]
pub struct Merge {
    answer_window: usize,
    /// What all windows must share, and the tokens around the first one's passage.
    head: Option<Explanation>,
    places: Vec<Place>,
    /// The passage's tokens, as far as the windows reach.
    tokens: Vec<Token>,
    /// The window of each, and how deep the token lies there.
    deepest: Vec<(usize, usize)>,
    /// Their scores at the words and at each layer.
    scores: Vec<Vec<f32>>,
    /// The scores of the tokens around the passage in the answer's window, at each of these cuts.
    around: Vec<Vec<f32>>,
}

impl Merge {
    /// Begins; `answer_window` is the one whose explanation is that of the passage's answer.
    #[must_use]
    pub fn new(answer_window: usize) -> Self {
        Self {
            answer_window,
            head: None,
            places: Vec::new(),
            tokens: Vec::new(),
            deepest: Vec::new(),
            scores: Vec::new(),
            around: Vec::new(),
        }
    }

    /// Takes the next window; `first` is the index of its first passage token among all of the passage's.
    ///
    /// # Errors
    ///
    /// Where it is at fault itself, or not the next window of the same passage.
    pub fn push(&mut self, explanation: &Explanation, first: usize) -> Result<(), InvalidWindows> {
        let index = self.places.len();
        explanation
            .validate()
            .map_err(|source| InvalidWindows::Window {
                window: index,
                source,
            })?;
        self.belongs(index, explanation)?;
        let passage = passage_of(&explanation.tokens);
        let count = passage.len();
        let tokens = &explanation.tokens[passage.clone()];
        // What the windows before have of it.
        let shared = self.tokens.get(first..).unwrap_or_default();
        let follows = match self.places.last() {
            None => first == 0,
            Some(last) => last.first < first && first <= self.tokens.len(),
        };
        if !follows || shared.len() >= count || shared != &tokens[..shared.len()] {
            return Err(InvalidWindows::Place {
                window: index,
                first,
            });
        }
        self.tokens.extend_from_slice(&tokens[shared.len()..]);
        self.places.push(Place { first, count });
        let cuts = cuts(explanation);
        self.scores.resize(cuts.len(), Vec::new());
        let is_last = index + 1 == explanation.window.count;
        for at in 0..count {
            let left = if first == 0 { usize::MAX } else { at };
            let right = if is_last { usize::MAX } else { count - 1 - at };
            let (depth, p) = (left.min(right), first + at);
            if self
                .deepest
                .get(p)
                .is_some_and(|&(_, known)| depth <= known)
            {
                continue;
            }
            put(&mut self.deepest, p, (index, depth));
            for (scores, cut) in self.scores.iter_mut().zip(&cuts) {
                put(scores, p, cut[passage.start + at]);
            }
        }
        if index == self.answer_window {
            let outside = |cut: &&[f32]| [&cut[..passage.start], &cut[passage.end..]].concat();
            self.around = cuts.iter().map(outside).collect();
        }
        Ok(())
    }

    /// Whether this is window `index` of what the first one is a window of.
    fn belongs(&mut self, index: usize, explanation: &Explanation) -> Result<(), InvalidWindows> {
        let around = around(&explanation.tokens);
        let head = self.head.get_or_insert_with(|| Explanation {
            tokens: around.clone(),
            ..explanation.clone()
        });
        let (window, expected) = (&explanation.window, head.window.count);
        if (window.index, window.count) != (index, expected) {
            return Err(InvalidWindows::Order {
                window: index,
                expected,
                got: window.index,
                count: window.count,
            });
        }
        let same = [
            ("model", head.model == explanation.model),
            ("method", head.method == explanation.method),
            ("question", head.question == explanation.question),
            ("passage", head.passage == explanation.passage),
            ("tokens", head.tokens == around),
        ];
        match same.iter().find(|(_, same)| !same) {
            Some(&(field, _)) => Err(InvalidWindows::Differs {
                window: index,
                field,
            }),
            None => Ok(()),
        }
    }

    /// The view, once every window is there.
    ///
    /// # Errors
    ///
    /// Where windows are missing, or the answer's is none of them.
    pub fn finish(self) -> Result<Document, InvalidWindows> {
        let Some(head) = self.head else {
            return Err(InvalidWindows::None);
        };
        let (got, expected) = (self.places.len(), head.window.count);
        if got != expected {
            return Err(InvalidWindows::Missing { expected, got });
        }
        if self.answer_window >= got {
            return Err(InvalidWindows::AnswerWindow {
                count: got,
                got: self.answer_window,
            });
        }
        let before = head.tokens.len() - 1;
        let whole = self.around.iter().zip(&self.scores);
        let mut whole: Vec<Vec<f32>> = whole
            .map(|(around, scores)| [&around[..before], scores, &around[before..]].concat())
            .collect();
        let mut window = vec![self.answer_window; before];
        window.extend(self.deepest.iter().map(|&(window, _)| window));
        window.push(self.answer_window);
        let layers = whole.split_off(1).into_iter().zip(&head.layers);
        Ok(Document {
            targets: OWN_TARGETS.to_owned(),
            answer_window: self.answer_window,
            places: self.places,
            tokens: [&head.tokens[..before], &self.tokens, &head.tokens[before..]].concat(),
            window,
            word_score: whole.swap_remove(0),
            layers: layers
                .map(|(score, layer)| DocumentLayer {
                    name: layer.name.clone(),
                    score,
                })
                .collect(),
        })
    }
}

/// The passage's tokens, which follow each other.
fn passage_of(tokens: &[Token]) -> std::ops::Range<usize> {
    let passage = |token: &Token| token.part == Part::Passage;
    let first = tokens.iter().position(passage).unwrap_or(tokens.len());
    let count = tokens[first..].iter().take_while(|t| passage(t)).count();
    first..first + count
}

/// The tokens around the passage.
fn around(tokens: &[Token]) -> Vec<Token> {
    let passage = |token: &&Token| token.part != Part::Passage;
    tokens.iter().filter(passage).cloned().collect()
}

/// Scores at the words, then at each layer.
fn cuts(explanation: &Explanation) -> Vec<&[f32]> {
    let layers = explanation.layers.iter().map(|layer| &layer.score[..]);
    std::iter::once(&explanation.word_score[..])
        .chain(layers)
        .collect()
}

/// Replaces an entry, or adds the next.
fn put<T>(list: &mut Vec<T>, at: usize, entry: T) {
    match list.get_mut(at) {
        Some(old) => *old = entry,
        None => list.push(entry),
    }
}

impl Windows {
    /// Checks every window, that they are the windows of one passage, and that the document is what they give.
    ///
    /// # Errors
    ///
    /// The first fault found.
    pub fn validate(&self) -> Result<(), InvalidWindows> {
        let version = WINDOWS_VERSION.to_string();
        for (field, expected, got) in [
            ("format", WINDOWS_FORMAT, &self.format),
            ("version", &version, &self.version.to_string()),
        ] {
            if expected != got {
                let (expected, got) = (expected.to_owned(), got.clone());
                return Err(InvalidWindows::Head {
                    field,
                    expected,
                    got,
                });
            }
        }
        let got = &self.document;
        if got.places.len() != self.windows.len() {
            return Err(InvalidWindows::Document { field: "places" });
        }
        let mut merge = Merge::new(got.answer_window);
        for (window, place) in self.windows.iter().zip(&got.places) {
            merge.push(window, place.first)?;
        }
        let want = merge.finish()?;
        let same = [
            ("targets", want.targets == got.targets),
            ("places", want.places == got.places),
            ("tokens", want.tokens == got.tokens),
            ("window", want.window == got.window),
            ("word_score", want.word_score == got.word_score),
            ("layers", want.layers == got.layers),
        ];
        match same.iter().find(|(_, same)| !same) {
            Some(&(field, _)) => Err(InvalidWindows::Document { field }),
            None => Ok(()),
        }
    }
}
