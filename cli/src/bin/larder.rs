//! The program `larder`: the command line without components of other crates.

fn main() -> std::process::ExitCode {
    larder_cli::main()
}
