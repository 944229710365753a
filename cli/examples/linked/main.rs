//! A command line of your own: `larder`, with the components of `components.rs`.
//!
//! ```sh
//! cargo run -p larder-cli --example linked -- types
//! ```

mod components;

fn main() -> std::process::ExitCode {
    larder_cli::main()
}
