//! How far two methods' scores of the same words agree.

use super::measure::ranking;

/// Pearson's correlation; not a number where one of them does not vary.
#[must_use]
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        both += (a - mean_a) * (b - mean_b);
        of_a += (a - mean_a).powi(2);
        of_b += (b - mean_b).powi(2);
    }
    both / (of_a * of_b).sqrt()
}

/// Spearman's: Pearson's of the ranks, equal values sharing the mean of theirs.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

/// The share of the `first` highest of one that are among those of the other; not a number where there are no words.
#[must_use]
pub fn overlap(a: &[f64], b: &[f64], first: usize) -> f64 {
    let top = |scores: &[f64]| ranking(scores).into_iter().take(first).collect::<Vec<_>>();
    let (a, b) = (top(a), top(b));
    a.iter().filter(|word| b.contains(word)).count() as f64 / a.len() as f64
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let order = ranking(values);
    let mut ranks = vec![0.0; values.len()];
    let mut at = 0;
    while at < order.len() {
        let equal = order[at..]
            .iter()
            .take_while(|&&i| values[i] == values[order[at]])
            .count();
        // One that is not a number is equal to nothing, not even itself.
        let equal = equal.max(1);
        for &i in &order[at..at + equal] {
            ranks[i] = at as f64 + (equal - 1) as f64 / 2.0;
        }
        at += equal;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-12, "{got} {expected}");
    }

    /// By hand: deviations (−1, 0, 1) and (−2, 1, 1): 3 / √(2 · 6).
    #[test]
    fn correlations_are_those_of_the_textbook() {
        near(
            pearson(&[1.0, 2.0, 3.0], &[1.0, 4.0, 4.0]),
            3.0 / 12.0_f64.sqrt(),
        );
        // Ranks (0, 1, 2) and (0, 1.5, 1.5): 1.5 / √(2 · 1.5).
        near(
            spearman(&[1.0, 20.0, 300.0], &[-7.0, 4.0, 4.0]),
            1.5 / 3.0_f64.sqrt(),
        );
        near(spearman(&[1.0, 20.0, 300.0], &[9.0, 3.0, -100.0]), -1.0);
        assert!(pearson(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
        assert!(spearman(&[], &[]).is_nan());
    }

    #[test]
    fn overlap_counts_the_highest() {
        let a = [5.0, 4.0, 3.0, -9.0];
        near(overlap(&a, &[1.0, 9.0, 8.0, 0.0], 2), 0.5);
        near(overlap(&a, &a, 10), 1.0);
        near(overlap(&a, &[-5.0, -4.0, -3.0, 9.0], 1), 0.0);
    }

    #[test]
    fn an_area_is_a_mean_height() {
        use super::super::measure::area;
        // From (0, 0) through (½, 1) to (1, 1): a triangle of ¼ and a square of ½.
        near(area(&[1.0, 1.0]), 0.75);
        near(area(&[0.5, 1.0]), 0.5);
    }
}
