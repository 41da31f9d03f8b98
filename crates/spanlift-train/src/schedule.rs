//! The rate of each step: up in a line from 0, then down in a line to 0 (Devlin et al. 2019, appendix A.2).

/// A rate for each step of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f64,
    /// Steps of the way up.
    pub warm_up: u64,
    /// All steps.
    pub steps: u64,
}

impl Schedule {
    /// The rate of step `t`, from 1: `peak` at `warm_up`, and above 0 at the first and the last.
    #[must_use]
    pub fn rate(self, t: u64) -> f64 {
        let warm_up = self.warm_up.min(self.steps);
        let share = if t <= warm_up {
            t as f64 / warm_up as f64
        } else {
            let left = (self.steps + 1).saturating_sub(t);
            left as f64 / (self.steps + 1 - warm_up) as f64
        };
        self.peak * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_and_falls_in_lines() {
        let schedule = Schedule {
            peak: 8.0,
            warm_up: 2,
            steps: 5,
        };
        let rates: Vec<f64> = (1..=6).map(|t| schedule.rate(t)).collect();
        assert_eq!(rates, [4.0, 8.0, 6.0, 4.0, 2.0, 0.0]);
    }

    #[test]
    fn a_short_run_reaches_the_peak() {
        for steps in [1, 2, 4, 100] {
            let settings = crate::plan::Settings {
                steps,
                ..Default::default()
            };
            let rates = (1..=steps).map(|t| settings.schedule().rate(t));
            assert_eq!(rates.fold(0.0, f64::max), settings.rate, "{steps}");
        }
    }

    #[test]
    fn needs_no_way_up() {
        let schedule = Schedule {
            peak: 6.0,
            warm_up: 0,
            steps: 2,
        };
        let rates: Vec<f64> = (1..=2).map(|t| schedule.rate(t)).collect();
        assert_eq!(rates, [4.0, 2.0]);
    }
}
