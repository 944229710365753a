//! The command line's own words: what it says without a command, and its help.

use insta::assert_snapshot;

use crate::test_dir::TestDir;

fn dir() -> TestDir {
    TestDir::new("fs:data_dir")
}

#[test]
fn without_a_command_a_newcomer_is_told_what_to_try() {
    assert_snapshot!(dir().plain(&[]), @"
    exit 0
    --- stdout
    Larder stores models and their components: typed, versioned, verified.

    To get started, in a folder with a larder.db:

      larder list              list the names
      larder show NAME         show a component: type, fields and artifacts
      larder verify            verify every byte

    `larder --help` lists all commands; `--store URL` selects another larder.
    ");
}

#[test]
fn help_lists_the_commands() {
    assert_snapshot!(dir().plain(&["--help"]), @"
    exit 0
    --- stdout
    A store for models and their components: typed, versioned, verified

    Usage: larder [OPTIONS] [COMMAND]

    Everyday:
      list         Lists the newest version of every name, or searches [ls, search]
      show         Shows the details of a version: type, tags, fields and artifacts
      put          Stores a file or a folder as a new version; creates the larder if there is none
      get          Writes a stored file, folder or model to disk
      predict      Predicts with a model, from JSON to JSON
      diff         Shows the differences between two versions, by field and file

    Versions and tags:
      versions     Lists the versions of a name, oldest first
      tag          Sets or moves a tag to a version
      untag        Removes a tag, but not its version
      history      Lists the moves of a tag, oldest first
      note         Changes and prints the description, labels and metrics of a version
      lock         Locks a version or a name against changes
      unlock       Unlocks a version or a name
      remove       Removes a version, or all versions of a name [rm]
      restore      Restores a removed version, unless its blobs were collected

    Data:
      collection   Creates, fills, searches and changes collections of rows

    Upkeep:
      verify       Verifies every byte of versions, and lists damage; exit code 4 if there is any
      doctor       Checks the program and the larder, and suggests what to do
      gc           Removes blobs that no version uses
      copy         Copies versions and their tags to another larder [push]
      pull         Copies versions and their tags from another larder to this one
      mirror       Copies a whole larder to another: versions with their numbers, tags and notes
      export       Writes versions and their tags to a folder or a file, for `import`
      import       Copies versions and their tags from an export, which is verified first
      migrate      Rewrites the newest version of names with the current version of their type
      cache        Shows or empties the local cache of remote blobs

    Jobs:
      jobs         Lists the jobs that triggers created
      job          Shows, cancels or retries a job, prints its log, or deletes old jobs
      fire         Fires a custom event of a component, which creates jobs for its triggers
      work         Runs jobs until it is stopped

    Server:
      serve        Serves the larder and its models over HTTP
      deploy       Deploys a model: every server of the larder serves it under a name
      deployments  Lists the deployments, and the version that each serves
      undeploy     Ends a deployment: servers no longer serve it
      login        Signs in to a server, and keeps the token for later commands and programs
      logout       Forgets the token for a server
      whoami       Says who you are for the larder
      user         Adds, lists and removes users and services
      group        Adds, lists and removes groups, and their members
      token        Creates, lists and revokes tokens
      grant        Grants roles on names, lists grants, and takes them back
      policy       Sets, shows and tests the policies of the larder, in the language Cedar
      can          Says whether a user may do something, and which grant or policy says so
      audit        Prints what servers of this larder changed or denied, for whom and why

    Set-up:
      types        Lists the component types that are linked into this program
      serializers  Lists the serializers that are linked in, and those that the larder needs
      completions  Prints a shell script that completes commands, names, tags and versions
      man          Writes manual pages to a folder
      help         Prints this help, or the help of a command

    Global options:
          --store <URL>
              The larder: the path of a file, `sqlite:PATH`, `fs:FOLDER`, `memory:`,
              `postgres://HOST/DATABASE`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`,
              `az://CONTAINER/PREFIX` or `https://SERVER`
              
              [env: LARDER_STORE]
              [default: larder.db]

          --format <FORMAT>
              The output format

              Possible values:
              - text: Text for people
              - json: One JSON object for programs
              
              [default: text]

      -q, --quiet
              Print references only, one per line

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

#[test]
fn help_fits_the_terminal() {
    let dir = dir();
    let mut command = dir.command(crate::test_dir::PLAIN, &["-h"]);
    command.env("COLUMNS", "70");
    let help = dir.run(command, b"");
    let commands = help.split("Global options:").next().unwrap();
    assert!(commands.lines().all(|line| line.chars().count() <= 70), "{help}");
}

#[test]
fn store_names_every_scheme() {
    let help = dir().plain(&["--help"]);
    let known = larder::Registry::linked().unwrap();
    for (scheme, _) in known.schemes() {
        let other = ["file", "http", "postgresql"].contains(&scheme);
        assert!(other || help.contains(&format!("{scheme}:")), "{scheme}: {help}");
    }
}

#[test]
fn global_options_have_their_own_heading() {
    let help = dir().plain(&["tag", "--help"]);
    let (own, global) = help.split_once("\nGlobal options:\n").unwrap();
    for option in ["--store", "--format", "--quiet", "--color"] {
        assert!(global.contains(option) && !own.contains(&format!("{option} <")), "{help}");
    }
    assert!(own.contains("--protect"), "{help}");
}
