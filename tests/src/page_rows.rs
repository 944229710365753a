//! Collections with something for every screen of the web page, and values that must stay text.

use larder::bytes::Bytes;
use larder::collections::{
    AttachOptions, Field, IndexOptions, LarderCollections, LarderListeners, Media,
    PinnedCollection, Vector,
};
use larder::prelude::*;
use larder::{Error, Result};

use crate::page::HOSTILE;

/// An image of 24 by 16 pixels.
pub const PNG: &[u8] = include_bytes!("../page/gradient.png");
/// An image of one pixel.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
/// A picture with a script.
pub const SVG: &str =
    "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert('larder')</script></svg>";
/// A page with a script.
pub const PAGE: &str = "<!doctype html><script>alert('larder')</script>";
/// The number of rows.
pub const ROWS: u64 = 60;

/// A review of what somebody bought.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Review {
    /// The key.
    pub id: u64,
    /// What was written.
    pub text: String,
    /// From one to five.
    pub stars: Option<u8>,
    /// A picture, or what the row says is one.
    pub photo: Option<Media>,
    /// Bytes that the schema says are a picture.
    pub scan: Option<Bytes>,
    /// A vector that is too long to be shown whole.
    pub taste: Vector<64>,
    /// Items.
    pub tags: Vec<String>,
    /// A field whose name is markup.
    #[serde(rename = "<script>alert('larder')</script><img src=x onerror=\"alert(1)\">")]
    pub hostile: Option<String>,
}

/// A model that makes a vector of a text: how often each word is in it.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/meaning", model)]
pub struct Meaning {
    /// The words.
    pub words: Vec<String>,
}

impl Predict for Meaning {
    type Input = String;
    type Output = Vec<f32>;

    fn predict(&self, text: String) -> Result<Vec<f32>> {
        if text.contains("illegible") {
            return Err(Error::predict(HOSTILE));
        }
        let text = text.to_lowercase();
        let count = |word: &String| text.matches(word.as_str()).count() as f32 + 0.01;
        Ok(self.words.iter().map(count).collect())
    }
}

/// A model that says what it is told.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/echo", model)]
pub struct Echo {
    /// Before each answer.
    pub prefix: String,
}

impl Predict for Echo {
    type Input = String;
    type Output = String;

    fn predict(&self, text: String) -> Result<String> {
        Ok(format!("{}{text}", self.prefix))
    }
}

/// A component that learnt from a version.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/reader")]
pub struct Reader {
    /// The rows.
    pub data: PinnedCollection,
}

fn review(id: u64) -> Review {
    let text = match id % 4 {
        0 => format!("It came late, number {id}."),
        1 => format!("Broken when it came, number {id}."),
        2 => format!("Good wine, number {id}."),
        _ => format!("Fine, number {id}."),
    };
    Review {
        id,
        text,
        stars: (!id.is_multiple_of(7)).then_some((id % 5) as u8 + 1),
        photo: None,
        scan: None,
        taste: Vector::from(std::array::from_fn(|at| (id as f32) / 8.0 + at as f32)),
        tags: vec!["wine".into(), format!("lot {id}")],
        hostile: None,
    }
}

/// Makes the collection `shop/reviews` with models on it, and `shop/empty`.
///
/// # Errors
/// Those of a larder.
pub fn fill(larder: &Larder) -> Result<()> {
    let scan = Field::new("scan", "bytes".parse()?).nullable().with_media_type("image/svg+xml");
    let reviews = larder.collection::<Review>("shop/reviews")?.with_key("id").with_field(scan);
    let mut rows: Vec<Review> = (1..=ROWS).map(review).collect();
    rows[0].photo = Some(Media::new("image/png", PNG));
    rows[1].photo = Some(Media::new("image/svg+xml", SVG.as_bytes()));
    rows[2].photo = Some(Media::new("image/png", PAGE.as_bytes()));
    rows[3].photo = Some(Media::new("text/html", PNG));
    rows[4].photo = Some(Media::new("audio/wav", &b"RIFF\x04\0\0\0WAVE"[..]));
    rows[5].photo = Some(Media::new(HOSTILE, GIF));
    rows[6].scan = Some(Bytes::from(SVG));
    rows[7].scan = Some(Bytes::from_static(GIF));
    rows[8].text = HOSTILE.to_owned();
    rows[8].hostile = Some(format!("{HOSTILE}\n{}", "long ".repeat(800)));
    rows[9].text = "An illegible note.".to_owned();
    rows[9].tags = vec![HOSTILE.to_owned(); 9];
    reviews.insert(&rows)?;
    larder.tag("shop/reviews@1", "first")?;

    let words = ["late", "broken", "good"].map(str::to_owned);
    larder.apply("shop/meaning", &Meaning { words: words.into() })?;
    larder.apply("shop/echo", &Echo { prefix: HOSTILE.into() })?;
    let models = larder.listeners("shop/reviews")?;
    let meaning = models.attach("shop/meaning", &["text"], &AttachOptions::new())?;
    let echo = models.attach("shop/echo", &["text"], &AttachOptions::new())?;
    for attached in [meaning, echo] {
        larder.jobs().wait(&attached.applied)?;
    }
    let paused = AttachOptions::new().name("later").paused(true);
    larder.jobs().wait(&models.attach("shop/echo", &["text"], &paused)?.applied)?;
    let index = models.index("_outputs.meaning", &IndexOptions::new().name("meaning"))?;
    larder.jobs().wait(&index.applied)?;
    let index = models.index("taste", &IndexOptions::new())?;
    larder.jobs().wait(&index.applied)?;

    larder.apply("shop/learner", &Reader { data: PinnedCollection::to("shop/reviews@1")? })?;
    // Outputs of the changed row are stale, because no worker runs.
    let mut changed = review(12);
    changed.text = "It came late, and nobody answers.".into();
    reviews.upsert(&[changed, review(ROWS + 1)])?;
    reviews.delete(&"id = 60".parse()?)?;
    larder.untyped_collection("shop/empty")?.create(larder::collections::NewCollection::new(
        larder::collections::Schema::new([Field::new("x", "float64".parse()?)])?,
    ))?;
    Ok(())
}
