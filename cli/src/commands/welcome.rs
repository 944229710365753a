//! The message without a command.

use std::io;

use serde::Serialize;

use crate::output::Output;

#[derive(Serialize)]
struct Program<'a> {
    program: &'a str,
    version: &'static str,
}

pub(crate) fn run(program: &str, output: &mut Output) -> io::Result<()> {
    if output.is_json() {
        return output.document(Program { program, version: env!("CARGO_PKG_VERSION") });
    }
    output.line(&format!(
        "\
Larder stores models and their components: typed, versioned, verified.

To get started, in a folder with a larder.db:

  {program} list              list the names
  {program} show NAME         show a component: type, fields and artifacts
  {program} verify            verify every byte

`{program} --help` lists all commands; `--store URL` selects another larder."
    ))
}
