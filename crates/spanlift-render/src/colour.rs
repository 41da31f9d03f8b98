//! The colours of scores: one diverging scale, zero white, red positive, blue negative, and what reads on it.
//!
//! For x in -1..=1 with t = |x|: in OKLab (L lightness, a and b the colour axes) the straight line
//!
//! ```text
//! (L, a, b)(x) = (1, 0, 0)·(1 − t) + (1/2, a_end, b_end)·t
//! ```
//!
//! from white to an end of lightness 1/2 with the hue and chroma of `#b2182b` (x > 0) or `#2166ac` (x < 0), the
//! dark reds and blues of ColorBrewer's RdBu. Steps of the same size look the same everywhere on the scale, and
//! x and −x are equally light, so that neither sign stands out and a grey copy still shows the size.
//!
//! OKLab: <https://bottosson.github.io/posts/oklab/>. RdBu: <https://colorbrewer2.org/#type=diverging&scheme=RdBu&n=9>.
//! Contrast: <https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio>.

/// A colour of the screen (sRGB).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

/// Lightness of both ends of the scale.
const END_LIGHTNESS: f32 = 0.5;
/// OKLab a and b of `#b2182b`, to a ten-thousandth.
const RED: [f32; 2] = [0.1710, 0.0706];
/// OKLab a and b of `#2166ac`, to a ten-thousandth.
const BLUE: [f32; 2] = [-0.0394, -0.1240];

/// OKLab a and b of an orange and of a full blue.
const ORANGE: [f32; 2] = [0.0680, 0.1055];
const FULL_BLUE: [f32; 2] = [-0.0340, -0.1720];

/// The hues of both ends; lightness is the same in each, and zero is white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    /// Red positive, blue negative: [`diverging`].
    #[default]
    RedBlue,
    /// Orange positive, full blue negative: yellow against blue is what red-green blindness leaves.
    ColourBlind,
}

impl Palette {
    /// The colour of a score that is `x` times its scale, as [`diverging`] for red and blue.
    #[must_use]
    pub fn diverging(self, x: f32) -> Colour {
        let ends = match self {
            Self::RedBlue => (RED, BLUE),
            Self::ColourBlind => (ORANGE, FULL_BLUE),
        };
        between(x, ends)
    }

    /// The names of both ends, positive first.
    #[must_use]
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::RedBlue => ("red", "blue"),
            Self::ColourBlind => ("orange", "blue"),
        }
    }
}

/// How a score's share of its scale, -1 to 1, becomes a place on the colours.
///
/// Both keep zero white and opposite scores equally far from it, and neither changes the order of sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ramp {
    /// In proportion.
    #[default]
    Linear,
    /// By the square root of the size: a quarter of the scale has half the colour, so that small scores can be seen beside a
    /// large one. The legend shows the true numbers.
    Root,
}

impl Ramp {
    /// The place on the colours, -1 to 1, of a share of the scale.
    #[must_use]
    pub fn place(self, share: f32) -> f32 {
        match self {
            Self::Linear => share,
            Self::Root => share.abs().sqrt().copysign(share),
        }
    }

    /// The share of the scale that has this place: what a legend writes there.
    #[must_use]
    pub fn share(self, place: f32) -> f32 {
        match self {
            Self::Linear => place,
            Self::Root => place * place.abs(),
        }
    }
}

/// The colour of a score that is `x` times its scale: -1 blue, 0 white, 1 red.
///
/// Beyond ±1 as at ±1. NaN is no score: grey, [`Colour::GREY`], which is nowhere on the scale.
///
/// ```
/// use spanlift_render::colour::{Colour, diverging};
///
/// assert_eq!(diverging(0.0), Colour::WHITE);
/// assert_eq!(diverging(1.0), Colour { r: 181, g: 28, b: 45 });
/// assert_eq!(diverging(-1.0), Colour { r: 31, g: 101, b: 170 });
/// ```
#[must_use]
pub fn diverging(x: f32) -> Colour {
    Palette::RedBlue.diverging(x)
}

/// The straight line from white to one of two ends.
fn between(x: f32, (positive, negative): ([f32; 2], [f32; 2])) -> Colour {
    if x.is_nan() {
        return Colour::GREY;
    }
    let t = x.abs().min(1.0);
    let [a, b] = if x > 0.0 { positive } else { negative };
    Colour::from_oklab([1.0 - t * (1.0 - END_LIGHTNESS), t * a, t * b])
}

/// The steps of the scale on a 256-colour terminal, |x| = 0, 1/4, 1/2, 3/4, 1: the colours of the cube in the hue
/// of that end whose OKLab lightness is next to 1, 0.875, 0.75, 0.625, 0.5.
const RED_STEPS: [u8; 5] = [231, 224, 210, 167, 124];
const BLUE_STEPS: [u8; 5] = [231, 153, 110, 68, 25];

/// [`diverging`] for a 256-colour terminal, in four steps a side.
///
/// Not the colour nearest to [`diverging`]: over a third of the scale that is a grey, which has lost the sign.
#[must_use]
pub fn diverging_ansi256(x: f32) -> u8 {
    if x.is_nan() {
        return Colour::GREY.ansi256();
    }
    let step = (4.0 * x.abs().min(1.0)).round() as usize;
    if x > 0.0 {
        RED_STEPS[step]
    } else {
        BLUE_STEPS[step]
    }
}

impl Colour {
    /// White.
    pub const WHITE: Self = Self {
        r: 255,
        g: 255,
        b: 255,
    };
    /// Black.
    pub const BLACK: Self = Self { r: 0, g: 0, b: 0 };
    /// The colour of what is no number.
    pub const GREY: Self = Self {
        r: 128,
        g: 128,
        b: 128,
    };

    /// Black or white, whichever contrasts more with this colour as background: at least 4.5 to 1.
    ///
    /// Text and background are set together, so that a dark terminal shows what a light one shows.
    #[must_use]
    pub fn readable_on(self) -> Self {
        if contrast(self, Self::BLACK) >= contrast(self, Self::WHITE) {
            Self::BLACK
        } else {
            Self::WHITE
        }
    }

    /// As far between this colour and `other` as `t` says (0 this, 1 the other), in OKLab.
    #[must_use]
    pub fn mix(self, other: Self, t: f32) -> Self {
        let (from, to) = (self.oklab(), other.oklab());
        Self::from_oklab([0, 1, 2].map(|i| from[i] + t * (to[i] - from[i])))
    }

    /// The nearest of the 240 fixed colours of a 256-colour terminal: 16 to 231 the cube, 232 to 255 the greys.
    ///
    /// The first 16 are the user's own and may be anything.
    #[must_use]
    pub fn ansi256(self) -> u8 {
        let from = self.oklab();
        let mut nearest = (f32::INFINITY, 16);
        for index in 16..=255 {
            let to = Self::of_ansi256(index).oklab();
            let distance = (0..3).map(|i| (to[i] - from[i]).powi(2)).sum::<f32>();
            if distance < nearest.0 {
                nearest = (distance, index);
            }
        }
        nearest.1
    }

    /// The colour that a 256-colour terminal shows for `index`, from 16.
    #[must_use]
    pub fn of_ansi256(index: u8) -> Self {
        let level = |i: u8| if i == 0 { 0 } else { 55 + 40 * i };
        match index {
            0..16 => Self::GREY,
            16..232 => {
                let i = index - 16;
                Self {
                    r: level(i / 36),
                    g: level(i / 6 % 6),
                    b: level(i % 6),
                }
            }
            232.. => {
                let grey = 8 + 10 * (index - 232);
                Self {
                    r: grey,
                    g: grey,
                    b: grey,
                }
            }
        }
    }

    /// (L, a, b).
    fn oklab(self) -> [f32; 3] {
        let [r, g, b] = [self.r, self.g, self.b].map(linear);
        let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
        let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
        let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
        [
            0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        ]
    }

    fn from_oklab([lightness, a, b]: [f32; 3]) -> Self {
        let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
        let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
        let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
        Self {
            r: encoded(4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s),
            g: encoded(-1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s),
            b: encoded(-0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s),
        }
    }
}

/// The share of light behind a byte of sRGB.
fn linear(byte: u8) -> f32 {
    let x = f32::from(byte) / 255.0;
    if x <= 0.040_45 {
        x / 12.92
    } else {
        ((x + 0.055) / 1.055).powf(2.4)
    }
}

/// The byte of sRGB for a share of light; outside 0 to 1 the nearer end.
fn encoded(x: f32) -> u8 {
    let x = x.clamp(0.0, 1.0);
    let y = if x <= 0.003_130_8 {
        12.92 * x
    } else {
        1.055 * x.powf(1.0 / 2.4) - 0.055
    };
    (255.0 * y).round() as u8
}

/// Relative luminance: the light a colour gives, 0 to 1.
fn luminance(colour: Colour) -> f32 {
    0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)
}

/// The contrast ratio of two colours, 1 to 21.
#[must_use]
pub fn contrast(one: Colour, other: Colour) -> f32 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE 1976 lightness, 0 to 100, from the luminance: another measure than the one the scale is made with.
    fn cie_lightness(colour: Colour) -> f32 {
        let y = luminance(colour);
        if y <= 216.0 / 24389.0 {
            y * 24389.0 / 27.0
        } else {
            116.0 * y.cbrt() - 16.0
        }
    }

    fn steps() -> impl Iterator<Item = f32> {
        (0..=100_u8).map(|i| f32::from(i) / 100.0)
    }

    #[test]
    fn zero_is_white_and_both_ends_are_the_named_colours() {
        assert_eq!(diverging(0.0), Colour::WHITE);
        assert_eq!(diverging(-0.0), Colour::WHITE);
        // #b2182b has OKLab lightness 0.4915 and #2166ac 0.5046: at 1/2 both differ by a few steps a channel.
        for (x, end) in [(1.0, [0xb2, 0x18, 0x2b]), (-1.0, [0x21, 0x66, 0xac_u8])] {
            let Colour { r, g, b } = diverging(x);
            for (got, named) in [r, g, b].into_iter().zip(end) {
                assert!(got.abs_diff(named) <= 4, "{x}: {got} {named}");
            }
            assert_eq!(diverging(7.0 * x), diverging(x));
        }
        assert_eq!(diverging(f32::NAN), Colour::GREY);
        assert_eq!(diverging(f32::INFINITY), diverging(1.0));
    }

    #[test]
    fn both_signs_are_equally_light_and_darken_with_size() {
        let mut last = 101.0;
        for x in steps() {
            let (red, blue) = (cie_lightness(diverging(x)), cie_lightness(diverging(-x)));
            assert!((red - blue).abs() < 3.0, "{x}: {red} {blue}");
            let of = |x| cie_lightness(Palette::ColourBlind.diverging(x));
            assert!((of(x) - of(-x)).abs() < 3.0, "{x}: {} {}", of(x), of(-x));
            assert!(red < last, "{x}");
            last = red;
        }
        // From 100 down to about 40: the scale has room.
        assert!((38.0..42.0).contains(&last), "{last}");
    }

    #[test]
    fn equal_steps_are_equally_far_apart() {
        for sign in [1.0, -1.0] {
            let at = |i: u8| diverging(sign * f32::from(i) / 10.0).oklab();
            for i in 0..10 {
                let (from, to) = (at(i), at(i + 1));
                let distance = (0..3)
                    .map(|i| (to[i] - from[i]).powi(2))
                    .sum::<f32>()
                    .sqrt();
                // The line's length over ten: √(0.5² + 0.185²)/10 = 0.0533 red, √(0.5² + 0.130²)/10 = 0.0517 blue.
                assert!((distance - 0.0525).abs() < 0.004, "{sign} {i}: {distance}");
            }
        }
    }

    #[test]
    fn the_sign_is_the_hue() {
        for x in steps().skip(2) {
            let (red, blue) = (diverging(x), diverging(-x));
            assert!(
                red.r > red.g && red.r > red.b && blue.b > blue.g && blue.g > blue.r,
                "{x}"
            );
        }
    }

    #[test]
    fn text_reads_on_every_colour() {
        for x in steps().chain(steps().map(|x| -x)) {
            for background in [diverging(x), Colour::of_ansi256(diverging_ansi256(x))] {
                let text = background.readable_on();
                assert!(contrast(background, text) >= 4.5, "{x} {background:?}");
            }
        }
        assert!((contrast(Colour::BLACK, Colour::WHITE) - 21.0).abs() < 1e-3);
    }

    #[test]
    fn the_256_colours_are_the_cube_and_the_greys() {
        // xterm's 256colres.h: 16 + 36 r + 6 g + b with levels 0, 95, 135, 175, 215, 255; greys from 8 in tens.
        assert_eq!(Colour::of_ansi256(16), Colour::BLACK);
        assert_eq!(Colour::of_ansi256(231), Colour::WHITE);
        assert_eq!(Colour::of_ansi256(196), Colour { r: 255, g: 0, b: 0 });
        assert_eq!(
            Colour::of_ansi256(16 + 36 + 12 + 3),
            Colour {
                r: 95,
                g: 135,
                b: 175
            }
        );
        assert_eq!(Colour::of_ansi256(232), Colour { r: 8, g: 8, b: 8 });
        assert_eq!(
            Colour::of_ansi256(255),
            Colour {
                r: 238,
                g: 238,
                b: 238
            }
        );
        // Each is its own nearest, but for a grey that the cube has too (8 + 10 i is never one of its levels).
        for index in 16..=255 {
            assert_eq!(Colour::of_ansi256(index).ansi256(), index);
        }
        assert_eq!(Colour::WHITE.ansi256(), 231);
        assert_eq!(Colour { r: 250, g: 3, b: 2 }.ansi256(), 196);
    }

    #[test]
    fn the_256_colour_scale_keeps_the_sign_and_the_lightness() {
        for i in 0..=4_u8 {
            let x = f32::from(i) / 4.0;
            let of = |x| Colour::of_ansi256(diverging_ansi256(x));
            let (red, blue) = (of(x).oklab()[0], of(-x).oklab()[0]);
            assert!(
                (red - (1.0 - x / 2.0)).abs() < 0.04 && (blue - (1.0 - x / 2.0)).abs() < 0.04,
                "{x}: {red} {blue}"
            );
            assert_eq!(x > 0.1, of(x).r > of(x).b && of(-x).b > of(-x).r, "{x}");
        }
        assert_eq!(
            (
                diverging_ansi256(0.12),
                diverging_ansi256(-0.12),
                diverging_ansi256(-0.0)
            ),
            (231, 231, 231)
        );
        assert_eq!((diverging_ansi256(9.0), diverging_ansi256(-9.0)), (124, 25));
        assert_eq!(diverging_ansi256(f32::NAN), 244);
    }

    #[test]
    fn a_ramp_keeps_zero_the_sign_and_the_order() {
        for ramp in [Ramp::Linear, Ramp::Root] {
            assert_eq!(
                (ramp.place(0.0), ramp.place(1.0), ramp.place(-1.0)),
                (0.0, 1.0, -1.0)
            );
            for (x, next) in steps().zip(steps().skip(1)) {
                assert_eq!(ramp.place(-x), -ramp.place(x));
                assert!(ramp.place(x) < ramp.place(next));
                assert!((ramp.share(ramp.place(x)) - x).abs() < 1e-6);
            }
            assert!(ramp.place(f32::NAN).is_nan());
        }
        assert_eq!(
            (Ramp::Root.place(-0.25), Ramp::Root.share(0.5)),
            (-0.5, 0.25)
        );
    }

    #[test]
    fn mixing_keeps_its_ends() {
        let red = diverging(1.0);
        assert_eq!(
            (red.mix(Colour::WHITE, 0.0), red.mix(Colour::WHITE, 1.0)),
            (red, Colour::WHITE)
        );
        assert_eq!(Colour::WHITE.mix(red, 0.5), diverging(0.5));
    }
}
