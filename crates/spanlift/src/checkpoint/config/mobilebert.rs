//! What a `MobileBertConfig` says beside the sizes.
//!
//! Names and defaults are those of
//! [`MobileBertConfig`](https://github.com/huggingface/transformers/blob/d60525f3595f8214576d6b8f1c54ac7cd0b5c42c/src/transformers/models/mobilebert/configuration_mobilebert.py).

use super::{MOST_HIDDEN, Problem};
use crate::checkpoint::json::Fields;

/// Far above the published four.
const MOST_BLOCKS: usize = 64;

/// The field of I.
pub(super) const WIDTH: &str = "intra_bottleneck_size";

/// The shape behind the bottlenecks, where NoNorm stands in the place of every LayerNorm.
#[derive(Clone, Copy, Debug)]
pub(in crate::checkpoint) struct Narrow {
    /// I.
    pub(in crate::checkpoint) width: usize,
    /// Feed-forward blocks a layer.
    pub(in crate::checkpoint) feed_forwards: usize,
}

pub(super) fn read(fields: &Fields, problems: &mut Vec<Problem>) -> Option<Narrow> {
    for (field, only) in [
        ("use_bottleneck", true),
        ("key_query_shared_bottleneck", true),
        ("use_bottleneck_attention", false),
        ("trigram_input", true),
    ] {
        if fields.flag(field, problems) == Some(!only) {
            problems.push(fields.wrong(field, only.to_string()));
        }
    }
    const NORM: &str = "normalization_type";
    if fields.get(NORM).is_some_and(|norm| norm != "no_norm") {
        problems.push(fields.wrong(NORM, "`no_norm`"));
    }
    let width = fields.size(WIDTH, Some(128), (1, MOST_HIDDEN), problems);
    const OWN: &str = "true_hidden_size";
    if let (Some(width), Some(own)) = (width, fields.get(OWN))
        && own.as_u64() != Some(width as u64)
    {
        problems.push(fields.wrong(OWN, format!("{WIDTH}, {width}")));
    }
    let blocks = "num_feedforward_networks";
    let feed_forwards = fields.size(blocks, Some(4), (1, MOST_BLOCKS), problems);
    Some(Narrow {
        width: width?,
        feed_forwards: feed_forwards?,
    })
}
