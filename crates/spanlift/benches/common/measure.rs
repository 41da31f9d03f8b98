//! Time, memory, the processor's peak, and lines through measured points.

use std::hint::black_box;
use std::time::Instant;

/// Operations a second of multiply-adds in registers, on all threads: twice their number. No product can beat it.
pub(crate) fn fma_peak() -> f64 {
    // With the two factors they fit into the 16 registers of AVX2, and a multiply-add takes less than 6 steps.
    const CHAINS: usize = 12;
    struct Loop(usize);
    impl pulp::WithSimd for Loop {
        type Output = usize;
        #[inline(always)]
        fn with_simd<I: pulp::Simd>(self, simd: I) -> usize {
            let (a, b) = (
                simd.splat_f32s(black_box(0.999)),
                simd.splat_f32s(black_box(0.001)),
            );
            let mut sums = [simd.splat_f32s(1.0); CHAINS];
            for _ in 0..self.0 {
                for sum in &mut sums {
                    *sum = simd.mul_add_f32s(*sum, a, b);
                }
            }
            black_box(sums);
            I::F32_LANES
        }
    }
    let rounds = 10_000_000;
    let once = || {
        let start = Instant::now();
        let lanes = rayon::broadcast(|_| pulp::Arch::new().dispatch(Loop(rounds)));
        let operations = lanes.iter().sum::<usize>() * rounds * CHAINS * 2;
        operations as f64 / start.elapsed().as_secs_f64()
    };
    (0..9).map(|_| once()).fold(0.0, f64::max)
}

/// The middle one; of an even number the upper of both.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Slope and intercept of the line of least squares through (x, y).
pub(crate) fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let under: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = over / under;
    (slope, y - slope * x)
}

/// The k of y ~ x^k: the slope over logarithms.
pub(crate) fn exponent(points: &[(f64, f64)]) -> f64 {
    let logarithms: Vec<_> = points.iter().map(|p| (p.0.ln(), p.1.ln())).collect();
    line(&logarithms).0
}

/// Bytes, from Linux's status of this process; NaN on other systems.
fn status(field: &str) -> f64 {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with(field))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    read().map_or(f64::NAN, |kb| kb * 1024.0)
}

/// Bytes that are resident now.
pub(crate) fn resident() -> f64 {
    status("VmRSS")
}

/// The most bytes that were resident since the start or [`reset_peak`].
pub(crate) fn peak() -> f64 {
    status("VmHWM")
}

/// Makes the peak start again from what is resident now.
pub(crate) fn reset_peak() {
    // Where that is not possible, the figure is the peak since the start: too high, never too low.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
