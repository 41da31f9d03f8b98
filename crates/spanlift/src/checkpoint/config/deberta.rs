//! What a `DebertaV2Config` says beside the sizes: how the attention knows positions.
//!
//! Names and defaults are those of
//! [`DebertaV2Config`](https://github.com/huggingface/transformers/blob/d60525f3595f8214576d6b8f1c54ac7cd0b5c42c/src/transformers/models/deberta_v2/configuration_deberta_v2.py)
//! and of the `getattr` calls in `modeling_deberta_v2.py`.

use serde_json::Value;

use super::{MOST_POSITIONS, Problem, Sizes};
use crate::checkpoint::json::Fields;
use crate::ops::relative::Buckets;

const KINDS: &str = "pos_att_type";

/// Attention to relative positions.
#[derive(Clone, Copy, Debug)]
pub(in crate::checkpoint) struct Disentangled {
    /// Which row a distance has.
    pub(in crate::checkpoint) buckets: Buckets,
    /// Content to position.
    pub(in crate::checkpoint) c2p: bool,
    /// Position to content.
    pub(in crate::checkpoint) p2c: bool,
    /// The table goes through the maps of keys and queries, not through maps of its own.
    pub(in crate::checkpoint) share_att_key: bool,
    /// The table goes through a LayerNorm first.
    pub(in crate::checkpoint) normed: bool,
}

/// Whether there is a table of absolute positions, and the attention to relative ones.
pub(super) fn read(
    fields: &Fields,
    sizes: &Sizes,
    heads: Option<usize>,
    problems: &mut Vec<Problem>,
) -> (bool, Option<Disentangled>) {
    let biased = fields.flag("position_biased_input", problems);
    const CONVOLUTION: &str = "conv_kernel_size";
    if fields
        .get(CONVOLUTION)
        .is_some_and(|size| size.as_i64().is_none_or(|size| size > 0))
    {
        problems.push(fields.wrong(CONVOLUTION, "none: no convolution beside the first layer"));
    }
    const HEAD: &str = "attention_head_size";
    if let (Some(size), Some(hidden), Some(heads)) = (fields.get(HEAD), sizes.hidden, heads)
        && size
            .as_u64()
            .is_none_or(|size| size.checked_mul(heads as u64) != Some(hidden as u64))
    {
        let expected = format!("hidden_size / num_attention_heads, {hidden} / {heads}");
        problems.push(fields.wrong(HEAD, expected));
    }
    let relative = fields.flag("relative_attention", problems) == Some(true);
    if !relative && list(fields.get(KINDS)).is_none_or(|kinds| !kinds.is_empty()) {
        // The scores would be divided as if these terms were there.
        problems.push(fields.wrong(KINDS, "none without `relative_attention`"));
    }
    let disentangled = relative.then(|| attention(fields, sizes, problems));
    (biased.unwrap_or(true), disentangled.flatten())
}

fn attention(fields: &Fields, sizes: &Sizes, problems: &mut Vec<Problem>) -> Option<Disentangled> {
    let kinds = list(fields.get(KINDS));
    let known = |kind: &String| kind == "c2p" || kind == "p2c";
    let kinds = kinds.filter(|kinds| kinds.iter().all(known));
    if kinds.is_none() {
        problems.push(fields.wrong(KINDS, "a list of `c2p` and `p2c`"));
    }
    const NORMS: &str = "norm_rel_ebd";
    let norms = list(fields.get(NORMS));
    if norms.is_none() {
        problems.push(fields.wrong(NORMS, "`layer_norm` or `none`"));
    }
    let share_att_key = fields.flag("share_att_key", problems).unwrap_or(false);
    // Sizes below 1 say "none": `max_position_embeddings`, and a row a distance.
    let mut count = |field| match fields.get(field).map(Value::as_i64) {
        None => Some(0),
        Some(Some(count)) if count <= MOST_POSITIONS as i64 => {
            Some(usize::try_from(count).unwrap_or(0))
        }
        Some(_) => {
            let expected = format!("a whole number up to {MOST_POSITIONS}");
            problems.push(fields.wrong(field, expected));
            None
        }
    };
    let most = match count("max_relative_positions")? {
        0 => sizes.position_rows?,
        most => most,
    };
    let buckets = match count("position_buckets")? {
        0 => Buckets {
            span: most,
            logarithmic: None,
        },
        span => Buckets {
            span,
            logarithmic: Some(most),
        },
    };
    if let Some(most) = buckets.logarithmic
        && (buckets.span < 2 || most <= buckets.span / 2 + 1)
    {
        let expected = format!("0, or from 2 to less than twice {}", most.saturating_sub(1));
        problems.push(fields.wrong("position_buckets", expected));
        return None;
    }
    let (kinds, norms) = (kinds?, norms?);
    let has = |kind: &str| kinds.iter().any(|k| k == kind);
    let disentangled = Disentangled {
        buckets,
        c2p: has("c2p"),
        p2c: has("p2c"),
        share_att_key,
        normed: norms.iter().any(|norm| norm == "layer_norm"),
    };
    Some(disentangled)
}

/// Names in a list, or in a text with bars between them and then in small letters. `None` for anything else.
fn list(value: Option<&Value>) -> Option<Vec<String>> {
    let names = |text: &str| {
        let names = text.split('|').map(|name| name.trim().to_lowercase());
        names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
    };
    match value {
        None => Some(Vec::new()),
        Some(Value::String(text)) => Some(names(text)),
        Some(Value::Array(items)) => {
            let names = items.iter().map(|item| Some(item.as_str()?.to_owned()));
            names.collect()
        }
        Some(_) => None,
    }
}
