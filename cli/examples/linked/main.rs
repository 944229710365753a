//! A command line of one's own: `larder`, with the components of `components.rs` linked in.
//!
//! ```sh
//! cargo run -p larder-cli --example linked -- types
//! ```

mod components;

fn main() -> std::process::ExitCode {
    larder_cli::main()
}
