//! How far two clusterings of the same rows agree.
//!
//! The adjusted Rand index (Hubert and Arabie 1985, eq. 5): the pairs that both put together, less what is expected of two clusterings with these sizes,
//! over the most that is possible less the same: 1 alike, 0 as by chance. Rows in no cluster count as one cluster of their own.
//! Of a single cluster, the best Jaccard coefficient with any cluster of the other, |A ∩ B| / |A ∪ B| (Hennig 2007).

use super::algorithm::clusters;

/// The adjusted Rand index of two labellings of the same rows.
#[must_use]
pub fn adjusted_rand(x: &[Option<usize>], y: &[Option<usize>]) -> f64 {
    let (table, rows, columns) = contingency(x, y);
    let pairs = |counts: &[usize]| -> f64 { counts.iter().map(|&n| choose_two(n)).sum() };
    let (both, left, right) = (pairs(&table), pairs(&rows), pairs(&columns));
    let all = choose_two(x.len().min(y.len()));
    let expected = if all > 0.0 { left * right / all } else { 0.0 };
    let most = (left + right) / 2.0;
    // Both have all rows together, or all apart.
    if most == expected {
        return 1.0;
    }
    (both - expected) / (most - expected)
}

/// The best Jaccard coefficient of each cluster of `x` with a cluster of `y`; none for a cluster without rows here.
pub(super) fn best_jaccards(x: &[Option<usize>], y: &[Option<usize>]) -> Vec<Option<f64>> {
    let (table, rows, columns) = contingency(x, y);
    let width = columns.len();
    // The last row and column are those in no cluster.
    let of = |cluster: usize| {
        let overlap = |other: usize| {
            let both = table[cluster * width + other];
            both as f64 / (rows[cluster] + columns[other] - both) as f64
        };
        let best = (0..width - 1).map(overlap).fold(0.0, f64::max);
        (rows[cluster] > 0).then_some(best)
    };
    (0..rows.len() - 1).map(of).collect()
}

/// Counts of (label of x, label of y), row behind row, with their sums; "no cluster" is the last of each.
fn contingency(x: &[Option<usize>], y: &[Option<usize>]) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
    let (height, width) = (clusters(x) + 1, clusters(y) + 1);
    let (mut table, mut rows, mut columns) =
        (vec![0; height * width], vec![0; height], vec![0; width]);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x.unwrap_or(height - 1), y.unwrap_or(width - 1));
        table[x * width + y] += 1;
        rows[x] += 1;
        columns[y] += 1;
    }
    (table, rows, columns)
}

fn choose_two(n: usize) -> f64 {
    n as f64 * (n as f64 - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[usize]) -> Vec<Option<usize>> {
        labels.iter().copied().map(Some).collect()
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn by_hand() {
        // Σ C(nij) = 1 + 0 + 0 = 1 of pairs, rows 1 + 1, columns 1 + 0 + 0, of C(4, 2) = 6: (1 − 2/6) / (1.5 − 2/6) = 4/7.
        near(
            adjusted_rand(&labels(&[0, 0, 1, 1]), &labels(&[0, 0, 1, 2])),
            4.0 / 7.0,
        );
        // No pair together in both: (0 − 2·2/6) / (2 − 2·2/6) = −1/2.
        near(
            adjusted_rand(&labels(&[0, 0, 1, 1]), &labels(&[0, 1, 0, 1])),
            -0.5,
        );
        near(
            adjusted_rand(&labels(&[0, 0, 1, 1]), &labels(&[1, 1, 0, 0])),
            1.0,
        );
        near(adjusted_rand(&labels(&[0, 0, 0]), &labels(&[0, 0, 0])), 1.0);
        near(
            adjusted_rand(&[Some(0), Some(0), None, None], &labels(&[0, 0, 1, 1])),
            1.0,
        );
    }

    /// The example of Yeung and Ruzzo, "Details of the adjusted Rand index" (2001): the table (1 1 0; 1 2 1; 0 0 4) has 0.313.
    #[test]
    fn as_published() {
        let u = labels(&[0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
        let v = labels(&[0, 1, 0, 1, 1, 2, 2, 2, 2, 2]);
        let found = adjusted_rand(&u, &v);
        assert!((found - 0.313).abs() < 5e-4, "{found}");
    }

    #[test]
    fn jaccard_by_hand() {
        let x = [Some(0), Some(0), Some(0), Some(1), Some(1), None];
        let y = [Some(0), Some(0), Some(1), Some(1), None, Some(1)];
        let found = best_jaccards(&x, &y);
        near(found[0].unwrap(), 2.0 / 3.0);
        near(found[1].unwrap(), 1.0 / 4.0);
        let gone = best_jaccards(&[Some(1), Some(1)], &labels(&[0, 0]));
        assert_eq!(gone, [None, Some(1.0)]);
    }
}
