//! W of a linear map, kept as the kernel reads it: once for both ways.
//!
//! Down, Y ← X·Wᵀ: Wᵀ is the right factor, in panels of outputs. Back, M_x ← M_y·W is taken as M_xᵀ ← Wᵀ·M_yᵀ, so that
//! the same panels are the left factor, and M_y, which is small, is turned instead of W.
#![allow(unsafe_code)]

use rayon::prelude::*;

use super::kernel::{Job, JobOf, Onto, RowsOf};
use super::turn::Rows;
use super::{Matrix, Real, View, ViewMut, pack_over_pool, panels_size};
use crate::ops::sum;

/// Rows that a task takes, of Y or of M_xᵀ: a multiple of every tile's.
const ROWS: usize = 192;
const TURNED_ROWS: usize = 96;
/// Tokens of M_xᵀ that are turned at a time.
const TOKENS: usize = 16;
/// Panels that a task takes.
const PANELS: usize = 4;

/// W; (outputs, inputs).
#[derive(Clone, Debug, PartialEq)]
pub struct Weights<T> {
    outputs: usize,
    inputs: usize,
    /// Of Wᵀ; the last filled up with zeros.
    panels: Vec<T>,
}

/// Pointers that the tasks of one product share.
#[derive(Clone, Copy)]
struct Shared<P>(P);
// SAFETY: each task reads what is borrowed for the product's time, and writes a region of its own.
unsafe impl<P> Send for Shared<P> {}
// SAFETY: as above.
unsafe impl<P> Sync for Shared<P> {}

impl<P: Copy> Shared<P> {
    fn get(&self) -> P {
        self.0
    }
}

impl<T: Real> Weights<T> {
    /// Of a matrix (outputs, inputs).
    #[must_use]
    pub fn of(matrix: &Matrix<T>) -> Self {
        Self {
            outputs: matrix.rows(),
            inputs: matrix.cols(),
            panels: {
                let turned = matrix.view().t();
                let mut panels = vec![T::ZERO; panels_size(turned)];
                pack_over_pool(turned, &mut panels);
                panels
            },
        }
    }

    /// Takes another matrix (outputs, inputs) in the place of its own.
    ///
    /// # Panics
    ///
    /// Where the shapes differ.
    pub fn set(&mut self, matrix: View<'_, T>) {
        assert!(
            matrix.rows == self.outputs && matrix.cols == self.inputs,
            "{}×{} in the place of {}×{}",
            matrix.rows,
            matrix.cols,
            self.outputs,
            self.inputs
        );
        pack_over_pool(matrix.t(), &mut self.panels);
    }

    /// The matrix (outputs, inputs).
    #[must_use]
    pub fn matrix(&self) -> Matrix<T> {
        let mut matrix = Matrix::zeros(self.outputs, self.inputs);
        for output in 0..self.outputs {
            let panel = output / T::PANEL * self.inputs;
            for (input, to) in matrix.row_mut(output).iter_mut().enumerate() {
                *to = self.panels[(panel + input) * T::PANEL + output % T::PANEL];
            }
        }
        matrix
    }

    /// |W|.
    #[must_use]
    pub fn absolute(&self) -> Self {
        Self {
            panels: self.panels.par_iter().map(|w| w.abs()).collect(),
            ..*self
        }
    }

    /// Number of rows of W.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of columns of W.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Y ← X·Wᵀ + b; X (N, inputs), b (outputs), Y (N, outputs).
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit.
    pub fn down(&self, x: View<'_, T>, bias: &[T], y: ViewMut<'_, T>) {
        self.down_parts(x, bias, y, &|_, _, _| ());
    }

    /// The same, and Z ← f(Y) while Y is in the cache; f gets parts of rows. Z (N, outputs).
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit.
    pub fn down_and(
        &self,
        x: View<'_, T>,
        bias: &[T],
        y: ViewMut<'_, T>,
        z: ViewMut<'_, T>,
        f: impl Fn(&[T], &mut [T]) + Sync,
    ) {
        assert!(
            z.rows == y.rows && z.cols == y.cols,
            "two results of one shape"
        );
        let (to, stride) = (Shared(z.start), z.row_stride);
        self.down_parts(x, bias, y, &|row, first, y| {
            // SAFETY: the part of Z that belongs to this part of Y, which is one task's alone.
            f(y, unsafe {
                std::slice::from_raw_parts_mut(to.get().add(row * stride + first), y.len())
            });
        });
    }

    /// `done` is given each row of Y in parts, by row and first column, as soon as a part is there.
    fn down_parts(
        &self,
        x: View<'_, T>,
        bias: &[T],
        y: ViewMut<'_, T>,
        done: &(dyn Fn(usize, usize, &[T]) + Sync),
    ) {
        assert!(
            x.col_stride == 1
                && x.cols == self.inputs
                && y.cols == self.outputs
                && y.rows == x.rows
                && bias.len() == self.outputs,
            "{}×{} times {}×{} transposed, plus {}, into {}×{}",
            x.rows,
            x.cols,
            self.outputs,
            self.inputs,
            bias.len(),
            y.rows,
            y.cols
        );
        let (groups, width) = (self.outputs.div_ceil(PANELS * T::PANEL), PANELS * T::PANEL);
        let (from, to) = (Shared(x.start), Shared(y.start));
        let task = |at: usize| {
            let (row, group) = (at / groups * ROWS, at % groups);
            let rows = ROWS.min(x.rows - row);
            let cols = group * width..self.outputs.min((group + 1) * width);
            // SAFETY: the rows and columns lie inside X, W and Y, and the region of Y is this task's alone.
            unsafe {
                let to = to.get().add(row * y.row_stride + cols.start);
                let segment =
                    |i: usize| std::slice::from_raw_parts_mut(to.add(i * y.row_stride), cols.len());
                T::run(&JobOf(Job {
                    rows,
                    cols: cols.len(),
                    inner: self.inputs,
                    a: from.get().add(row * x.row_stride),
                    a_stride: x.row_stride,
                    a_turned: false,
                    b: self.panels.as_ptr().add(group * width * self.inputs),
                    y: to,
                    y_stride: y.row_stride,
                    alpha: T::ONE,
                    onto: Onto::Bias(bias[cols.clone()].as_ptr()),
                }));
                for i in 0..rows {
                    done(row + i, cols.start, segment(i));
                }
            }
        };
        let tasks = x.rows.div_ceil(ROWS) * groups;
        (0..tasks).into_par_iter().with_max_len(1).for_each(task);
    }

    /// M_x ← [M_x +] M_y·W; M_y (N, outputs), M_x (N, inputs).
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit.
    pub fn back(&self, m_y: View<'_, T>, accumulate: bool, alpha: T, m_x: ViewMut<'_, T>) {
        assert!(
            m_y.cols == self.outputs && m_x.cols == self.inputs && m_x.rows == m_y.rows,
            "{}×{} times {}×{} into {}×{}",
            m_y.rows,
            m_y.cols,
            self.outputs,
            self.inputs,
            m_x.rows,
            m_x.cols
        );
        let mut packed = Matrix::reused(panels_size(m_y.t()), 1);
        pack_over_pool(m_y.t(), packed.data_mut());
        let turned = packed.data();
        let tokens = m_y.rows.next_multiple_of(T::PANEL);
        let to = Shared(m_x.start);
        let task = |at: usize| {
            let first = at * TURNED_ROWS;
            let rows = TURNED_ROWS.min(self.inputs - first);
            let mut block = Matrix::reused(rows, T::BLOCK);
            // The rows of M_xᵀ, whole panels long.
            let mut turned_x = Matrix::<T>::reused(rows, tokens);
            for from in (0..self.outputs.max(1)).step_by(T::BLOCK) {
                let inner = T::BLOCK.min(self.outputs - from);
                // Rows of Wᵀ, gathered panel by panel: in each they are neighbours.
                for output in (from..from + inner).step_by(T::PANEL) {
                    let start = (output / T::PANEL * self.inputs + first) * T::PANEL;
                    let len = T::PANEL.min(from + inner - output);
                    let inputs = self.panels[start..].chunks_exact(T::PANEL);
                    for (row, input) in inputs.take(rows).enumerate() {
                        block.row_mut(row)[output - from..][..len].copy_from_slice(&input[..len]);
                    }
                }
                for token in (0..tokens).step_by(T::PANEL) {
                    // SAFETY: a panel of M_yᵀ, and of what is this task's alone; the factors' shapes fit.
                    unsafe {
                        T::run(&JobOf(Job {
                            rows,
                            cols: T::PANEL,
                            inner,
                            a: block.data().as_ptr(),
                            a_stride: T::BLOCK,
                            a_turned: false,
                            b: turned.as_ptr().add(token * self.outputs + from * T::PANEL),
                            y: turned_x.data_mut().as_mut_ptr().add(token),
                            y_stride: tokens,
                            alpha,
                            onto: if from > 0 { Onto::Y } else { Onto::Zero },
                        }));
                    }
                }
            }
            let mut some = Matrix::reused(TOKENS, rows);
            for token in (0..m_y.rows).step_by(TOKENS) {
                let count = TOKENS.min(m_y.rows - token);
                let from = Rows {
                    start: turned_x.data()[token..].as_ptr(),
                    stride: tokens,
                };
                let back = Rows {
                    start: some.data_mut().as_mut_ptr(),
                    stride: rows,
                };
                // SAFETY: `rows` rows of so many tokens become so many rows.
                unsafe { T::turn(RowsOf(from), RowsOf(back), [rows, count]) };
                for at in 0..count {
                    let some = some.row(at);
                    // SAFETY: these columns of M_x are this task's alone.
                    let m_x = unsafe {
                        let start = to.get().add((token + at) * m_x.row_stride + first);
                        std::slice::from_raw_parts_mut(start, rows)
                    };
                    if accumulate {
                        sum::add(m_x, some);
                    } else {
                        m_x.copy_from_slice(some);
                    }
                }
            }
            block.recycle();
            turned_x.recycle();
            some.recycle();
        };
        let tasks = self.inputs.div_ceil(TURNED_ROWS);
        (0..tasks).into_par_iter().with_max_len(1).for_each(task);
        packed.recycle();
    }
}
