//! `policy`: what the roles of grants cannot say, in the language Cedar.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use larder::access::{
    Access, LarderAccess, PolicyVersion, Principal, PrincipalName, Resource, Rules,
};
use larder::store::{Action as Asked, TagName};
use larder::{Identifier, Larder};
use serde::{Deserialize, Serialize};

use crate::command_error::{CommandError, Exit};
use crate::output::{Outcome, Output};

/// Sets, shows and tests the policies of the larder, in the language Cedar
///
/// A policy permits beside grants, or forbids, which wins over everything. Whoever is granted `admin` on `*` can always
/// administer. Users are `User::"ann"`, groups `Group::"ml"`, names `Name::"house/price"` in `Name::"house"`, and the whole larder
/// is `Larder::"larder"`; the actions are those of `larder can`. `context` has `token` and `tag`, where they are known.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Puts the policies of a file in force, as a new version
    Set {
        /// The file, or `-` for stdin; without policies in it, none are in force
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Prints the policies in force
    Show {
        /// Those of this version instead
        #[arg(long, value_name = "N")]
        at: Option<u64>,
    },
    /// Asks about the cases of a file, and compares the answers with those expected
    ///
    /// The file is a JSON array of objects with `user`, `action`, `name` (absent for the whole larder), `tag`, `groups` (absent for
    /// those of the user) and `expect`, which is `allow` or `deny`.
    Test {
        /// The file of cases
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
        /// Test the policies of this file instead of those in force
        #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        policies: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Set {
    outcome: Outcome,
    number: u64,
}

/// A question, and its answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    user: String,
    action: String,
    name: Option<String>,
    tag: Option<String>,
    groups: Option<Vec<String>>,
    expect: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

#[derive(Serialize)]
struct Tested {
    passed: usize,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
struct Failed {
    /// The number of the case, from 1.
    case: usize,
    question: String,
    allowed: bool,
    because: String,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let access = larder.access();
    match &args.action {
        Action::Set { file } => set(&access, file, output),
        Action::Show { at } => show(&access, *at, output),
        Action::Test { file, policies } => test(&access, file, policies.as_deref(), output),
    }
}

fn set(access: &Access, file: &Path, output: &mut Output) -> Result<(), CommandError> {
    let text = read(file)?;
    let (version, is_new) = access.set_policies(&text)?;
    let (number, outcome) = (version.number, Outcome::changed(is_new));
    if output.is_json() {
        return Ok(output.document(Set { outcome, number })?);
    }
    Ok(output.line(&match is_new {
        true => format!("version {number} of the policies is in force"),
        false => format!("unchanged: version {number} of the policies is in force"),
    })?)
}

fn show(access: &Access, at: Option<u64>, output: &mut Output) -> Result<(), CommandError> {
    let Some(version) = access.policies(at)? else {
        if output.is_json() {
            return Ok(output.document(Nothing { number: None, text: None, created: None })?);
        }
        output.say("no policies; `larder policy set FILE` sets some");
        return Ok(());
    };
    if output.is_json() {
        return Ok(output.document(version)?);
    }
    let PolicyVersion { text, .. } = version;
    Ok(output.bytes(text.as_bytes())?)
}

/// A larder without policies.
#[derive(Serialize)]
struct Nothing {
    number: Option<u64>,
    text: Option<String>,
    created: Option<String>,
}

fn test(
    access: &Access,
    file: &Path,
    policies: Option<&Path>,
    output: &mut Output,
) -> Result<(), CommandError> {
    let cases: Vec<Case> = serde_json::from_str(&read(file)?).map_err(|error| {
        let message = format!("cannot read the cases of {}: {error}", file.display());
        CommandError::new(Exit::Failure, message)
    })?;
    let rules = match policies {
        Some(file) => access.rules_with_policies(&read(file)?)?,
        None => access.rules()?,
    };
    let mut failed = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let found = answer(access, &rules, case);
        let found = found.map_err(|error| error.context(format!("cannot ask case {}", at + 1)))?;
        failed.extend(found.map(|failed| Failed { case: at + 1, ..failed }));
    }
    let passed = cases.len() - failed.len();
    let is_good = failed.is_empty();
    if output.is_json() {
        output.document(Tested { passed, failed })?;
    } else {
        for Failed { case, question, allowed, because } in &failed {
            let answer = if *allowed { "allowed" } else { "denied" };
            output.line(&format!("case {case}: {question} is {answer}: {because}"))?;
        }
        output.line(&format!("{passed} passed, {} failed", failed.len()))?;
    }
    if is_good { Ok(()) } else { Err(CommandError::silent(Exit::Failure)) }
}

/// Asks about a case. `None` if the answer is the expected one.
fn answer(access: &Access, rules: &Rules, case: &Case) -> Result<Option<Failed>, CommandError> {
    let name = PrincipalName::new(&case.user)?;
    let groups: BTreeSet<PrincipalName> = match &case.groups {
        Some(groups) => {
            groups.iter().map(|it| PrincipalName::new(it)).collect::<larder::Result<_>>()?
        }
        // A user that the larder does not know yet is in no group.
        None => access
            .users()?
            .into_iter()
            .find(|user| user.name == name)
            .map_or_else(BTreeSet::new, |user| user.groups),
    };
    let action: Asked = case.action.parse()?;
    let resource = match (&case.name, &case.tag) {
        (None, _) => Resource::Larder,
        (Some(name), None) => Resource::Name(Identifier::new(name)?),
        (Some(name), Some(tag)) => Resource::Tag(Identifier::new(name)?, TagName::new(tag)?),
    };
    let question = format!("{name} {action} {resource}");
    let principal = Principal { name, groups, token: None, scopes: None };
    let decision = rules.authorize(&principal, action, &resource);
    let allowed = decision.is_allowed();
    let is_expected = allowed == (case.expect == Expected::Allow);
    let because = decision.because().to_owned();
    Ok((!is_expected).then_some(Failed { case: 0, question, allowed, because }))
}

fn read(file: &Path) -> Result<String, CommandError> {
    let text = match file == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin().lock()),
        false => fs::read_to_string(file),
    };
    text.map_err(|error| CommandError::reading(file.display(), &error))
}
