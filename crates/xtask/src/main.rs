//! Checks of this repository that are no tests.
//!
//! ```text
//! cargo run -p xtask -- licences
//! ```
//!
//! Exit codes: 0 in order, 1 not in order, 2 the check itself could not be made.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal, not a library"
)]

mod licences;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo run -p xtask -- licences";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["licences"] => licences::run().unwrap_or_else(|error| {
            eprintln!("licences: {error:#}");
            ExitCode::from(2)
        }),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
