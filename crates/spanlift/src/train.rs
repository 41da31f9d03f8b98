//! Gradients of the parameters: the walk back under the rule *Gradient*, with m_yᵀ·x at each linear map.
//!
//! The loss is the caller's: [`Gradients::add`] takes its gradient at the logits. What is left out of [`Gradients::of`] is frozen: its
//! products are not computed, and the walk ends above the lowest layer in which anything is wanted.
//!
//! Shapes: N tokens of all sequences, packed one behind the other; logits (N, 2).

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::attribute::rules::GRADIENT;
use crate::model::{
    Encoder, LayerSite, Layout, Parameter, Part, Place, Projections, Side, Site, Taps, Trace,
    WalkLayer, forward_dropped, of_probs, part_of, walk,
};
use crate::ops::attention::{self, EdgeSink};
use crate::ops::dropout::Probs;
pub use crate::ops::dropout::{Dropout, Rates};
use crate::ops::product::{View, ViewMut, add_outer};
use crate::ops::relative::Relative;
use crate::ops::{Matrix, Real, embedding, linear, norm};

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
    #[must_use]
    pub fn of(encoder: &Encoder<T>, wanted: impl Fn(&Parameter) -> bool) -> Self {
        let parameters = encoder.parameters();
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
        Self {
            values: parameters.iter().map(zeros).collect(),
            places: places.collect(),
            lowest: lowest.unwrap_or(Some(encoder.layers.len())),
            parameters,
        }
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
        let positions = |place: Place| {
            let relative = encoder.layers[place.layer].relative.as_ref();
            Positions::of(relative, encoder.config.hidden / encoder.config.heads)
        };
        let found = walk(
            encoder,
            &trace.layout,
            [&part, &part],
            GRADIENT.rules,
            m_logits,
            positions,
            &mut taps,
        );
        taps.positions(encoder, found.layers);
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

/// What comes to a head's columns of the projected tables of relative positions; no edges.
struct Positions<'a, T> {
    relative: Option<&'a Relative<T>>,
    scale: T,
    /// Of K^r and of Q^r; (2B, D).
    tables: [Option<Matrix<T>>; 2],
}

impl<'a, T: Real> Positions<'a, T> {
    fn of(relative: Option<&'a Relative<T>>, width: usize) -> Self {
        let zeros = |table: &Matrix<T>| Matrix::zeros(table.rows(), width);
        let tables = relative.map(|relative| [&relative.key, &relative.query]);
        Self {
            relative,
            scale: attention::scale(width, relative),
            tables: tables.map_or([None, None], |tables| {
                tables.map(|table| table.as_ref().map(zeros))
            }),
        }
    }
}

impl<T: Real> EdgeSink<T> for Positions<'_, T> {
    fn wanted(&self) -> bool {
        false
    }

    fn take(&mut self, _: &[usize], _: &Matrix<T>, _: &Matrix<T>) {}

    /// s_ij has (Q_i·K^r_b + K_j·Q^r_b) at the scale, b the row of i − j: m of K^r_b is Σ m_s,ij Q_i, and m of Q^r_b Σ m_s,ij K_j.
    fn scores(&mut self, queries: &[usize], m_s: &Matrix<T>, q: View<'_, T>, k: View<'_, T>) {
        let Some(relative) = self.relative else {
            return;
        };
        for (row, &i) in queries.iter().enumerate() {
            for (j, &m) in m_s.row(row).iter().enumerate() {
                let b = relative.buckets.row(i as isize - j as isize);
                let m = m * self.scale;
                for (table, x) in self.tables.iter_mut().zip([q.row(row), k.row(j)]) {
                    if let Some(table) = table {
                        let to = table.row_mut(b).iter_mut();
                        to.zip(x).for_each(|(to, &x)| *to += m * x);
                    }
                }
            }
        }
    }
}

/// What takes the gradients on the walk.
struct Tapped<'a, T> {
    gradients: &'a mut Gradients<T>,
    layout: &'a Layout,
    ids: &'a [u32],
    dropout: Option<&'a Dropout>,
}

impl<T: Real> Tapped<'_, T> {
    /// From the projected tables to what projects them, and to the one table of all layers; `layers` are those that the walk reached.
    fn positions(&mut self, encoder: &Encoder<T>, layers: Vec<WalkLayer<Positions<'_, T>>>) {
        let Some(table) = &encoder.relative_table else {
            return;
        };
        let (heads, hidden) = (encoder.config.heads, encoder.config.hidden);
        let normed = table.normed();
        let mut m = Matrix::zeros(normed.rows(), normed.cols());
        let first = encoder.layers.len() - layers.len();
        for (l, found) in layers.into_iter().enumerate() {
            let (l, layer) = (first + l, &encoder.layers[first + l]);
            for (part, place) in [(1, 0), (0, 1)] {
                // All heads side by side, their sequences added up.
                let mut m_table = Matrix::zeros(normed.rows(), hidden);
                let mut any = false;
                for (at, head) in found.edges.iter().enumerate() {
                    let Some(of_head) = &head.tables[place] else {
                        continue;
                    };
                    any = true;
                    let column = at % heads * of_head.cols();
                    for b in 0..of_head.rows() {
                        let to = m_table.row_mut(b)[column..].iter_mut();
                        to.zip(of_head.row(b)).for_each(|(to, &x)| *to += x);
                    }
                }
                if !any {
                    continue;
                }
                let maps = layer.position_maps.as_ref();
                match (maps, &layer.projections) {
                    (Some(maps), _) => {
                        let (site, map) = if part == 1 {
                            (LayerSite::PositionKey, &maps.key)
                        } else {
                            (LayerSite::PositionQuery, &maps.query)
                        };
                        if let Some(map) = map {
                            self.linear(Site::Layer(l, site), normed.view(), m_table.view());
                            linear::multiplier_onto(map, m_table.view(), &mut m);
                        }
                    }
                    (None, Projections::Joint(qkv)) => {
                        let rows = part * hidden..(part + 1) * hidden;
                        let site = Site::Layer(l, LayerSite::Qkv);
                        self.linear_part(site, rows, normed.view(), m_table.view());
                        linear::multiplier_onto(&part_of(qkv, part), m_table.view(), &mut m);
                    }
                    (None, Projections::Bottleneck(_)) => {}
                }
            }
        }
        if let Some(over) = &table.norm {
            let (_, kept) = norm::forward(over, table.weight.clone());
            self.norm(Site::RelativeNorm, &kept, &m);
            norm::multiplier(over, norm::Ends::Mean([(&kept, 0), (&kept, 0)]), &mut m);
        }
        if let Some(mut weight) = self.gradients.wanted(Site::RelativePositions, Side::Weight) {
            for b in 0..m.rows() {
                let to = weight.row_mut(b).iter_mut();
                to.zip(m.row(b)).for_each(|(to, &m)| *to += m);
            }
        }
    }

    /// Of some outputs of a map.
    fn linear_part(&mut self, site: Site, rows: Range<usize>, x: View<'_, T>, m_y: View<'_, T>) {
        if let Some(mut weight) = self.gradients.wanted(site, Side::Weight) {
            add_outer(weight.part(rows.clone()), m_y, x);
        }
        if let Some(mut bias) = self.gradients.wanted(site, Side::Bias) {
            add_columns(bias.part(rows), m_y.rows(), |i, k| m_y.row(i)[k]);
        }
    }
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
        let outputs = m_y.cols();
        self.linear_part(site, 0..outputs, x, m_y);
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

    fn dropped_probs(&self, layer: usize) -> Option<Probs> {
        self.dropout?.probs(of_probs(layer))
    }

    fn before_dropout(&self, site: Site, m: &Matrix<T>) -> Option<Matrix<T>> {
        let dropout = self.dropout.filter(|dropout| dropout.drops_hidden())?;
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
