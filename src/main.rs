//! `ciem`: the command line and the operator in one binary.

fn main() -> std::process::ExitCode {
    ciem::cli::main()
}
