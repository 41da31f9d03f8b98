//! Gradients of the parameters: the walk back under the rule *Gradient*, with m_yᵀ·x at each linear map.
//!
//! The loss is the caller's: [`Gradients::add`] takes its gradient at the logits. What is left out of [`Gradients::of`] is frozen: its
//! products are not computed, and the walk ends above the lowest layer in which anything is wanted.
//!
//! Shapes: N tokens of all sequences, packed one behind the other; logits (N, 2).

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::attribute::rules::GRADIENT;
use crate::model::{
    Encoder, Layout, NoGradient, Parameter, Part, Side, Site, Taps, Trace, forward_dropped, walk,
};
use crate::ops::attention::EdgeSink;
pub use crate::ops::dropout::Dropout;
use crate::ops::product::{View, ViewMut, add_outer};
use crate::ops::{Matrix, Real, embedding, norm};

/// Columns whose sums a task takes.
const COLUMNS: usize = 64;

/// The pass forward over these ids (N), as a model is trained.
///
/// # Panics
///
/// Where an id, a position or a segment is no row of its table.
pub fn forward<T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    ids: &[u32],
    dropout: Option<&Dropout>,
) -> Trace<T> {
    let words = embedding::words(&encoder.embeddings, ids);
    forward_dropped(encoder, layout, words, dropout)
}

/// The gradients of an encoder's parameters, added up.
#[derive(Clone, Debug)]
pub struct Gradients<T> {
    parameters: Vec<Parameter>,
    places: BTreeMap<(Site, Side), usize>,
    /// Empty for what is frozen.
    values: Vec<Vec<T>>,
    /// The lowest layer in which anything is wanted; none where the embeddings are.
    lowest: Option<usize>,
}

impl<T: Real> Gradients<T> {
    /// Zeros for the parameters that are wanted.
    ///
    /// # Errors
    ///
    /// [`NoGradient`] where none are written for such an encoder.
    pub fn of(
        encoder: &Encoder<T>,
        wanted: impl Fn(&Parameter) -> bool,
    ) -> Result<Self, NoGradient> {
        let parameters = encoder.parameters()?;
        let places = parameters.iter().zip(0..);
        let places = places.map(|(parameter, at)| ((parameter.site, parameter.side), at));
        let zeros = |parameter: &Parameter| {
            let len = if wanted(parameter) {
                parameter.len()
            } else {
                0
            };
            vec![T::ZERO; len]
        };
        let layer = |parameter: &Parameter| match parameter.site {
            Site::Layer(l, _) => Some(l),
            Site::Head => Some(encoder.layers.len()),
            _ => None,
        };
        let lowest = parameters
            .iter()
            .filter(|parameter| wanted(parameter))
            .map(layer)
            .min();
        Ok(Self {
            values: parameters.iter().map(zeros).collect(),
            places: places.collect(),
            lowest: lowest.unwrap_or(Some(encoder.layers.len())),
            parameters,
        })
    }

    /// What each is of.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The numbers, row by row; empty for what is frozen.
    #[must_use]
    pub fn values(&self) -> &[Vec<T>] {
        &self.values
    }

    /// Begins again.
    pub fn clear(&mut self) {
        self.values
            .par_iter_mut()
            .for_each(|value| value.fill(T::ZERO));
    }

    /// Adds those of a pass: `m_logits` (N, 2) is the loss's gradient at its logits, `ids` and `dropout` those of its
    /// [`forward`].
    ///
    /// # Panics
    ///
    /// Where they are of another pass, or of another encoder.
    pub fn add(
        &mut self,
        encoder: &Encoder<T>,
        trace: &Trace<T>,
        ids: &[u32],
        m_logits: &Matrix<T>,
        dropout: Option<&Dropout>,
    ) {
        let part = Part::from(trace);
        let mut taps = Tapped {
            gradients: self,
            layout: &trace.layout,
            ids,
            dropout,
        };
        walk(
            encoder,
            &trace.layout,
            [&part, &part],
            GRADIENT.rules,
            m_logits,
            |_| NoEdges,
            &mut taps,
        );
    }

    /// The numbers of one, where it is wanted, with its sides.
    fn wanted(&mut self, site: Site, side: Side) -> Option<ViewMut<'_, T>> {
        let at = *self.places.get(&(site, side))?;
        let shape = &self.parameters[at].shape;
        let (rows, cols) = (shape[0], shape.get(1).copied().unwrap_or(1));
        let value = &mut self.values[at];
        (!value.is_empty()).then(|| ViewMut::of(value, rows, cols))
    }
}

/// No edges.
struct NoEdges;

impl<T: Real> EdgeSink<T> for NoEdges {
    fn wanted(&self) -> bool {
        false
    }

    fn take(&mut self, _: &[usize], _: &Matrix<T>, _: &Matrix<T>) {}
}

/// What takes the gradients on the walk.
struct Tapped<'a, T> {
    gradients: &'a mut Gradients<T>,
    layout: &'a Layout,
    ids: &'a [u32],
    dropout: Option<&'a Dropout>,
}

impl<T: Real> Taps<T> for Tapped<'_, T> {
    const SCORES: bool = false;

    fn reach(&self, layer: usize) -> bool {
        self.gradients.lowest.is_none_or(|lowest| lowest <= layer)
    }

    fn wants(&self, site: Site) -> bool {
        [Side::Weight, Side::Bias].iter().any(|&side| {
            let at = self.gradients.places.get(&(site, side));
            at.is_some_and(|&at| !self.gradients.values[at].is_empty())
        })
    }

    fn linear(&mut self, site: Site, x: View<'_, T>, m_y: View<'_, T>) {
        if let Some(weight) = self.gradients.wanted(site, Side::Weight) {
            add_outer(weight, m_y, x);
        }
        if let Some(bias) = self.gradients.wanted(site, Side::Bias) {
            add_columns(bias, m_y.rows(), |i, k| m_y.row(i)[k]);
        }
    }

    fn norm(&mut self, site: Site, kept: &norm::Kept<T>, m_y: &Matrix<T>) {
        let norm::Kept::LayerNorm(kept) = kept else {
            return;
        };
        if let Some(weight) = self.gradients.wanted(site, Side::Weight) {
            add_columns(weight, m_y.rows(), |i, k| m_y.row(i)[k] * kept.n.row(i)[k]);
        }
        if let Some(bias) = self.gradients.wanted(site, Side::Bias) {
            add_columns(bias, m_y.rows(), |i, k| m_y.row(i)[k]);
        }
    }

    fn no_norm(&mut self, site: Site, x: View<'_, T>, m_y: &Matrix<T>) {
        if let Some(weight) = self.gradients.wanted(site, Side::Weight) {
            add_columns(weight, m_y.rows(), |i, k| m_y.row(i)[k] * x.row(i)[k]);
        }
        if let Some(bias) = self.gradients.wanted(site, Side::Bias) {
            add_columns(bias, m_y.rows(), |i, k| m_y.row(i)[k]);
        }
    }

    fn embeddings(&mut self, tables: &[Site], m: &Matrix<T>) {
        let (ids, layout) = (self.ids, self.layout);
        assert_eq!(ids.len(), m.rows(), "an id a token");
        let rows: [(Site, &dyn Fn(usize) -> usize); 3] = [
            (Site::Words, &|i| ids[i] as usize),
            (Site::Positions, &|i| layout.positions[i]),
            (Site::Segments, &|i| layout.segments[i] as usize),
        ];
        for (site, row) in rows.into_iter().filter(|(site, _)| tables.contains(site)) {
            let Some(mut table) = self.gradients.wanted(site, Side::Weight) else {
                continue;
            };
            for i in 0..m.rows() {
                let to = table.row_mut(row(i)).iter_mut();
                to.zip(m.row(i)).for_each(|(to, &m)| *to += m);
            }
        }
    }

    fn before_dropout(&self, site: Site, m: &Matrix<T>) -> Option<Matrix<T>> {
        let dropout = self.dropout?;
        let mut before = Matrix::reused(m.rows(), m.cols());
        before.data_mut().copy_from_slice(m.data());
        dropout.apply(site.number(), &mut before);
        Some(before)
    }
}

/// Adds to each column's number the sum of `of(row, column)` over the rows, over the pool; the same bits for any number of threads.
fn add_columns<T: Real>(to: ViewMut<'_, T>, rows: usize, of: impl Fn(usize, usize) -> T + Sync) {
    let columns = to.rows();
    let cuts: Vec<usize> = (0..columns).step_by(COLUMNS).chain([columns]).collect();
    let tasks = to.blocks(&cuts, 1).into_par_iter().zip(&cuts);
    tasks.for_each(|(mut to, &first)| {
        let mut sums = vec![T::ZERO; to.rows()];
        for i in 0..rows {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum += of(i, first + k);
            }
        }
        for (k, sum) in sums.into_iter().enumerate() {
            to.row_mut(k)[0] += sum;
        }
    });
}
