//! `collection`: rows, and models on them.

mod attach;
mod index;
mod outputs;
mod status;

use larder::Larder;

use crate::command_error::CommandError;
use crate::output::Output;

/// Keeps rows of data, and the outputs of models beside them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Attach(attach::Args),
    Detach(attach::DetachArgs),
    Outputs(outputs::Args),
    Index(index::Args),
    Like(index::LikeArgs),
    Status(status::Args),
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    match &args.command {
        Command::Attach(args) => attach::run(args, larder, output),
        Command::Detach(args) => attach::detach(args, larder, output),
        Command::Outputs(args) => outputs::run(args, larder, output),
        Command::Index(args) => index::run(args, larder, output),
        Command::Like(args) => index::like(args, larder, output),
        Command::Status(args) => status::run(args, larder, output),
    }
}
