//! The command line's own words: what it says without a command, and its help.

use insta::assert_snapshot;

use crate::kitchen::Kitchen;

fn kitchen() -> Kitchen {
    Kitchen::new("fs:shelf")
}

#[test]
fn without_a_command_a_newcomer_is_told_what_to_try() {
    assert_snapshot!(kitchen().plain(&[]), @r#"
    exit 0
    --- stdout
    Larder keeps models and the components around them: typed, versioned, verified.

    Try these, where a larder.db is:

      larder list              what it holds
      larder show NAME         one component: its type, fields and artifacts
      larder verify            whether every byte is what was written

    `larder --help` lists all commands; `--store URL` names a larder that is elsewhere.
    "#);
}

#[test]
fn help_lists_the_commands() {
    assert_snapshot!(kitchen().plain(&["--help"]), @"
    exit 0
    --- stdout
    Keeps models and the components around them: typed, versioned, verified

    Usage: larder [OPTIONS] [COMMAND]

    Commands:
      list         Lists every name with its newest version, or what is searched for [aliases: ls,
                   search]
      show         Shows one version: its type, tags, fields and artifacts
      versions     Lists all versions of a name, oldest first
      diff         Shows how one version differs from another, field by field, file by file
      predict      Lets a model predict: JSON in, JSON out
      put          Keeps a file or a folder as a new version; makes the larder if there is none
      get          Writes back the file, folder or model that was `put`, checked
      copy         Copies versions, with their tags, to another larder: only what it lacks, every byte
                   checked [alias: push]
      pull         Copies versions, with their tags, from another larder to this one: the counterpart of
                   `push`
      mirror       Makes a larder hold all that another holds: versions under their numbers, tags and
                   notes as they are there
      export       Writes versions, with their tags, to a folder or a single file that `import` reads
      import       Takes in what `export` wrote, from anyone: checked to the last byte before anything
                   is copied
      verify       Reads versions to the last byte and lists what is damaged; exit code 4 if anything is
      remove       Removes one version, or every version of a name [alias: rm]
      restore      Puts a removed version back, as long as its bytes are there
      gc           Removes the bytes that no version needs
      doctor       Says what is linked in, what the larder holds and needs, and what to do about it
      tag          Lets a tag name a version, whatever it named before
      untag        Takes a tag away; the version that it named stays
      migrate      Rewrites the newest version of names as today's version of its type, as a new version
      history      Lists who let a tag name which version, and when, oldest first
      note         Changes a version's description, labels and metrics; prints all there are
      lock         Closes a version, or a name with all of it, against change
      unlock       Opens a version or a name again
      jobs         Lists jobs: what triggers of components did, do and will do
      job          Shows a job, cancels it, tries it again, or prints what it said; forgets old ones
      fire         Lets an event happen to a component, so that its triggers run
      work         Runs jobs, until it is stopped
      types        Lists the component types that are linked into this program
      serializers  Lists the serializers that are linked in, and those that the larder needs
      cache        Shows or empties the cache: blobs of remote larders that are kept on this machine
      completions  Prints what a shell needs to complete commands, and the names, tags and versions of
                   the larder
      man          Writes the manual pages, one for each command, into a folder
      help         Print this message or the help of the given subcommand(s)

    Options:
          --store <URL>
              Where the larder is: `larder.db`, `sqlite:PATH`, `fs:FOLDER`
              
              [env: LARDER_STORE]
              [default: larder.db]

          --format <FORMAT>
              How to print

              Possible values:
              - text: For people
              - json: For programs: one JSON object
              
              [default: text]

      -q, --quiet
              Print references only, one a line

          --color <WHEN>
              Controls when to use color
              
              [default: auto]
              [possible values: auto, always, never]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}
