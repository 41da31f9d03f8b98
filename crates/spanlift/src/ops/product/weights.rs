//! W of a linear map, kept once for both ways, in panels as the kernel reads them on the way down.
//!
//! Down, Y ← X·Wᵀ: Wᵀ is the right factor, in panels of outputs. Back, M_x ← M_y·W: a task turns its columns of W, block by block,
//! into panels of inputs that stay in its cache.
#![allow(unsafe_code)]

use std::ops::Range;

use rayon::prelude::*;

use super::kernel::{Job, JobOf, Later, Onto};
use super::{Matrix, Real, View, ViewMut, pack_over_pool, pack_panel, panels_size};

/// Rows of the left factor that are taken at a time, a multiple of every tile's: few, so that a block of them stays in the second
/// cache while the columns of the right one pass.
const ROWS: usize = 96;
/// Panels that a task takes on the way down.
const PANELS: usize = 8;
/// Columns of M_x that a task takes on the way back.
const INPUTS: usize = 96;

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
        let blocks = x.rows.div_ceil(ROWS);
        let (from, to) = (Shared(x.start), Shared(y.start));
        let task = |at: usize| {
            let (row, group) = (at % blocks * ROWS, at / blocks);
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
                    b_stride: self.inputs * T::PANEL,
                    y: to,
                    y_stride: y.row_stride,
                    alpha: T::ONE,
                    onto: Onto::Bias(bias[cols.clone()].as_ptr()),
                    later: None,
                }));
                for i in 0..rows {
                    done(row + i, cols.start, segment(i));
                }
            }
        };
        let tasks = blocks * groups;
        (0..tasks).into_par_iter().with_max_len(1).for_each(task);
    }

    /// M_x ← [M_x +] M_y·W; M_y (N, outputs), M_x (N, inputs).
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit, or M_y is transposed.
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
        assert!(m_y.col_stride == 1, "rows, whose numbers are neighbours");
        let (from, to) = (Shared(m_y.start), Shared(m_x.start));
        let task = |at: usize| {
            let first = at * INPUTS;
            let inputs = INPUTS.min(self.inputs - first);
            let block = T::BLOCK.min(self.outputs);
            let mut turned = Matrix::reused(inputs.div_ceil(T::PANEL), block * T::PANEL);
            for output in (0..self.outputs.max(1)).step_by(T::BLOCK) {
                let inner = T::BLOCK.min(self.outputs - output);
                self.turn(first..first + inputs, output..output + inner, &mut turned);
                // What is turned next, by this task or the one behind it, where there is one: a part while each of the jobs runs.
                let next = if output + inner < self.outputs {
                    (output + inner) * self.inputs + first * T::PANEL
                } else {
                    (first + inputs) * T::PANEL
                };
                let jobs = m_y.rows.div_ceil(ROWS).max(1);
                let runs = block.div_ceil(T::PANEL).div_ceil(jobs);
                for row in (0..m_y.rows).step_by(ROWS) {
                    let run = next + row / ROWS * runs * self.inputs * T::PANEL;
                    // SAFETY: the rows and columns lie inside M_y, W and M_x, and these columns of M_x are this task's alone.
                    unsafe {
                        T::run(&JobOf(Job {
                            rows: ROWS.min(m_y.rows - row),
                            cols: inputs,
                            inner,
                            a: from.get().add(row * m_y.row_stride + output),
                            a_stride: m_y.row_stride,
                            a_turned: false,
                            b: turned.data().as_ptr(),
                            b_stride: turned.cols(),
                            y: to.get().add(row * m_x.row_stride + first),
                            y_stride: m_x.row_stride,
                            alpha,
                            onto: if accumulate || output > 0 {
                                Onto::Y
                            } else {
                                Onto::Zero
                            },
                            later: Some(Later {
                                start: self.panels.as_ptr().wrapping_add(run),
                                stride: self.inputs * T::PANEL,
                                length: inputs * T::PANEL,
                                runs,
                            }),
                        }));
                    }
                }
            }
            turned.recycle();
        };
        let tasks = self.inputs.div_ceil(INPUTS);
        (0..tasks).into_par_iter().with_max_len(1).for_each(task);
    }

    /// The rows `outputs` of W, which begin a panel, and of them the columns `inputs`, in panels of these, a panel a row of `to`.
    fn turn(&self, inputs: Range<usize>, outputs: Range<usize>, to: &mut Matrix<T>) {
        for output in outputs.clone().step_by(T::PANEL) {
            let panel = &self.panels[output * self.inputs..][..self.inputs * T::PANEL];
            let count = T::PANEL.min(outputs.end - output);
            let rows = View::of(panel, self.inputs, T::PANEL).t();
            let rows = rows.block(0..count, inputs.clone());
            let first = (output - outputs.start) * T::PANEL;
            for panel in 0..to.rows() {
                pack_panel(
                    rows,
                    panel,
                    &mut to.row_mut(panel)[first..][..count * T::PANEL],
                );
            }
        }
    }
}
