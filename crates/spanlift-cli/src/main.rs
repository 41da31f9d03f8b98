//! The program `spanlift`: why did the model give this answer?

mod args;
mod attribute;
mod audit;
mod compare;
mod controls;
mod data;
mod evaluate;
mod explain;
#[cfg(feature = "hub")]
mod hub;
mod method;
mod model;
mod output;
mod render;
mod show;
mod side_by_side;
mod study;
mod train;
mod windows;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    output::exit_code(match args.command {
        args::Command::Explain(args) => explain::run(&args),
        args::Command::Render(args) => render::run(&args),
        args::Command::Audit(args) => audit::run(&args),
        args::Command::Evaluate(args) => evaluate::run(&args),
        args::Command::Attribute(args) => attribute::run(&args),
        args::Command::Show(args) => show::run(&args),
        args::Command::Compare(args) => compare::run(&args),
        args::Command::Study(args) => study::run(&args),
        args::Command::Train(args) => train::run(&args),
    })
}
