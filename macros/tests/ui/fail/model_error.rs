use larder::objectmodel;

struct NoError;

#[objectmodel]
fn fails(x: f64) -> Result<f64, NoError> {
    if x > 0.0 { Ok(x) } else { Err(NoError) }
}

fn main() {}
