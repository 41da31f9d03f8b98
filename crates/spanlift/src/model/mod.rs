//! The encoder: weights, forward pass, and the walk back.
//!
//! [`forward`](forward()) and [`backward`](backward()) are the same list of operations, read down and up; a
//! [`Trace`] is what the one keeps for the other.

mod backward;
mod encoder;
mod forward;
mod trace;

pub use backward::{Place, Walk, WalkLayer, backward};
pub use encoder::{Activation, Config, Embeddings, Encoder, Layer, LayerNorm, Linear};
pub use forward::forward;
pub use trace::{LayerTrace, Layout, Trace};
