use larder::objectmodel;

#[objectmodel]
fn nothing(x: f64) {
    drop(x);
}

#[objectmodel]
fn of_some_type(x: f64) -> impl Iterator<Item = f64> {
    std::iter::once(x)
}

#[objectmodel]
fn unnamed(x: f64) -> std::fmt::Result {
    Ok(drop(x))
}

fn main() {}
