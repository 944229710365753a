//! The program without a command: what a newcomer reads first.

use std::io;

use crate::output::Output;

pub(crate) fn run(program: &str, output: &mut Output) -> io::Result<()> {
    output.line(&format!(
        "\
Larder keeps models and the components around them: typed, versioned, verified.

Try these, where a larder.db is:

  {program} list              what it holds
  {program} show NAME         one component: its type, fields and artifacts
  {program} verify            whether every byte is what was written

`{program} --help` lists all commands; `--store URL` names a larder that is elsewhere."
    ))
}
