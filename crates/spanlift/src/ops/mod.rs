//! The operations of the encoder, one file each: formula, shapes, forward, multipliers, tests.
//!
//! | operation | rule of METHOD section 3 |
//! | --- | --- |
//! | [`linear`] | 1, and 7 for the span head |
//! | [`relative`] | 1 |
//! | [`sum`], [`embedding`] | 2 |
//! | [`activation`] | 3; [`feed_forward`] is section 4 |
//! | [`attention`] | 4 |
//! | [`softmax`] | 5 |
//! | [`layer_norm`] | 6; [`norm`] is that or rule 1 |
//!
//! All take and give [`Matrix`]; [`product`] is what most of the time goes into.

pub mod activation;
pub mod attention;
pub mod contribution;
pub mod dropout;
mod elementary;
pub mod embedding;
pub mod feed_forward;
pub mod layer_norm;
pub mod linear;
mod matrix;
pub mod norm;
pub mod product;
mod real;
pub mod relative;
pub(crate) mod rows;
pub mod softmax;
pub mod sum;

pub use matrix::Matrix;
pub use real::Real;
