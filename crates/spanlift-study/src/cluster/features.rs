//! The matrix that is clustered: rows with named columns, standardised, and its principal components.
//!
//! z = (x − mean) / sd in each column; the components are the eigenvectors of zᵀz / n (Pearson 1901; Hotelling 1933), the largest
//! eigenvalues first, and a row's scores are z · vectors. The eigenvalues sum to the number of columns. They come from a dense
//! solver rather than from `linfa-reduction`, whose truncated one is iterative and knows only the variance of the components it kept.

use linfa_linalg::eigh::{EigSort, Eigh};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::StudyError;

/// A column whose standard deviation is below this share of its largest magnitude is constant: scores are `f32`.
const RESOLVED: f64 = 1e-6;

/// An eigenvalue below this share of the largest is none.
const RANK: f64 = 1e-10;

/// Rows with named columns, of any units; every number is finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    names: Vec<String>,
    values: Array2<f64>,
}

/// A matrix in its principal components.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Rows × components, in standard deviations.
    pub scores: Array2<f64>,
    /// Each component's share of the variance of all standardised columns.
    pub explained: Vec<f64>,
    /// The columns that are constant, by their places: they have no part in it.
    pub constant: Vec<usize>,
}

impl Features {
    /// Rows of as many numbers as there are names.
    ///
    /// # Errors
    ///
    /// [`StudyError::Width`] where a row has another number of columns, [`StudyError::NotFinite`] with the row and column of a number that is not finite.
    pub fn new(names: Vec<String>, rows: &[Vec<f64>]) -> Result<Self, StudyError> {
        let mut values = Vec::with_capacity(rows.len() * names.len());
        for (row, numbers) in rows.iter().enumerate() {
            if numbers.len() != names.len() {
                return Err(StudyError::Width {
                    row,
                    expected: names.len(),
                    got: numbers.len(),
                });
            }
            values.extend_from_slice(numbers);
        }
        Self::of(names, rows.len(), values)
    }

    /// The same from one list, row behind row.
    fn of(names: Vec<String>, rows: usize, values: Vec<f64>) -> Result<Self, StudyError> {
        let columns = names.len();
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(StudyError::NotFinite {
                row: at / columns,
                column: names[at % columns].clone(),
                got: values[at],
            });
        }
        let values = shaped(rows, columns, values);
        Ok(Self { names, values })
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.nrows()
    }

    /// The columns' names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Rows × columns, as they were given.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// These rows alone.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        Self {
            names: self.names.clone(),
            values: self.values.select(Axis(0), rows),
        }
    }

    /// The same columns with other numbers, all of them finite.
    pub(super) fn with(&self, values: Array2<f64>) -> Self {
        Self {
            names: self.names.clone(),
            values,
        }
    }

    /// The first `count` principal components of the standardised columns; fewer where the matrix has a lower rank.
    ///
    /// # Errors
    ///
    /// [`StudyError::Constant`] where no column varies, [`StudyError::Failed`] where the eigenvalues are not found.
    pub fn components(&self, count: usize) -> Result<Components, StudyError> {
        let (z, constant) = self.standardised()?;
        let covariance = z.t().dot(&z) / z.nrows() as f64;
        let (values, vectors) = covariance
            .eigh()
            .map_err(|error| StudyError::Failed {
                what: "principal components",
                reason: error.to_string(),
            })?
            .sort_eig_desc();
        let rank = values.iter().take_while(|&&v| v > RANK * values[0]).count();
        let count = count.clamp(1, rank.max(1));
        let mut axes = vectors.slice(ndarray::s![.., ..count]).to_owned();
        for mut axis in axes.columns_mut() {
            // Of the two directions the one in which the largest entry is positive.
            let largest = axis.iter().copied().fold(0.0, |largest: f64, entry| {
                if entry.abs() > largest.abs() {
                    entry
                } else {
                    largest
                }
            });
            axis *= largest.signum();
        }
        let columns = z.ncols() as f64;
        Ok(Components {
            scores: z.dot(&axes).as_standard_layout().into_owned(),
            explained: values.iter().take(count).map(|v| v / columns).collect(),
            constant,
        })
    }

    /// Zero mean and unit standard deviation in every column that varies, and the places of those that do not.
    fn standardised(&self) -> Result<(Array2<f64>, Vec<usize>), StudyError> {
        let varies = |column: &usize| {
            let column = self.values.column(*column);
            let largest = column.iter().fold(0.0, |l: f64, value| l.max(value.abs()));
            column.std(0.0) > RESOLVED * largest
        };
        let (kept, constant): (Vec<usize>, Vec<usize>) =
            (0..self.values.ncols()).partition(|column| self.rows() > 0 && varies(column));
        if kept.is_empty() {
            return Err(StudyError::Constant {
                columns: self.names.len(),
            });
        }
        let mut z = self.values.select(Axis(1), &kept);
        for mut column in z.columns_mut() {
            let (mean, sd) = (column.mean().unwrap_or(0.0), column.std(0.0));
            column.mapv_inplace(|value| (value - mean) / sd);
        }
        Ok((z, constant))
    }
}

/// A matrix of numbers that are row behind row, as many as the shape says.
pub(crate) fn shaped(rows: usize, columns: usize, values: Vec<f64>) -> Array2<f64> {
    let flat = Array1::from_vec(values);
    flat.into_shape_with_order((rows, columns))
        .unwrap_or_else(|_| Array2::zeros((rows, columns)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("c{i}")).collect()
    }

    #[test]
    fn what_is_not_finite_is_named_by_row_and_column() {
        for bad in [f64::NAN, f64::INFINITY] {
            let rows = [vec![1.0, 2.0], vec![3.0, bad]];
            let error = Features::new(names(2), &rows).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("row 1, column `c1`: expected a finite number, got {bad}")
            );
        }
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        let rows = [vec![1.0, 2.0], vec![3.0]];
        let error = Features::new(names(2), &rows).unwrap_err().to_string();
        assert_eq!(error, "row 1: expected 2 numbers, got 1");
    }

    #[test]
    fn columns_that_do_not_vary_are_left_out() {
        let noise = [1.0, 1.0 + 1e-9, 1.0, 1.0];
        let rows: Vec<Vec<f64>> = (0..4).map(|i| vec![7.0, i as f64, noise[i], 0.0]).collect();
        let components = Features::new(names(4), &rows)
            .unwrap()
            .components(10)
            .unwrap();
        assert_eq!(components.constant, [0, 2, 3]);
        assert_eq!(components.scores.dim(), (4, 1));
        let flat = [vec![1.0], vec![1.0]];
        let error = Features::new(names(1), &flat).unwrap().components(1);
        assert_eq!(
            error.unwrap_err().to_string(),
            "none of 1 columns varies: nothing to cluster"
        );
    }

    /// Two columns with correlation r: the eigenvalues are 1 ± r, the axes (1, ±1) / √2.
    #[test]
    fn two_columns_have_the_components_of_theory() {
        // x = (−3, −1, 1, 3), y = (−3, 1, −1, 3): means 0, variances 5, covariance (9 − 1 − 1 + 9) / 4 = 4, r = 0.8.
        let rows = [
            vec![-3.0, -3.0],
            vec![-1.0, 1.0],
            vec![1.0, -1.0],
            vec![3.0, 3.0],
        ];
        let found = Features::new(names(2), &rows)
            .unwrap()
            .components(2)
            .unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(found.explained[0], 0.9);
        near(found.explained[1], 0.1);
        // (−3, −3) / √5 on (1, 1) / √2.
        near(found.scores[[0, 0]], -6.0 / 10f64.sqrt());
        near(found.scores[[1, 0]], 0.0);
        near(found.scores[[1, 1]].abs(), 2.0 / 10f64.sqrt());
        near(found.scores[[0, 1]], 0.0);
    }
}
