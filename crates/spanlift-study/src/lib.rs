//! A run studied: how the scores shift through the layers, by the role of the tokens.
//!
//! Every result is a [`Table`], which the report draws and [`Format`] writes.

mod error;
mod table;

pub use error::StudyError;
pub use table::{Column, Format, Table, Values};
