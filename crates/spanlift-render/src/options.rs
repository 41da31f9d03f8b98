//! What the reader of a picture or page may choose.

use crate::colour::{Palette, Ramp};

/// What a full colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The largest |score| of the same cut, as in the figures of Arkhangelskaia & Dutta 2019.
    Layer,
    /// The largest |score| of all cuts: they can be compared.
    Shared,
}

/// What a colour is given to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Each word, with the sum over its wordpieces.
    #[default]
    Words,
    /// Each wordpiece: what the model saw.
    Wordpieces,
}

/// How a picture or page is drawn; a format passes over what it has no use for.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What a full colour stands for.
    pub scale: Scale,
    /// How the share of that becomes a colour.
    pub ramp: Ramp,
    /// The colours.
    pub palette: Palette,
    /// What has a colour, and what the lists of the strongest name; a page begins with it.
    pub unit: Unit,
    /// Pixels of a PNG for each unit of the SVG, [`Options::ZOOM`].
    pub zoom: f32,
}

impl Options {
    /// The least and the most [`Options::zoom`] may be.
    pub const ZOOM: std::ops::RangeInclusive<f32> = 0.25..=8.0;
}

impl Default for Options {
    /// A scale a cut, in proportion, red and blue, words, two pixels for one.
    fn default() -> Self {
        Self {
            scale: Scale::Layer,
            ramp: Ramp::default(),
            palette: Palette::RedBlue,
            unit: Unit::default(),
            zoom: 2.0,
        }
    }
}
