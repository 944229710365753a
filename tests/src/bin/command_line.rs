//! The command line, for tests of it against servers.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder_cli::main()
}
