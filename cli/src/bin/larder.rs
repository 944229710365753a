//! The program `larder`: the command line with the components of no crate but Larder's own.

fn main() -> std::process::ExitCode {
    larder_cli::main()
}
