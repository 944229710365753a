//! The other process of `tests/all/third_party.rs`: `third_party URL NAME INPUTS` loads a model by its name, and
//! prints what it says to each of the inputs.

use std::error::Error;
use std::io::Write;

use larder_tests as _; // links the models' types

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, name, inputs] = &arguments[..] else { return Err("say URL, NAME and INPUTS".into()) };
    let outputs = larder::open(url)?.load_model(name)?.predict_batch_json(inputs)?;
    Ok(writeln!(std::io::stdout(), "{outputs}")?)
}
