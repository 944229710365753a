//! The program `larder`, with this plugin linked in.

use larder_example_plugin as _; // without this line the plugin is not linked, and nobody says so

fn main() -> std::process::ExitCode {
    larder_cli::main()
}
