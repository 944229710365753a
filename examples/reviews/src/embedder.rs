//! A model from texts to vectors: a vocabulary, and an ONNX model as a child.

use std::collections::HashMap;
use std::sync::OnceLock;

use larder::models::onnx::{OnnxModel, Value};
use larder::prelude::*;
use larder::{Error, Ref};

/// Tokens that a text is cut to.
const MOST_TOKENS: usize = 64;

/// Turns a text into the mean of its tokens' vectors.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/embedder", model)]
pub(crate) struct Embedder {
    /// The tokens, by number.
    vocabulary: Artifact<Vec<String>>,
    encoder: Ref<OnnxModel>,
    #[serde(skip)]
    numbers: OnceLock<HashMap<String, i64>>,
}

impl Embedder {
    /// Creates an embedder from a vocabulary with a token on each line, and the encoder of the version `encoder`.
    pub(crate) fn new(vocabulary: &str, encoder: &str) -> larder::Result<Self> {
        let vocabulary: Vec<String> = vocabulary.lines().map(str::to_owned).collect();
        Ok(Self {
            vocabulary: Artifact::new(vocabulary),
            encoder: Ref::to(encoder)?,
            numbers: OnceLock::new(),
        })
    }

    fn numbers(&self) -> larder::Result<&HashMap<String, i64>> {
        if let Some(numbers) = self.numbers.get() {
            return Ok(numbers);
        }
        let numbers = self.vocabulary.get()?.iter().cloned().zip(0..).collect();
        Ok(self.numbers.get_or_init(|| numbers))
    }

    /// Splits a text into WordPiece tokens.
    fn tokens(&self, text: &str) -> larder::Result<Vec<i64>> {
        let numbers = self.numbers()?;
        let number = |token: &str| numbers.get(token).copied();
        let special = |token: &str| {
            number(token).ok_or_else(|| Error::predict(format!("the vocabulary has no {token}")))
        };
        let mut tokens = vec![special("[CLS]")?];
        for word in words(text) {
            match pieces(&word, number) {
                Some(pieces) => tokens.extend(pieces),
                None => tokens.push(special("[UNK]")?),
            }
        }
        tokens.truncate(MOST_TOKENS - 1);
        tokens.push(special("[SEP]")?);
        Ok(tokens)
    }
}

/// Splits a text into lower-case words and punctuation.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            if let Some(word) = words.last_mut() {
                word.push(c);
            }
        } else {
            if !c.is_whitespace() {
                words.push(c.to_string());
            }
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Splits a word into the longest tokens that there are; those that go on begin with `##`.
fn pieces(word: &str, number: impl Fn(&str) -> Option<i64>) -> Option<Vec<i64>> {
    let mut tokens = Vec::new();
    let mut rest = word;
    while !rest.is_empty() {
        let prefix = if tokens.is_empty() { "" } else { "##" };
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let (end, token) = ends
            .into_iter()
            .find_map(|end| Some((end, number(&format!("{prefix}{}", &rest[..end]))?)))?;
        tokens.push(token);
        rest = &rest[end..];
    }
    Some(tokens)
}

impl Predict for Embedder {
    type Input = String;
    type Output = Vec<f32>;

    fn predict(&self, text: String) -> larder::Result<Vec<f32>> {
        let tokens = self.tokens(&text)?;
        let shape = [1, tokens.len()];
        let mask = vec![1_i64; tokens.len()];
        let inputs = [Value::new(&shape, &tokens)?, Value::new(&shape, &mask)?];
        let outputs = self.encoder.ready()?.predict(inputs)?;
        // The vectors of the tokens are the output with three dimensions.
        let vectors = outputs.iter().find(|output| output.shape().len() == 3);
        let vectors = vectors.ok_or_else(|| Error::predict("the encoder gave no vectors"))?;
        let width = vectors.shape()[2];
        let mut mean = vec![0.0; width];
        for vector in vectors.as_slice::<f32>()?.chunks(width) {
            mean.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
        }
        let count = tokens.len() as f32;
        mean.iter_mut().for_each(|sum| *sum /= count);
        Ok(mean)
    }
}
