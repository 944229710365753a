//! Policies: what the roles of grants cannot say, in the language [Cedar](https://www.cedarpolicy.com).
//!
//! A larder keeps every version of them; the newest is in force.

use std::sync::{Arc, Mutex, PoisonError};

use larder_core::extend::Records;
use larder_core::record::read;
use larder_core::store::{Absence, Outcome, Timestamp};
use larder_core::{Error, Result};
use serde::Serialize;

use crate::access::Access;
use crate::policy_set::Policies;
use crate::record::{POLICIES, PolicyRecord, not_found, number_of_policies, policies_key};
use crate::rules::Rules;

/// The number of records that are listed at once.
const PAGE: usize = 100;
/// The maximum number of bytes of a text.
const MOST_TEXT: usize = 256 << 10;

/// The policies in force, as they were read last.
pub(crate) type Known = Arc<Mutex<Option<(u64, Option<Arc<Policies>>)>>>;

/// A version of the policies.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyVersion {
    /// Its number, from 1.
    pub number: u64,
    /// The policies.
    pub text: String,
    /// The time it was set.
    pub created: Timestamp,
}

/// The newest version, and its record.
struct Newest {
    number: u64,
    record: PolicyRecord,
}

impl Access {
    /// Returns a version of the policies, or the one in force. `None` in a larder without policies.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a version that is not there; [`Error::Store`]; [`Error::Corrupt`].
    pub fn policies(&self, number: Option<u64>) -> Result<Option<PolicyVersion>> {
        let Some(number) = number else {
            let newest = self.newest_policies(0)?;
            return Ok(newest.map(|Newest { number, record }| PolicyVersion {
                number,
                text: record.text,
                created: record.created,
            }));
        };
        let missing = || {
            let what = format!("version {number} of the policies");
            not_found(Absence::NoPolicies, what, Vec::new())
        };
        let key = policies_key(number).map_err(|_| missing())?;
        let found = self.larder.store().get_records(std::slice::from_ref(&key))?;
        let found = found.into_iter().next().flatten().ok_or_else(missing)?;
        let PolicyRecord { text, created, .. } = read(&key, &found)?;
        Ok(Some(PolicyVersion { number, text, created }))
    }

    /// Puts policies in force, as a new version. A text without policies takes the others out of force. Returns false if they are
    /// in force already.
    ///
    /// # Errors
    /// [`Error::Refused`] for policies that are not valid, and in a program that was built without the feature `cedar`;
    /// [`Error::Store`].
    pub fn set_policies(&self, text: &str) -> Result<(PolicyVersion, bool)> {
        parse(0, text)?;
        self.transact("the policies", |transaction| {
            let newest = self.newest_policies(0)?;
            let last = newest.as_ref().map_or(0, |newest| newest.number);
            if let Some(Newest { number, record }) = newest
                && record.text == text
            {
                let PolicyRecord { text, created, .. } = record;
                return Ok(Outcome::Done((PolicyVersion { number, text, created }, false)));
            }
            let (number, created) = (last + 1, self.larder.now());
            if last > 0 {
                // The version before it is there when it is written.
                let before = policies_key(last)?;
                transaction.get(&before)?;
                transaction.require(before)?;
            }
            let record = PolicyRecord::new(text.to_owned(), created);
            transaction.put_new(policies_key(number)?, &record)?;
            Ok(Outcome::Commit((PolicyVersion { number, text: text.to_owned(), created }, true)))
        })
    }

    /// Returns the rules as they would be with other policies in force.
    ///
    /// # Errors
    /// Those of [`rules`](Access::rules); [`Error::Refused`] for policies that are not valid.
    pub fn rules_with_policies(&self, text: &str) -> Result<Rules> {
        Ok(self.granted()?.with_policies(parse(0, text)?.map(Arc::new)))
    }

    /// Returns the policies in force, for decisions.
    pub(crate) fn policies_in_force(&self) -> Result<Option<Arc<Policies>>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let last = known.as_ref().map_or(0, |(number, _)| *number);
        let Some(Newest { number, record }) = self.newest_policies(last)? else {
            return Ok(None);
        };
        if let Some((_, policies)) = known.filter(|(known, _)| *known == number) {
            return Ok(policies);
        }
        let policies = parse(number, &record.text)?.map(Arc::new);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((number, policies.clone()));
        Ok(policies)
    }

    /// Reads the newest version, which is not before `from`.
    fn newest_policies(&self, from: u64) -> Result<Option<Newest>> {
        let store = self.larder.store();
        let mut after = from.checked_sub(1).filter(|it| *it > 0).map(policies_key).transpose()?;
        let mut newest = None;
        loop {
            let page = store.list_records(POLICIES, after.as_ref(), PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let known = page
                .into_iter()
                .filter_map(|(key, found)| Some((number_of_policies(&key)?, key, found)));
            newest = known.last().or(newest);
        }
        newest
            .map(|(number, key, found)| Ok(Newest { number, record: read(&key, &found)? }))
            .transpose()
    }
}

/// Reads policies; `None` if the text has none.
#[cfg(feature = "cedar")]
pub(crate) fn parse(number: u64, text: &str) -> Result<Option<Policies>> {
    if text.len() > MOST_TEXT {
        let reason = format!("the text has over {MOST_TEXT} bytes");
        return Err(Error::Refused { action: "use the policies".into(), reason });
    }
    Policies::parse(number, text)
}

/// Refuses policies. A larder that has them is never served without them.
#[cfg(not(feature = "cedar"))]
pub(crate) fn parse(_: u64, text: &str) -> Result<Option<Policies>> {
    let _ = MOST_TEXT;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let reason = "this program was built without the feature `cedar`";
    Err(Error::Refused { action: "use the policies of the larder".into(), reason: reason.into() })
}
