//! The `ciem` commands (the contract is command-line.md). Each command reads files, asks the core, and prints; nothing is decided here.

mod audit;
mod can;
mod exit;
mod input;
mod manifest;
#[cfg(feature = "operator")]
mod operator;
mod output;
mod reference;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::{Exit, Failure};

/// Who can do what in your clouds, which of it is excessive, and how to reduce it.
#[derive(Debug, Parser)]
#[command(name = "ciem", version, propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find what is wrong: rules over one or several snapshots.
    Audit(audit::Arguments),
    /// Answer one question: may this principal do this action on this resource?
    Can(can::Arguments),
    /// Print the rules that are built in.
    Rules(reference::RulesArguments),
    /// Print the CustomResourceDefinitions.
    #[cfg(feature = "operator")]
    Crds(reference::CrdsArguments),
    /// Print the JSON schema of a file format.
    Schema(reference::SchemaArguments),
    /// Run the controllers.
    #[cfg(feature = "operator")]
    Operator(operator::Arguments),
}

/// Parses the command line, runs the command, maps the outcome to the contract's exit codes.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not mistakes; clap's own code 2 would say "conditional".
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            // A closed pipe is the reader's choice.
            let _ = error.print();
            return code.into();
        }
    };
    let outcome = match cli.command {
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Can(arguments) => can::run(&arguments),
        Command::Rules(arguments) => reference::rules(&arguments),
        #[cfg(feature = "operator")]
        Command::Crds(arguments) => reference::crds(&arguments),
        Command::Schema(arguments) => reference::schema(&arguments),
        #[cfg(feature = "operator")]
        Command::Operator(arguments) => operator::run(arguments),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(Failure { exit, error }) => {
            eprintln!("ciem: {error:#}");
            exit.into()
        }
    }
}
