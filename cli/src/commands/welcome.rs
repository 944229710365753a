//! The message without a command.

use std::io;

use crate::output::Output;

pub(crate) fn run(program: &str, output: &mut Output) -> io::Result<()> {
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
