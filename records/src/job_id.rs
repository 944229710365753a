//! Ids of jobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::name::{Identifier, VersionNumber};

/// Identifies a job by its version and an id: `wine/quality@7/019aa1b2c3d4-9f8e7d6c5b4a-0001`.
///
/// Ids sort by time; ids of one event on one version differ only in the last part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId {
    name: Identifier,
    version: VersionNumber,
    id: Box<str>,
}

/// The length of an id: milliseconds since 1970, a part unique to the run, and the position in the run.
const LENGTHS: [usize; 3] = [12, 12, 4];

impl JobId {
    /// Returns the name of the job's component.
    pub fn name(&self) -> &Identifier {
        &self.name
    }

    /// Returns the version of the job's component.
    pub fn version(&self) -> VersionNumber {
        self.version
    }

    /// Returns the id without the version.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Creates the id of a version's job.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a malformed id.
    pub fn new(name: &Identifier, version: VersionNumber, id: &str) -> Result<Self> {
        let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let parts: Vec<&str> = id.split('-').collect();
        let fits = parts.iter().map(|part| part.len()).eq(LENGTHS);
        if !fits || !parts.into_iter().all(is_hex) {
            let reason = "an id of a job has 12, 12 and 4 hexadecimal digits with `-` between";
            return Err(Error::invalid("job", id, reason));
        }
        Ok(Self { name: name.clone(), version, id: id.into() })
    }

    /// Returns the part shared by all jobs of a run.
    pub fn run(&self) -> &str {
        let (run, _) = self.id.rsplit_once('-').unwrap_or((&self.id, ""));
        run
    }

    /// Returns whether a job belongs to the same run.
    pub fn is_of_run(&self, other: &Self) -> bool {
        self.name == other.name && self.version == other.version && self.run() == other.run()
    }

    /// Creates the id of another job of the same version.
    ///
    /// # Errors
    /// As [`JobId::new`].
    pub fn sibling(&self, id: &str) -> Result<Self> {
        Self::new(&self.name, self.version, id)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.name, self.version.get(), self.id)
    }
}

impl FromStr for JobId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('@').and_then(|(name, rest)| {
            let (number, id) = rest.split_once('/')?;
            // As it is printed: no sign, no leading zero.
            let digits = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
            let number = digits.then(|| number.parse().ok()).flatten()?;
            Some((Identifier::new(name).ok()?, VersionNumber::new(number)?, id))
        });
        let refused =
            || Error::invalid("job", text, "a job is written `name@7/ID`, as `jobs` prints");
        let (name, version, id) = parts.ok_or_else(refused)?;
        Self::new(&name, version, id).map_err(|_| refused())
    }
}

impl TryFrom<&str> for JobId {
    type Error = Error;
    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&JobId> for JobId {
    type Error = Error;
    fn try_from(id: &JobId) -> Result<Self> {
        Ok(id.clone())
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_printed_and_nothing_else_is_one() {
        let text = "wine/quality@7/019aa1b2c3d4-9f8e7d6c5b4a-0001";
        let id: JobId = text.parse().unwrap();
        assert_eq!((id.to_string(), id.run()), (text.into(), "019aa1b2c3d4-9f8e7d6c5b4a"));
        for text in [
            "",
            "wine",
            "wine@7",
            "wine@7/",
            "wine@7/x",
            "wine@0/019aa1b2c3d4-9f8e7d6c5b4a-0001",
            "wine@07/019aa1b2c3d4-9f8e7d6c5b4a-0001",
            "wine@+7/019aa1b2c3d4-9f8e7d6c5b4a-0001",
            "wine@7/019AA1B2C3D4-9f8e7d6c5b4a-0001",
            "wine@7/019aa1b2c3d4-9f8e7d6c5b4a-0001/x",
            "wine@7/019aa1b2c3d4-9f8e7d6c5b4a",
            "../x@7/019aa1b2c3d4-9f8e7d6c5b4a-0001",
        ] {
            let error = text.parse::<JobId>().unwrap_err();
            assert!(matches!(error, Error::InvalidName { what: "job", .. }), "{text}: {error}");
        }
    }
}
