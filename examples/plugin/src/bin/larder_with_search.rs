//! The program `larder`, with this plugin linked in.

use larder_example_plugin as _; // links the plugin

fn main() -> std::process::ExitCode {
    larder_cli::main()
}
