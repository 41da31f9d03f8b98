//! Numbers of one column written alike: as many decimals as the largest of them needs.

/// How the numbers of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digits {
    /// So many decimals.
    Fixed(usize),
    /// Very large or very small: two decimals and an exponent.
    Exponent,
}

impl Digits {
    /// Enough for `significant` digits of the largest number.
    pub(crate) fn of(largest: f64, significant: i32) -> Self {
        let largest = largest.abs();
        if largest == 0.0 || !largest.is_finite() {
            return Self::Fixed(2);
        }
        if !(1e-4..1e7).contains(&largest) {
            return Self::Exponent;
        }
        let decimals = significant - 1 - largest.log10().floor() as i32;
        Self::Fixed(usize::try_from(decimals).unwrap_or(0))
    }

    /// With its sign, zero included.
    pub(crate) fn signed(self, number: f64) -> String {
        // -0.0 + 0.0 is 0.0.
        let number = number + 0.0;
        match self {
            Self::Fixed(decimals) => format!("{number:+.decimals$}"),
            Self::Exponent => format!("{number:+.2e}"),
        }
    }

    /// Without one.
    pub(crate) fn size(self, number: f64) -> String {
        match self {
            Self::Fixed(decimals) => format!("{:.decimals$}", number.abs()),
            Self::Exponent => format!("{:.2e}", number.abs()),
        }
    }
}

/// An error, as small as it may be: two digits at most.
pub(crate) fn error(number: f64) -> String {
    if number == 0.0 {
        "0".to_owned()
    } else {
        format!("{number:.1e}").replace(".0e", "e")
    }
}

/// The largest size among numbers; a NaN is passed over.
pub(crate) fn largest(numbers: impl IntoIterator<Item = f32>) -> f64 {
    f64::from(
        numbers
            .into_iter()
            .map(f32::abs)
            .filter(|x| x.is_finite())
            .fold(0.0, f32::max),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_largest() {
        assert_eq!(Digits::of(4.12, 3).signed(1.916), "+1.92");
        assert_eq!(Digits::of(0.39, 3).signed(-0.0512), "-0.051");
        assert_eq!(Digits::of(-12.3, 5).signed(4.120_34), "+4.120");
        assert_eq!(Digits::of(123_456.0, 3).size(-99.4), "99");
        assert_eq!(Digits::of(3e-7, 3).signed(3e-7), "+3.00e-7");
        assert_eq!(Digits::of(0.0, 3).signed(-0.0), "+0.00");
        assert_eq!(Digits::of(f64::NAN, 3).signed(f64::NAN), "NaN");
        assert_eq!(
            [0.0, -2.13e-8, 1e-4, f64::NAN].map(error),
            ["0", "-2.1e-8", "1e-4", "NaN"]
        );
        assert_eq!(largest([0.5, -2.0, f32::NAN, f32::INFINITY]), 2.0);
    }
}
