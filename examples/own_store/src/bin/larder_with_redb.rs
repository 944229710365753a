//! The program `larder`, with this store linked in.

use larder_example_own_store as _; // without this line the store is not linked, and nobody says so

fn main() -> std::process::ExitCode {
    larder_cli::main()
}
