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
mod log;
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

use clap::{Command, CommandFactory, FromArgMatches};

fn main() -> ExitCode {
    let mut command = with_negative_numbers(args::Args::command());
    let matches = command.get_matches_mut();
    let args = args::Args::from_arg_matches(&matches);
    let args = args.unwrap_or_else(|error| error.format(&mut command).exit());
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

/// `-1` is a value, so that an option that does not take it says so, and no option.
fn with_negative_numbers(command: Command) -> Command {
    command
        .allow_negative_numbers(true)
        .mut_subcommands(with_negative_numbers)
}
