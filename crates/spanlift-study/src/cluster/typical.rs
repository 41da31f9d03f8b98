//! What is typical of a cluster: the rows at its middle, and the columns that set it apart.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;
use serde::Serialize;

use super::algorithm::{centroids, distance, members};

/// So many rows stand for a cluster.
const MEDOIDS: usize = 5;

/// How far a column sets a cluster apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// The column's place.
    pub column: usize,
    /// Its mean in the cluster, in its own units.
    pub mean: f64,
    /// Its mean over all other rows.
    pub elsewhere: f64,
    /// Cohen's d: the difference in pooled standard deviations (Cohen 1988, p. 67); infinite where it differs and varies in neither.
    pub d: f64,
}

/// The five rows of each cluster nearest to the mean of its rows, by Euclidean distance between components, nearest first.
pub(super) fn medoids(points: ArrayView2<'_, f64>, labels: &[Option<usize>]) -> Vec<Vec<usize>> {
    let centroids = centroids(points, labels);
    let of = |(cluster, rows): (usize, Vec<usize>)| {
        let centroid = centroids.row(cluster).to_vec();
        let with_distance = |row: usize| (distance(&points.row(row).to_vec(), &centroid), row);
        let mut rows: Vec<(f64, usize)> = rows.into_iter().map(with_distance).collect();
        rows.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
        rows.iter().take(MEDOIDS).map(|(_, row)| *row).collect()
    };
    members(labels).into_iter().enumerate().map(of).collect()
}

/// Of each cluster every column, by the size of the effect.
pub(super) fn effects(values: ArrayView2<'_, f64>, labels: &[Option<usize>]) -> Vec<Vec<Effect>> {
    let count = members(labels).len();
    let columns: Vec<Vec<Effect>> = (0..values.ncols())
        .into_par_iter()
        .map(|column| {
            let numbers = values.column(column);
            (0..count)
                .map(|cluster| effect(column, numbers, labels, cluster))
                .collect()
        })
        .collect();
    (0..count)
        .map(|cluster| {
            let mut of: Vec<Effect> = columns.iter().map(|column| column[cluster]).collect();
            of.sort_by(|x, y| y.d.abs().total_cmp(&x.d.abs()));
            of
        })
        .collect()
}

fn effect(
    column: usize,
    numbers: ArrayView1<'_, f64>,
    labels: &[Option<usize>],
    cluster: usize,
) -> Effect {
    // In the cluster, and elsewhere.
    let (mut counts, mut means, mut squares) = ([0.0; 2], [0.0; 2], [0.0; 2]);
    let side = |row: usize| usize::from(labels[row] != Some(cluster));
    for (row, number) in numbers.iter().enumerate() {
        counts[side(row)] += 1.0;
        means[side(row)] += number;
    }
    for side in 0..2 {
        means[side] /= f64::max(counts[side], 1.0);
    }
    for (row, number) in numbers.iter().enumerate() {
        squares[side(row)] += (number - means[side(row)]).powi(2);
    }
    let [mean, elsewhere] = means;
    let freedom = counts[0] + counts[1] - 2.0;
    let sd = ((squares[0] + squares[1]) / freedom.max(1.0)).sqrt();
    let d = if mean == elsewhere || counts[1] == 0.0 {
        0.0
    } else {
        (mean - elsewhere) / sd
    };
    Effect {
        column,
        mean,
        elsewhere,
        d,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn effects_by_hand() {
        let values = array![[1.0, 0.0], [3.0, 0.0], [6.0, 1.0], [8.0, 1.0], [10.0, 1.0]];
        let labels = [Some(0), Some(0), None, Some(1), Some(1)];
        let found = effects(values.view(), &labels);
        // Means 2 and 8; squares 1 + 1 and 4 + 0 + 4; pooled √(10 / 3).
        assert_eq!((found[0][0].column, found[0][0].d), (1, f64::NEG_INFINITY));
        let effect = found[0][1];
        assert_eq!(
            (effect.column, effect.mean, effect.elsewhere),
            (0, 2.0, 8.0)
        );
        assert!((effect.d + 6.0 / (10.0f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn medoids_are_the_rows_at_the_middle() {
        let points = array![[0.0], [10.0], [4.0], [5.0], [6.0], [3.0], [7.0], [99.0]];
        let labels = [[Some(0); 7].as_slice(), &[None]].concat();
        // The mean of the seven is 5.
        assert_eq!(medoids(points.view(), &labels), [[3, 2, 4, 5, 6]]);
    }
}
