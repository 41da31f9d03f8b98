//! Why a picture or page was not made.

use thiserror::Error;

/// Why a picture or page was not made.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The ending of the file's name belongs to no format.
    #[error("unknown ending {}: expected one of {known}", quoted(.got.as_deref()))]
    Ending {
        /// The ending, without its dot; none where the name has none.
        got: Option<String>,
        /// Those that are known, in words.
        known: String,
    },
    /// The explanation could not be written as JSON.
    #[error(transparent)]
    Json {
        /// What is wrong with it.
        #[from]
        source: spanlift_explanation::WriteError,
    },
    /// The explanation contradicts itself.
    #[error(transparent)]
    Invalid {
        /// Which field, and how.
        #[from]
        source: spanlift_explanation::Invalid,
    },
    /// The page shows heads, blocks and edges, which the method has no scores of.
    #[error(
        "html: expected scores of every cut, head and block, which `{method}` does not give; take json, svg or png"
    )]
    Scope {
        /// The method's name.
        method: String,
    },
    /// Pixels a unit outside what is sensible.
    #[error("zoom: expected {least} to {most}, got {got}")]
    Zoom {
        /// What was asked for.
        got: f32,
        /// The smallest.
        least: f32,
        /// The largest.
        most: f32,
    },
    /// The built-in font could not be read.
    #[error("built-in font: {cause}")]
    Font {
        /// What its reader said.
        cause: String,
    },
    /// The SVG could not be drawn.
    #[error("png: {cause}")]
    Png {
        /// What `resvg` said.
        cause: String,
    },
}

fn quoted(ending: Option<&str>) -> String {
    ending.map_or_else(
        || "(none)".to_owned(),
        |ending| format!("{:?}", format!(".{ending}")),
    )
}
