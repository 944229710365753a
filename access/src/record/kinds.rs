//! The entries of the table of record kinds for access control. Records of every kind belong to the larder, not to a name.

use larder_core::record::{misnamed, read};
use larder_core::store::{Action, Record, RecordKey, RecordKind, RecordLink, kind};
use larder_core::{Identifier, Result};

use super::{
    AUDIT, AUDIT_HEAD, AuditHead, AuditRecord, GRANTS, GROUPS, GrantRecord, GroupRecord, POLICIES,
    PRINCIPALS, PolicyRecord, PrincipalRecord, TOKENS, TokenRecord, audit_key, head_key,
    policies_key,
};
use crate::principal::PrincipalName;

kind!(
    RecordKind::new(
        "principal",
        "principals/@NAME",
        PRINCIPALS,
        |key| named(key, PRINCIPALS),
        |key, found| read::<PrincipalRecord>(key, found).map(drop),
    )
    .links(|key, found| {
        let groups = read::<PrincipalRecord>(key, found)?.groups;
        let link = |group: PrincipalName| {
            let target = group.key(GROUPS)?;
            let fault = format!("there is no record {target} of its group");
            Ok(RecordLink::present(target, fault))
        };
        groups.into_iter().map(link).collect()
    })
    .access(Action::Administer, Action::Administer)
);

kind!(
    RecordKind::new(
        "group",
        "groups/@NAME",
        GROUPS,
        |key| named(key, GROUPS),
        |key, found| read::<GroupRecord>(key, found).map(drop),
    )
    .access(Action::Administer, Action::Administer)
);

kind!(
    RecordKind::new(
        "token",
        "tokens/@ID",
        TOKENS,
        |key| hexadecimal(key, TOKENS, 16),
        |key, found| read::<TokenRecord>(key, found).map(drop),
    )
    .access(Action::Administer, Action::Administer)
);

kind!(
    RecordKind::new(
        "grant",
        "grants/@HEX",
        GRANTS,
        |key| hexadecimal(key, GRANTS, 32),
        |key, found| read::<GrantRecord>(key, found).map(drop),
    )
    .access(Action::Administer, Action::Administer)
);

kind!(
    RecordKind::new(
        "policy",
        "policies/@N",
        POLICIES,
        |key| match number_of_policies(key) {
            Some(_) => Ok(None),
            None => Err(misnamed(key, "its key has no number")),
        },
        |key, found| check_policies(key, &read::<PolicyRecord>(key, found)?.text),
    )
    .links(|key, _| {
        let before = number_of_policies(key).map_or(0, |number| number - 1);
        if before == 0 {
            return Ok(Vec::new());
        }
        let target = policies_key(before)?;
        let fault = format!("there is no record {target} of the version before it");
        Ok(vec![RecordLink::present(target, fault)])
    })
    .replaces(|_, old, new| match new {
        None => Some("a version of the policies stays; set others instead".into()),
        Some(new) => {
            (new.value != old.value).then(|| "a version of the policies stays as it is".into())
        }
    })
    .access(Action::Administer, Action::Administer)
);

kind!(
    RecordKind::new(
        "audit",
        "audit/@N",
        AUDIT,
        |key| {
            match number_in(key).map(audit_key) {
                Some(Ok(own)) if own == *key => Ok(None),
                _ => Err(misnamed(key, "its key has no number")),
            }
        },
        |key, found| read::<AuditRecord>(key, found).map(drop),
    )
    .links(|key, _| {
        let number = number_in(key);
        Ok(vec![
            RecordLink::new(head_key()?, move |key, found| match found {
                None => Some(format!("there is no record {key}")),
                Some(found) => {
                    let head: AuditHead = read(key, found).ok()?;
                    (Some(head.last) < number)
                        .then(|| format!("the record {key} does not count it"))
                }
            })
            .atomic_only(),
        ])
    })
    .access(Action::Administer, Action::Administer)
);

kind!(
    RecordKind::new(
        "audit-head",
        "audit-head/@",
        AUDIT_HEAD,
        |key| match *key == head_key()? {
            true => Ok(None),
            false => Err(misnamed(key, "there is only one head of the audit log")),
        },
        |key, found| read::<AuditHead>(key, found).map(drop),
    )
    .links(head_links)
    .access(Action::Administer, Action::Administer)
);

/// The number of a version of the policies.
pub(crate) fn number_of_policies(key: &RecordKey) -> Option<u64> {
    let number = key.as_str().strip_prefix(POLICIES)?.parse().ok().filter(|number| *number > 0)?;
    (policies_key(number).ok()? == *key).then_some(number)
}

/// Refuses policies that would lock everybody out, because they cannot be read.
#[cfg(feature = "cedar")]
fn check_policies(key: &RecordKey, text: &str) -> Result<()> {
    match crate::policies::parse(0, text) {
        Ok(_) => Ok(()),
        Err(_) => Err(misnamed(key, "its policies are not valid")),
    }
}

#[cfg(not(feature = "cedar"))]
fn check_policies(_: &RecordKey, _: &str) -> Result<()> {
    Ok(())
}

/// The number of a record of the log.
pub(crate) fn number_in(key: &RecordKey) -> Option<u64> {
    key.as_str().strip_prefix(AUDIT)?.parse().ok().filter(|number| *number > 0)
}

/// The last record of the log is there, and is the one that the head says.
fn head_links(key: &RecordKey, found: &Record) -> Result<Vec<RecordLink>> {
    let head: AuditHead = read(key, found)?;
    Ok(vec![RecordLink::new(audit_key(head.last)?, move |key, found| match found {
        None => Some(format!("there is no record {key}")),
        Some(found) if larder_core::store::Digest::of(&found.value) != head.digest => {
            Some(format!("the record {key} is not the one whose digest it holds"))
        }
        Some(_) => None,
    })])
}

fn named(key: &RecordKey, prefix: &str) -> Result<Option<Identifier>> {
    let name = key.as_str().strip_prefix(prefix).unwrap_or_default();
    match PrincipalName::new(name) {
        Ok(_) => Ok(None),
        Err(_) => Err(misnamed(key, "its key is no name of a user or group")),
    }
}

fn hexadecimal(key: &RecordKey, prefix: &str, digits: usize) -> Result<Option<Identifier>> {
    let text = key.as_str().strip_prefix(prefix).unwrap_or_default();
    let is_hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match is_hex && text.len() == digits {
        true => Ok(None),
        false => Err(misnamed(key, "its key is not of hexadecimal digits")),
    }
}
