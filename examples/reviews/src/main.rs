//! Reviews: search by meaning, imputation of what is missing, and lineage.
//!
//! ```sh
//! python3 examples/reviews/fetch.py reviews
//! cargo run -p larder-example-reviews -- reviews
//! cargo run -p larder-example-reviews -- reviews again
//! ```
//!
//! The first process inserts sentences of reviews, attaches a model of their meaning, searches, and trains a model for a
//! field that is sometimes missing. The second one continues with what is there. `docs/reviews.md` explains each step.
#![allow(clippy::print_stdout)]

mod embedder;

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use larder::collections::{
    AttachOptions, IndexOptions, Insert, Like, Listeners, OutputStatus, SearchQuery,
};
use larder::models::onnx::{Engine, OnnxModel, OpenOptions};
use larder::prelude::*;
use larder::training::{Imputer, TrainingData};
use serde_json::{Map, Value, json};

use embedder::Embedder;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;
type Row = Map<String, Value>;

/// Sentences of the first process, and of the second.
const FIRST: usize = 1_200;
const THEN: usize = 300;
/// One in so many sentences lacks its mood.
const MISSING: usize = 5;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("usage: reviews FOLDER [again]; see the top of the source")?;
    let folder = Path::new(&folder);
    let larder = larder::open(&*format!("sqlite:{}", folder.join("larder.db").display()))?;
    let reviews = read(folder)?;
    match args.next() {
        None => first(&larder, folder, &reviews),
        Some(_) => again(&larder, &reviews),
    }
}

/// A sentence, and its mood, which may be kept from the collection.
struct Review {
    row: Row,
    mood: String,
}

/// Reads the sentences. The field `tone` is the mean of what a lexicon says of the words.
fn read(folder: &Path) -> Result<Vec<Review>> {
    let lexicon = fs::read_to_string(folder.join("lexicon.txt"))?;
    let entry = |line: &str| {
        let mut parts = line.split('\t');
        Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?))
    };
    let lexicon: HashMap<String, f64> = lexicon.lines().filter_map(entry).collect();
    let text = fs::read(folder.join("reviews.tsv"))?;
    let text = String::from_utf8_lossy(&text);
    let review = |(at, line): (usize, &str)| {
        let mut parts = line.splitn(3, '\t');
        let (id, rating, text) = (parts.next()?, parts.next()?.parse::<f64>().ok()?, parts.next()?);
        let mood = if rating > 0.6 {
            "pleased"
        } else if rating < -0.6 {
            "annoyed"
        } else {
            "neutral"
        };
        let words: Vec<&str> =
            text.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty()).collect();
        let tones: f64 = words.iter().filter_map(|word| lexicon.get(*word)).sum();
        let negations =
            words.iter().filter(|word| ["not", "no", "never", "t"].contains(word)).count();
        let known = at % MISSING != 0;
        let Value::Object(row) = json!({
            "id": id,
            "text": text,
            "words": words.len(),
            "tone": tones,
            "negations": negations,
            "exclamations": text.matches('!').count(),
            "mood": known.then_some(mood),
        }) else {
            return None;
        };
        Some(Review { row, mood: mood.to_owned() })
    };
    Ok(text.lines().enumerate().filter_map(review).collect())
}

fn insert(larder: &Larder, reviews: &[Review]) -> Result<()> {
    let rows = reviews.iter().map(|review| Ok(review.row.clone()));
    let inserted =
        larder.untyped_collection("shop/reviews")?.insert_json(rows, Insert::new().key("id"))?;
    let version = inserted.version;
    println!("{} has {} rows", version.info().reference(), version.rows());
    Ok(())
}

fn first(larder: &Larder, folder: &Path, reviews: &[Review]) -> Result<()> {
    insert(larder, &reviews[..FIRST])?;

    // A model of meaning: an ONNX file and a vocabulary.
    let options = match std::env::var_os("LARDER_ONNXRUNTIME") {
        Some(_) => OpenOptions::new().engine(Engine::OnnxRuntime),
        None => OpenOptions::new(),
    };
    larder.apply("text/encoder", &OnnxModel::open_with(folder.join("model.onnx"), &options)?)?;
    let vocabulary = fs::read_to_string(folder.join("vocab.txt"))?;
    larder.apply("text/embedder", &Embedder::new(&vocabulary, "text/encoder")?)?;
    let listeners = larder.listeners("shop/reviews")?;
    let options = AttachOptions::new().name("meaning");
    let attached = listeners.attach("text/embedder", &["text"], &options)?;
    larder.jobs().wait(&attached.applied)?;
    let indexed = listeners.index("meaning", &IndexOptions::new())?;
    larder.jobs().wait(&indexed.applied)?;
    state(&listeners)?;
    search(&listeners, "the battery does not last")?;

    // A model for the mood, where it is missing.
    let data = TrainingData::new("shop/reviews".parse()?).seed(1).every(200);
    let imputer =
        Imputer::new(data, "mood").from_fields(["tone", "negations", "words", "exclamations"]);
    let applied = larder.apply("shop/mood", &imputer)?;
    larder.jobs().wait(&applied)?;
    trained(larder)?;
    let attached = listeners.attach("shop/mood", &["*"], &AttachOptions::new().fills("mood"))?;
    larder.jobs().wait(&attached.applied)?;
    imputed(&listeners, reviews)?;
    // From now on, 200 new rows train it again.
    listeners.watch("shop/mood", "retrain")?;
    lineage(larder)
}

/// The second process: new rows, their outputs, and a model that has seen them.
fn again(larder: &Larder, reviews: &[Review]) -> Result<()> {
    let listeners = larder.listeners("shop/reviews")?;
    let there = usize::try_from(larder.untyped_collection("shop/reviews")?.latest()?.rows())?;
    insert(larder, &reviews[there..there + THEN])?;
    state(&listeners)?;
    search(&listeners, "it broke after a week")?;
    // The outputs of the new rows, the index, the training, and what the new model imputes.
    let worker = larder::jobs::Worker::new(larder).concurrency(1);
    println!("{} jobs done", worker.drain()?);
    state(&listeners)?;
    trained(larder)?;
    imputed(&listeners, reviews)?;
    lineage(larder)
}

/// Prints coverage and backlog.
fn state(listeners: &Listeners) -> Result<()> {
    for it in listeners.status()?.iter().chain(&listeners.index_status()?) {
        let what = if it.measure.is_some() { "index" } else { "listener" };
        println!(
            "{what} {}: {} of {} rows ok, {} to be computed",
            it.name, it.ok, it.rows, it.backlog
        );
    }
    Ok(())
}

fn search(listeners: &Listeners, text: &str) -> Result<()> {
    println!("\nlike \"{text}\":");
    let result = listeners.search("meaning", &SearchQuery::new(Like::Value(json!(text)), 3))?;
    let ids: Vec<u64> = result.found.iter().map(|found| found.row).collect();
    for (row, found) in listeners.rows(&ids)?.iter().zip(&result.found) {
        println!("  {:.2}  {}", found.score, row["text"].as_str().unwrap_or_default());
    }
    println!();
    Ok(())
}

/// Prints how the newest model of the mood compares with the most frequent one.
fn trained(larder: &Larder) -> Result<()> {
    let shown = larder.show("shop/mood")?;
    let metric = |name: &str| shown.annotations.metrics.get(name).copied().unwrap_or_default();
    println!(
        "{}: accuracy {:.2} on rows that it has not seen, and the most frequent mood {:.2}",
        shown.version.reference(),
        metric("accuracy"),
        metric("baseline_accuracy")
    );
    Ok(())
}

/// Prints how many moods were imputed, and how many are right.
fn imputed(listeners: &Listeners, reviews: &[Review]) -> Result<()> {
    let truth: HashMap<&str, &str> =
        reviews.iter().filter_map(|it| Some((it.row["id"].as_str()?, &*it.mood))).collect();
    let (mut count, mut right) = (0, 0);
    listeners.for_each_output::<Box<dyn Error>>("mood", |row| {
        if row.status == OutputStatus::Ok {
            count += 1;
            let id = row.key.as_ref().and_then(Value::as_str).unwrap_or_default();
            right += usize::from(row.output.as_str() == truth.get(id).copied());
        }
        Ok(true)
    })?;
    println!(
        "{count} moods were missing and are imputed; {:.0} % are right",
        100.0 * right as f64 / f64::from(count)
    );
    Ok(())
}

/// Prints what was learnt from what, in both directions.
fn lineage(larder: &Larder) -> Result<()> {
    let mood: Imputer = larder.load("shop/mood")?;
    if let Some(on) = mood.trained_on() {
        println!(
            "\nshop/mood was trained on {} rows of shop/reviews@{}, fold {}, seed {}",
            on.rows,
            on.version.get(),
            on.fold,
            on.seed
        );
        for user in larder.used_by(format!("shop/reviews@{}", on.version.get()))? {
            println!("shop/reviews@{} is used by {}", on.version.get(), user.reference());
        }
    }
    for user in larder.used_by("text/embedder")? {
        println!("text/embedder is used by {}", user.reference());
    }
    Ok(())
}
