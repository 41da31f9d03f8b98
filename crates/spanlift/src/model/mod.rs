//! The encoder: weights, forward pass, and the walk back.
//!
//! [`forward`](forward()) and [`backward`](backward()) are the same list of operations, read down and up; a
//! [`Trace`] is what the one keeps for the other. One list serves all families: what only some have is an `Option` in
//! the [`Encoder`], and in the trace what it kept.

mod backward;
mod encoder;
mod family;
mod forward;
mod parameters;
mod positions;
mod taps;
mod trace;

pub use backward::{Place, Walk, WalkLayer, backward, walk};
pub use encoder::{
    Activation, Bottleneck, Config, Embeddings, Encoder, FeedForward, Layer, LayerNorm, Linear,
    Norm, Projections,
};
pub use family::Family;
pub use forward::{Keep, forward, forward_dropped, forward_pruned, logits};
pub use parameters::{BottleneckSite, LayerSite, Parameter, Side, Site};
pub(crate) use positions::part_of;
pub use positions::{PositionMaps, RelativeTable};
pub(crate) use taps::of_probs;
pub use taps::{Scores, Taps};
pub use trace::{BottleneckTrace, FeedForwardTrace, LayerTrace, Layout, Part, Pruned, Trace};
