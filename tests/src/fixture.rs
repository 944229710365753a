//! The content of the fixtures: one larder for each format that was ever written, kept for ever.
//!
//! `worker fixture URL` and `worker kept URL` wrote them when the format was new. They are never written anew: a
//! format that changes gets another folder beside `fixtures/format-1`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use larder::Result;
use larder::bytes::Bytes;
use larder::maintenance::GcOptions;
use larder::prelude::*;
use larder::serializers::{Bincode, Json, MsgPack, Postcard, RawBytes};
use larder::store::Digest;
use larder::store::{Change, Committed};
use larder::versions::{AnnotationsChange, TagOptions};

/// Everything that a manifest can hold, and an artifact of each serializer.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ItemKind {
    Unit,
    Newtype(i64),
    Tuple(u64, f32),
    Struct { on: bool },
}

/// A component of every shape.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "fixture/everything")]
#[allow(missing_docs)]
pub struct Everything {
    pub text: String,
    pub float: f64,
    pub largest: u64,
    pub smallest: i64,
    pub nothing: Option<u8>,
    pub map: BTreeMap<String, ItemKind>,
    pub msgpack: Artifact<BTreeMap<String, Vec<f32>>, MsgPack>,
    pub json: Artifact<Vec<ItemKind>, Json>,
    pub bincode: Artifact<Vec<ItemKind>, Bincode>,
    pub postcard: Artifact<Vec<ItemKind>, Postcard>,
    pub bytes: Artifact<Bytes, RawBytes>,
    pub nested: Artifact<Vec<Artifact<String>>>,
}

/// One of each kind.
pub fn kinds() -> Vec<ItemKind> {
    vec![
        ItemKind::Unit,
        ItemKind::Newtype(-7),
        ItemKind::Tuple(7, 0.5),
        ItemKind::Struct { on: true },
    ]
}

impl Everything {
    /// The content of a version.
    pub fn version(number: u64) -> Self {
        let names = ["unit", "newtype", "tuple", "struct"].map(str::to_owned);
        Self {
            text: format!("version {number}: \u{e9}\u{4e16}\n\"quoted\""),
            float: 0.1 + number as f64,
            largest: u64::MAX,
            smallest: i64::MIN,
            nothing: None,
            map: names.into_iter().zip(kinds()).collect(),
            msgpack: Artifact::new([("weights".to_owned(), vec![1.5, -0.25, f32::NAN])].into()),
            json: Artifact::new(kinds()),
            bincode: Artifact::new(kinds()),
            postcard: Artifact::new(kinds()),
            // More than a row of an SQLite store holds.
            bytes: Artifact::new(Bytes::from(vec![number as u8; 70_000])),
            nested: Artifact::new(vec![
                Artifact::new("inner".to_owned()),
                Artifact::new("other".to_owned()),
            ]),
        }
    }
}

/// Fills an empty larder: three versions, of which one is removed, and a tag.
///
/// # Errors
/// Whatever the larder says.
pub fn fill(larder: Larder) -> Result<()> {
    let larder =
        larder.with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123));
    for number in 1..=3 {
        larder.apply("fixture/everything", &Everything::version(number))?;
    }
    larder.tag("fixture/everything@1", "prod")?;
    larder.remove("fixture/everything@2")?;
    larder.apply("fixture/doubler", &crate::Doubler { factor: 2.0 })?;
    Ok(())
}

/// A component whose type has changed since: its version 1 counted in dozens.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "fixture/cellar", version = 2, migrate_from(1 = "Rack::bottles"), alias = "fixture/rack")]
#[allow(missing_docs)]
pub struct Cellar {
    pub bottles: u32,
    pub list: Artifact<Vec<String>>,
}

/// What a [`Cellar`] was.
#[derive(Serialize, Deserialize)]
struct Rack {
    dozens: u32,
    list: Artifact<Vec<String>>,
}

impl Rack {
    fn bottles(self) -> Cellar {
        Cellar { bottles: 12 * self.dozens, list: self.list }
    }
}

// By hand, because a derived one would be a second type of that tag.
impl Component for Rack {
    fn typetag_name(&self) -> &'static str {
        "fixture/rack"
    }

    fn typetag_deserialize(&self) {}
}

/// Fills an empty larder with what is kept beside versions: notes, locks, tags with a history, garbage; and with a type
/// that has changed.
///
/// # Errors
/// Whatever the larder says.
pub fn keep(larder: Larder) -> Result<()> {
    let larder = larder
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123))
        .with_author("ann");
    let list = || Artifact::new(vec!["Riesling".to_owned(), "Merlot".to_owned()]);
    larder.apply("kept/cellar", &Rack { dozens: 3, list: list() })?;
    larder.apply("kept/cellar", &Cellar { bottles: 37, list: list() })?;
    larder.apply("kept/cellar", &Cellar { bottles: 38, list: list() })?;
    let notes = AnnotationsChange::new().description("all that lies below").label("team", "wine");
    larder.annotate("kept/cellar@1", &notes.metric("humidity", 0.7))?;
    larder.locks().lock_version("kept/cellar@1")?;
    larder.tag("kept/cellar@2", "prod")?;
    larder.tags().set("kept/cellar@1", "prod", &TagOptions::new().protected(true))?;
    larder.tag("kept/cellar@3", "gone")?;
    larder.untag("kept/cellar", "gone")?;
    larder.remove("kept/cellar@3")?;
    let garbage = Bytes::from_static(b"what no version needs");
    let garbage = Change::PutBlob { digest: Digest::of(&garbage), bytes: garbage };
    assert_eq!(larder.store().commit(&[garbage])?, Committed::All);
    larder.maintenance().gc(&GcOptions::new().grace(Duration::from_secs(3600)))?;
    larder.apply("kept/doubler", &crate::Doubler { factor: 2.0 })?;
    larder.locks().lock_name("kept/doubler")
}
